"""The settings of item codes on the command line of `recframe codes`, which stand beside those of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from recframe.config.checks.sections import check_fields, merged_as, resolved, unknown_settings
from recframe.config.problems import ConfigError
from recframe.item_codes import CodesConfig, RqVaeConfig

PREFIX = "codes."
KIND = "kind"


def split_codes(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides of the codes, and those of the run."""
    return [text for text in overrides if text.startswith(PREFIX)], [text for text in overrides if not text.startswith(PREFIX)]


def codes_configs(overrides: Sequence[str], base: Mapping[str, Any]) -> list[CodesConfig]:
    """A config for each kind that the overrides name, `codes.kind=ids,titles`, or else one.

    Parameters
    ----------
    overrides: `codes.KEY=VALUE`.   base: the settings that are not overridden, such as those of the run's agent.

    Raises
    ------
    ConfigError: with every mistake in the overrides, one line each.
    """
    lacking = [f"{text}: a setting is {PREFIX}KEY=VALUE" for text in overrides if "=" not in text]
    given = [text.removeprefix(PREFIX) for text in overrides if "=" in text]
    kinds = [kind for text in given for kind in text.partition("=")[2].split(",") if text.partition("=")[0] == KIND]
    others = [text for text in given if text.partition("=")[0] != KIND]
    found = [_config([*others, *([f"{KIND}={kind}"] if kind else [])], base) for kind in kinds or [""]]
    problems = list(dict.fromkeys([*lacking, *(problem for one in found if isinstance(one, list) for problem in one)]))
    if problems:
        raise ConfigError(problems)
    return [one for one in found if isinstance(one, CodesConfig)]


def _config(given: Sequence[str], base: Mapping[str, Any]) -> CodesConfig | list[str]:
    """The config, or its problems."""
    merged = OmegaConf.merge(OmegaConf.structured(CodesConfig), dict(base))
    assert isinstance(merged, DictConfig)
    problems: list[str] = []
    # one by one, since OmegaConf stops at the first problem
    for text in given:
        changed, found = _with(merged, text)
        problems += found
        merged = changed or merged
    settings, _ = resolved(merged)
    config: Any = OmegaConf.to_object(merged)
    problems += check_fields(PREFIX, settings, CodesConfig)
    return problems or list(config.problems(PREFIX.removesuffix("."))) or config


def _with(config: DictConfig, text: str) -> tuple[DictConfig | None, list[str]]:
    """The config with the setting `text`, KEY=VALUE, or the problems of it."""
    try:
        setting = OmegaConf.from_dotlist([text])
    except (OmegaConfBaseException, YAMLError):
        return None, [f"{PREFIX}{text}: the value cannot be read; put it in quotes"]
    values, problems = resolved(setting)
    # names first: for those there are suggestions
    problems += unknown_settings(PREFIX, values, CodesConfig)
    if isinstance(inner := values.get("rq_vae"), Mapping):
        problems += unknown_settings(f"{PREFIX}rq_vae.", inner, RqVaeConfig)
    return (None, problems) if problems else merged_as(PREFIX, config, setting)
