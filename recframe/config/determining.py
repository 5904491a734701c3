"""The settings of a run that determine its result, in one form for all ways in which the same run can be written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from recframe.components import Component
from recframe.config.apps import TRAIN
from recframe.config.checks.renamed import use_new_names
from recframe.config.checks.sections import section_at
from recframe.config.checks.stages import monitored_on_log
from recframe.config.checks.validate import components_in
from recframe.config.contents import CONTENT, use_contents
from recframe.config.recorded import ENVIRONMENT, REFERENCE, leads_to_environment

WITHOUT_EFFECT = ("name", "logger", "hydra", "sweep", "reuse", "trainer.progress_bar")
"""What records, shows or launches a run, and leaves its numbers as they are."""


class Determining(NamedTuple):
    """The settings that determine a result: as they are, and as they may be written down, without the values of environment variables;
    and the chosen components by their keys.
    """

    values: dict[str, Any]
    written: dict[str, Any]
    components: dict[str, Component]


def determining_settings(cfg: DictConfig, as_recorded: bool = False) -> Determining:
    """The settings of a valid config that determine the result of the run. Two configs of one result are equal here, whether they were
    composed or read back from `config.yaml`.

    Left out are `WITHOUT_EFFECT` and paths that need not exist, such as that of a cache. In place of a path of data or of a model stands
    a hash of its content (of a trained policy, its version), and the number of a GPU is left out. What is written has in place of a value
    from an environment variable, which may be a secret, its interpolation and 8 digits of a hash.

    as_recorded: leave settings under old names there, as in the config of a run of an earlier release.
    """
    if "hydra" in cfg:
        # it has interpolations that mean something in a job only
        cfg = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    values: Any = OmegaConf.to_container(cfg, resolve=True)
    raw: Any = OmegaConf.to_container(cfg, resolve=False)
    for key in WITHOUT_EFFECT:
        _remove(values, key.split("."))
    components = components_in(values)
    use_contents(values, TRAIN.schema)
    for key, component in components.items():
        section: Any = section_at(values, key)
        if not as_recorded:
            use_new_names(f"{key}.", section, component.config)
        use_contents(section, component.config)
    if values["evaluation"]["k"]:
        values["logged"]["monitor"] = monitored_on_log(values, components)
    values["device"] = str(values["device"]).partition(":")[0]
    plain: dict[str, Any] = _plain(values)
    written: dict[str, Any] = _written(plain, raw, raw)
    return Determining(plain, written, components)


def _remove(values: Any, parts: list[str]) -> None:
    *above, last = parts
    for part in above:
        values = values.get(part) if isinstance(values, dict) else None
    if isinstance(values, dict):
        values.pop(last, None)


def _plain(value: Any) -> Any:
    """A value in JSON's types, with whole numbers as integers, as their type may be lost in YAML."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _written(value: Any, raw: Any, whole: Any) -> Any:
    """A value of `_plain` without the values of environment variables, which `raw` names. `whole` is the whole config like `raw`."""
    if isinstance(raw, str) and "${" in raw and not _is_content(value):
        if leads_to_environment(raw, whole) or ENVIRONMENT.search(str(_at(raw, whole))):
            return f"{raw} of sha256 {hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]}"
        return value
    if isinstance(value, dict) and isinstance(raw, Mapping):
        return {key: _written(inner, raw.get(key), whole) for key, inner in value.items()}
    if isinstance(value, list) and isinstance(raw, list) and len(raw) == len(value):
        return [_written(inner, entry, whole) for inner, entry in zip(value, raw, strict=True)]
    return value


def _at(raw: str, whole: Any) -> Any:
    """What an interpolation that is a whole value refers to, which is not filled in; None if it is another."""
    found = REFERENCE.fullmatch(raw)
    for part in found[1].split(".") if found else []:
        whole = whole.get(part) if isinstance(whole, Mapping) else None
    return whole if found else None


def _is_content(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(CONTENT)
