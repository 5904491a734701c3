"""Configs that have their files in common: what they have in common is composed once, for the jobs of a process or for a single run.

Hydra composes each config anew, 0.1 to 0.2 s of the processor: it makes the list of defaults, reads the files and merges them. Jobs of a
sweep mostly differ in single values, such as the seed, which are set after that. The config of a single run would be composed twice, once
to find its mistakes and once by Hydra.
"""

from __future__ import annotations

import copy
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any, NamedTuple

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig

from recframe.config.compose.sources import FileState, noted_files, reads_settings

OF_ONE_RUN = re.compile(r"hydra\.(mode|run\.dir|sweep\.subdir|sweeper\.(trial|study_name)|job\.env_set\.\w+)")
"""Hydra's own settings that are of one run, and say nothing of what is composed."""
MOST_BASES = 8
"""How many choices of files a process keeps the composed configs of."""


class Base(NamedTuple):
    """A composed config without single values, and the files that it was read from, as they were."""

    config: DictConfig
    files: frozenset[FileState]


Bases = OrderedDict[tuple[Any, ...], Base]
_bases: Bases = OrderedDict()


class SharedComposition(ConfigLoaderImpl):
    """Hydra's loader of configs, which sets single values in what was composed before from the same files."""

    bases: Bases

    @classmethod
    def of(cls, loader: ConfigLoader, bases: Bases = _bases) -> ConfigLoader:
        """A loader of the same configs as `loader`, which keeps what it composes in `bases`; `loader` itself if it is not Hydra's own."""
        if type(loader) is not ConfigLoaderImpl:
            return loader
        shared = cls.__new__(cls)
        vars(shared).update(vars(loader))
        shared.bases = bases
        return shared

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """The config of a job or of a single run, the same as Hydra's own. A changed file is read again.

        Raises
        ------
        hydra.errors.HydraException, ConfigError: as Hydra's own.
        """
        hydras = partial(
            super().load_configuration,
            config_name,
            overrides,
            run_mode=run_mode,
            from_shell=from_shell,
            validate_sweep_overrides=validate_sweep_overrides,
        )
        if run_mode != RunMode.RUN or not reads_settings():
            return hydras()
        parsed = [_parsed(text) for text in overrides]
        # `self.repository` does not know the files of a search path
        if any(one.key_or_group == "hydra.searchpath" or one.is_sweep_override() for one in parsed):
            return hydras()
        values = [one for one in parsed if _is_value(one, self.repository)]
        config = self._base(config_name, [text for text, one in zip(overrides, parsed, strict=True) if one not in values])
        if config is None:
            return hydras()
        # in this order, as Hydra does it
        self._apply_overrides_to_config(values, config)
        tasks = [one for one in parsed if not one.is_hydra_override()]
        job = config.hydra.job
        config.hydra.overrides.task = [one.input_line for one in tasks]
        config.hydra.overrides.hydra = [one.input_line for one in parsed if one.is_hydra_override()]
        told = job.config.override_dirname
        job.override_dirname = get_overrides_dirname(
            overrides=tasks, kv_sep=told.kv_sep, item_sep=told.item_sep, exclude_keys=told.exclude_keys
        )
        return config

    def _base(self, config_name: str | None, overrides: list[str]) -> DictConfig | None:
        """The config with these overrides alone; None if it depends on files elsewhere, or on the process's variables at this moment."""
        sources = tuple((source.provider, source.scheme(), source.path) for source in self.get_sources())
        key = sources, os.getcwd(), config_name, tuple(overrides)
        base = self.bases.pop(key, None)
        if base is None or any(not file.is_unchanged() for file in base.files):
            with noted_files() as files:
                config = super().load_configuration(config_name, overrides, run_mode=RunMode.RUN)
            base = Base(config, frozenset(files))
        self.bases[key] = base
        while len(self.bases) > MOST_BASES:
            self.bases.popitem(last=False)
        return None if base.config.hydra.job.env_copy or base.config.hydra.searchpath else copy.deepcopy(base.config)


_of_block: ContextVar[Bases | None] = ContextVar("_of_block", default=None)


@contextmanager
def composed_once(bases: Bases | None = None) -> Iterator[None]:
    """Within the block, `once` gives a loader that composes no config of a single run again, apart from single values.

    Parameters
    ----------
    bases: what is composed is kept there, and not longer than it is useful: later, other components or files may be there.
    """
    token = _of_block.set(OrderedDict() if bases is None else bases)
    try:
        yield
    finally:
        _of_block.reset(token)


def once(loader: ConfigLoader) -> ConfigLoader:
    """A loader of recframe's own configs as `composed_once` promises it; `loader` itself outside such a block."""
    bases = _of_block.get()
    return loader if bases is None else SharedComposition.of(loader, bases)


def _is_value(override: Override, repository: IConfigRepository) -> bool:
    """Whether an override is set in the composed config, and does not say what is composed. Most of Hydra's own settings may."""
    if override.is_hydra_override():
        return OF_ONE_RUN.fullmatch(override.key_or_group) is not None
    return isinstance(override.value(), dict) or not repository.group_exists(override.key_or_group)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Override:
    parsed: list[Override] = OverridesParser.create().parse_overrides([text])
    return parsed[0]
