"""What a sweep searches or varies by its files, such as those of the group `study`: settings of `hydra.sweeper.params`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from omegaconf import OmegaConf

from recframe.config.app import App
from recframe.config.compose.file_settings import COMPOSITION_ERRORS
from recframe.config.compose.initialize import initialized
from recframe.config.compose.overrides import without_nulls
from recframe.config.problems import ConfigError
from recframe.config.schema.search import TARGET

STUDY = "study"
SWEEPER = "hydra/sweeper=optuna"
FILES = (STUDY, "experiment", "debug")
"""The groups whose files may set what a sweep does."""


class SweepFiles(NamedTuple):
    """What the files of a command line say about its sweep.

    added: overrides that are not on the command line itself: the sweeper of a study, which is a search, and `hydra.sweeper.params`.
    searches: whether the sweeper is Optuna's.
    """

    added: list[str]
    searches: bool


def sweep_files(overrides: Sequence[str], config_dir: str | None, config_name: str | None, app: App) -> SweepFiles:
    """What the files say about the sweep. Where they cannot be composed, nothing; the search for mistakes says why."""
    given = _parsed(overrides)
    chosen = [text for text, one in given.items() if one.key_or_group in FILES or _is_of_sweeper(one)]
    if not chosen:
        return SweepFiles([], False)
    # a file cannot choose the sweeper, which the primary config has chosen before it
    is_study = any(one.key_or_group == STUDY and not one.is_delete() for one in given.values())
    sweeper = [SWEEPER] if is_study and all(one.key_or_group != "hydra/sweeper" for one in given.values()) else []
    try:
        with initialized(config_dir):
            cfg = compose(config_name or app.config_name, overrides=without_nulls([*sweeper, *chosen]), return_hydra_config=True)
        params: Any = OmegaConf.to_container(cfg.hydra.sweeper.get("params") or OmegaConf.create(), resolve=True)
    except (*COMPOSITION_ERRORS, ConfigError):
        return SweepFiles([], False)
    keys = {one.get_key_element() for one in given.values()}
    added = [f"{key}={_text(value)}" for key, value in params.items() if str(key) not in keys]
    return SweepFiles([*sweeper, *added], cfg.hydra.sweeper.get("_target_") == TARGET)


def _is_of_sweeper(override: Override) -> bool:
    return override.key_or_group == "hydra/sweeper" or override.key_or_group.startswith("hydra.sweeper.")


def _parsed(overrides: Sequence[str]) -> dict[str, Override]:
    """The overrides that can be parsed; the others are reported elsewhere."""
    found = {}
    for text in overrides:
        try:
            found[text] = OverridesParser.create().parse_overrides([text])[0]
        except OverrideParseException:
            continue
    return found


def _text(value: Any) -> str:
    """A value of YAML as on the command line."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
