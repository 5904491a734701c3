"""The dataset recbole_atomic: interactions, items, users and a knowledge graph from the atomic files of RecBole."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl

from recframe.interfaces import Data, DataError, Dataset
from recframe_plugins.datasets.files.malformed_rows import MalformedRows, judge
from recframe_plugins.datasets.interaction_logs.build import LogParts, build_data
from recframe_plugins.datasets.interaction_logs.log_rows import log_layout, read_log
from recframe_plugins.datasets.interaction_logs.records import read_items, read_users
from recframe_plugins.datasets.pseudonyms.pseudonyms import pseudonyms_of
from recframe_plugins.datasets.recbole_atomic.atomic_tables import atomic_table
from recframe_plugins.datasets.recbole_atomic.config import RecboleAtomicConfig
from recframe_plugins.datasets.recbole_atomic.knowledge_graph import with_knowledge

__all__ = ["RecboleAtomic"]

logger = logging.getLogger(__name__)


class RecboleAtomic(Dataset):
    """Users, items and interactions from atomic files; see `RecboleAtomicConfig`."""

    def __init__(self, config: RecboleAtomicConfig) -> None:
        self.config = config

    def load(self) -> Data:
        """Read, check and number everything.

        Raises
        ------
        DataError: something is missing, or rows are malformed; the message names the files, lines and columns, or the setting.
        """
        config, hide = self.config, self.config.pseudonymise
        pseudonyms = pseudonyms_of(config)
        path = interactions_file(Path(config.path).expanduser())
        reports: list[MalformedRows] = []
        users, items = None, self.items(path, reports)
        if (file := path.with_suffix(".user")).is_file():
            atomic = atomic_table(file, config.encoding)
            users, malformed = read_users(atomic.table, {}, hide=hide, convert=atomic.convert, checks=atomic.checks())
            reports.append(malformed)
        if users is None and config.profile_template is not None:
            raise DataError(f"dataset.profile_template is given, but there is no {path.with_suffix('.user')}, whose columns it could use")
        table = atomic_table(path, config.encoding).table
        layout = log_layout(table, config)
        log = read_log(table, layout, config.time_unit, hide=hide)
        judge([*reports, log.malformed], config.malformed)
        signals = [signal.name for signal in layout.signals]
        parts = LogParts(path, log.rows, signals, items, users, pseudonyms)
        return build_data(parts, config.text_template, config.profile_template, config.repeats)

    def items(self, path: Path, reports: list[MalformedRows]) -> pl.DataFrame | None:
        """The items and what the knowledge graph says of them; None without a file of items. Malformed rows are added to `reports`."""
        items, link, graph = (path.with_suffix(suffix) for suffix in (".item", ".link", ".kg"))
        encoding = self.config.encoding
        if graph.is_file() and not link.is_file():
            logger.warning("%s: is not used, as there is no %s that links items to it", graph, link.name)
        if not items.is_file():
            if link.is_file():
                logger.warning("%s: is not used, as there is no %s", link, items.name)
            return None
        atomic = atomic_table(items, encoding)
        found, malformed = read_items(atomic.table, {}, convert=atomic.convert, checks=atomic.checks())
        reports.append(malformed)
        return with_knowledge(found, link, graph if graph.is_file() else None, encoding, reports) if link.is_file() else found


def interactions_file(path: Path) -> Path:
    """The .inter file that a setting names, or the one in the folder that it names.

    Raises
    ------
    DataError: there is none, or more than one.
    """
    if path.is_dir():
        found = sorted(path.glob("*.inter"))
        if len(found) == 1:
            return found[0]
        if not found and (below := sorted({one.parent.name for one in path.glob("*/*.inter")})):
            where = f"in its folder {below[0]}" if len(below) == 1 else f"in its folders {', '.join(below)}"
            raise DataError(f"dataset.path={path}: holds no .inter file, but there are such {where}; give dataset.path={path / below[0]}")
        names = f"{', '.join(one.name for one in found)}; give one of these files" if found else "no .inter file"
        raise DataError(f"dataset.path={path}: holds {names}" + ("" if found else ", expected NAME.inter"))
    if path.suffix != ".inter":
        raise DataError(f"dataset.path={path}: expected a folder with NAME.inter, or that file")
    return path
