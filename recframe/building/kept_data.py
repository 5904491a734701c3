"""The data of a job, kept for the next job of a sweep in the same process."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from recframe.building.component import component_of
from recframe.building.dataset import load_dataset
from recframe.components import Kind
from recframe.files import file_state
from recframe.interfaces import Data
from recframe.plugin_loader import OWN_DISTRIBUTION, registry

log = logging.getLogger(__name__)

FILES = ("exists", "path")
"""What is declared of an option that names a file or a folder."""
ELSEWHERE = ("variable", "address", "database", "moment", "sends")
"""What is declared of an option if its value, once there is one, names something that may change without a trace in files."""
MOST_FILES = 1_000
"""Of a folder with more files, it is not known cheaply whether it has changed."""
SETTLED = 2.0
"""Seconds since a file's last change: a second change in less may leave no trace, as file systems write times down coarsely."""


class Kept(NamedTuple):
    """Data, what it depends on, and what was logged while it was loaded: level and text.

    versions: how often each of its tensors had been written into.
    """

    key: str
    data: Data
    said: list[tuple[str, int, str]]
    versions: list[int]


_kept: list[Kept] = []
"""The last data, or nothing."""


def forget_data() -> None:
    """Free the memory of what is kept, if anything."""
    _kept.clear()


def load_once(section: DictConfig) -> Data:
    """The data of a dataset, loaded at most once in a row by this process. Nobody may write into it.

    It is kept if it depends on nothing but the section, the code of this process, and files of which it can be told that they are the
    same; and only the last. Data of a database is loaded again each time, as is that of a dataset that recframe does not bring, and data
    with a tensor that somebody has written into. What was logged of the files is logged again, as each run has a log of its own.

    Raises
    ------
    ComponentFailure: see `load_dataset`.
    """
    began, key = time.time(), _key(section)
    if _kept and _kept[0].key == key:
        if _versions(_kept[0].data) == _kept[0].versions:
            for name, level, text in _kept[0].said:
                logging.getLogger(name).log(level, "%s", text)
            return _kept[0].data
        log.warning(
            "a component of an earlier job has written into the data that jobs share, which is against the contract: loading it again"
        )
    # before the next is loaded: the memory holds one
    forget_data()
    with _said() as said:
        data = load_dataset(section)
    # a file may have changed while it was read
    if key is not None and _key(section, settled_by=began - SETTLED) == key:
        _kept.append(Kept(key, data, said, _versions(data)))
    return data


def _versions(data: Data) -> list[int]:
    """How often each tensor of the data has been written into, also through its views. Frames cannot be written into."""
    return [0 if tensor.is_inference() else tensor._version for tensor in _tensors(data)]


def _tensors(part: Any) -> Iterator[Tensor]:
    """The tensors in a part of data: the fields of tuples and dataclasses, and values of mappings; lists hold texts."""
    if isinstance(part, Tensor):
        yield part
        return
    values: Iterable[Any] = part if isinstance(part, tuple) else part.values() if isinstance(part, Mapping) else ()
    if dataclasses.is_dataclass(part):
        values = (getattr(part, field.name) for field in dataclasses.fields(part))
    for value in values:
        yield from _tensors(value)


def _key(section: DictConfig, settled_by: float | None = None) -> str | None:
    """What determines the data of a dataset; None if that is not known, or if a file was changed after the moment `settled_by`."""
    component = component_of(Kind.DATASET, section)
    if registry().registered(component).distribution != OWN_DISTRIBUTION:
        return None
    values: Any = OmegaConf.to_container(section, resolve=True)
    states: dict[str, tuple[int, ...]] = {}
    for field in dataclasses.fields(component.config):
        value = values.get(field.name)
        if value is None:
            continue
        if any(field.metadata.get(name) for name in ELSEWHERE):
            return None
        if any(field.metadata.get(name) for name in FILES):
            found = _states(Path(value).expanduser().absolute()) if isinstance(value, str) else None
            if found is None:
                return None
            states |= found
    # the two last numbers of a state are times of changes in nanoseconds
    if settled_by is not None and any(max(state[-2:]) > settled_by * 1e9 for state in states.values()):
        return None
    return json.dumps([values, states], sort_keys=True)


def _states(path: Path) -> dict[str, tuple[int, ...]] | None:
    """The states of all files that a dataset may read for this path, by name; None if they cannot be listed or are too many."""
    try:
        found: dict[str, tuple[int, ...]] = {}
        for file in _files(path):
            if len(found) >= MOST_FILES:
                return None
            found[str(file)] = file_state(file)
    except OSError:
        return None
    return found


def _files(path: Path) -> Iterator[Path]:
    """The files in a folder, and in those below it; or a file, with those of its name and other suffixes, which may belong to it."""
    if not path.is_dir():
        yield path
        yield from sorted(path.parent.glob(f"{escape(path.stem)}.*"))
        return
    for folder, _, names in os.walk(path, onerror=_raised, followlinks=True):
        yield Path(folder)
        yield from (Path(folder, name) for name in sorted(names))


def _raised(error: OSError) -> None:
    raise error


class _Listener(logging.Handler):
    """Writes down what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append((record.name, record.levelno, record.getMessage()))


@contextmanager
def _said() -> Iterator[list[tuple[str, int, str]]]:
    """Yields what is logged within the block, as logger, level and text."""
    listener = _Listener()
    logging.getLogger().addHandler(listener)
    try:
        yield listener.said
    finally:
        logging.getLogger().removeHandler(listener)
