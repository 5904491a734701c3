"""The configs of the jobs of a sweep: what they have in common is composed once a process.

Hydra composes each job's config anew, 0.1 to 0.2 s of the processor: it makes the list of defaults, reads the files and merges them. Jobs
mostly differ in single values, such as the seed, which are set after that.
"""

from __future__ import annotations

import copy
import os
import re
from collections import OrderedDict
from functools import lru_cache
from typing import Any, NamedTuple

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from recframe.config.compose.sources import FileState, noted_files

OF_ONE_JOB = re.compile(r"hydra\.(sweep\.subdir|sweeper\.trial|job\.env_set\.\w+)")
"""Hydra's own settings that a sweep gives to each of its jobs, and that say nothing of what is composed."""
MOST_BASES = 8
"""How many choices of files a process keeps the composed configs of."""


class Base(NamedTuple):
    """A composed config without single values, and the files that it was read from, as they were."""

    config: DictConfig
    files: frozenset[FileState]


_bases: OrderedDict[tuple[Any, ...], Base] = OrderedDict()


class SharedComposition(ConfigLoaderImpl):
    """Hydra's loader of configs, which sets the values of a sweep's job in what was composed for an earlier job of the process."""

    @classmethod
    def of(cls, loader: ConfigLoader) -> ConfigLoader:
        """A loader of the same configs as `loader`; `loader` itself if it is not Hydra's own."""
        if type(loader) is not ConfigLoaderImpl:
            return loader
        shared = cls.__new__(cls)
        vars(shared).update(vars(loader))
        return shared

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The config of a job, the same as Hydra's own. A changed file is read again.

        Raises
        ------
        hydra.errors.HydraException, ConfigError: as Hydra's own.
        """
        parsed = [_parsed(text) for text in sweep_overrides]
        # `self.repository` does not know the files of a search path
        elsewhere = master_config.hydra.searchpath or any(one.key_or_group == "hydra.searchpath" for one in parsed)
        if elsewhere or any(one.is_sweep_override() for one in parsed):
            return super().load_sweep_config(master_config, sweep_overrides)
        values = [one for one in parsed if _is_value(one, self.repository)]
        config = self._base(master_config, [text for text, one in zip(sweep_overrides, parsed, strict=True) if one not in values])
        if config is None:
            return super().load_sweep_config(master_config, sweep_overrides)
        # in this order, as Hydra does it
        self._apply_overrides_to_config(values, config)
        tasks = [one for one in parsed if not one.is_hydra_override()]
        job = config.hydra.job
        config.hydra.overrides.task = [one.input_line for one in tasks]
        config.hydra.overrides.hydra = [*_own(master_config), *(one.input_line for one in parsed if one.is_hydra_override())]
        told = job.config.override_dirname
        job.override_dirname = get_overrides_dirname(
            overrides=tasks, kv_sep=told.kv_sep, item_sep=told.item_sep, exclude_keys=told.exclude_keys
        )
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    def _base(self, master: DictConfig, overrides: list[str]) -> DictConfig | None:
        """The config of a job with these overrides alone; None if it depends on the process's variables at this moment."""
        sources = tuple((source.provider, source.scheme(), source.path) for source in self.get_sources())
        key = sources, os.getcwd(), master.hydra.job.config_name, tuple(_own(master)), tuple(overrides)
        base = _bases.pop(key, None)
        if base is None or any(not file.is_unchanged() for file in base.files):
            with noted_files() as files:
                config = super().load_sweep_config(master, overrides)
            base = Base(config, frozenset(files))
        _bases[key] = base
        while len(_bases) > MOST_BASES:
            _bases.popitem(last=False)
        return None if base.config.hydra.job.env_copy else copy.deepcopy(base.config)


def _own(master: DictConfig) -> list[str]:
    """Hydra's settings that were typed for the whole sweep, as they were typed: `${...}` in them is of each job."""
    own: Any = OmegaConf.to_container(master.hydra.overrides.hydra, resolve=False)
    return list(own)


def _is_value(override: Override, repository: IConfigRepository) -> bool:
    """Whether an override is set in the composed config, and does not say what is composed. Most of Hydra's own settings may."""
    if override.is_hydra_override():
        return OF_ONE_JOB.fullmatch(override.key_or_group) is not None
    return isinstance(override.value(), dict) or not repository.group_exists(override.key_or_group)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Override:
    parsed: list[Override] = OverridesParser.create().parse_overrides([text])
    return parsed[0]
