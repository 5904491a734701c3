"""A warning of runs of which each fits into the memory of its machine, but not all that run there at a time."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.config import chosen_components
from recframe.config.checks.memory import Machine, memory_warning
from recframe.config.compose.file_settings import COMPOSITION_ERRORS
from recframe.config.problems import ConfigError

LOOKED_AT = 8
"""The largest number of jobs whose memory is estimated: composing takes its time."""

Compose = Callable[[Sequence[str]], DictConfig]
"""From the overrides of a job to its config, without Hydra's section."""

log = logging.getLogger(__name__)


def warn_of_memory(jobs: Sequence[tuple[str, Sequence[str]]], compose: Compose, together: int, machine: Machine | None = None) -> bool:
    """Say it in one line about the first of a few jobs of which `together` may not fit; returns whether it was said.

    Jobs that differ in their seed only are alike.

    Parameters
    ----------
    jobs: what each is called, and its overrides.
    together: how many run on a machine at a time.   machine: None: this one.
    """
    if together < 2 or not jobs:
        return False
    kinds: dict[frozenset[str], tuple[str, Sequence[str]]] = {}
    for name, overrides in jobs:
        kinds.setdefault(frozenset(text for text in overrides if not text.startswith("seed=")), (name, overrides))
    for name, overrides in list(kinds.values())[:: math.ceil(len(kinds) / LOOKED_AT)]:
        try:
            cfg = compose(overrides)
            if "environment" not in cfg:
                # of another command than `train`, whose memory is not estimated
                return False
            values: Any = OmegaConf.to_container(cfg, resolve=True)
            warning = memory_warning(values, chosen_components(cfg), side_by_side=together, machine=machine)
        except (*COMPOSITION_ERRORS, ConfigError):
            # a job of before, whose files are gone, or a mistake: it fails by itself
            continue
        if warning:
            log.warning("%s: %s", name, warning)
            return True
    return False
