"""The memory that a run needs, once its data is read and before texts are encoded and anything of its size is allocated."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.config import ConfigError, chosen_components
from recframe.config.checks.memory import declared_sizes, memory_problems, memory_warning
from recframe.interfaces import Data

log = logging.getLogger(__name__)


def require_memory(cfg: DictConfig, data: Data) -> None:
    """Refuse a run that cannot fit into the memory of this machine, and warn of one that may not.

    Raises
    ------
    ConfigError: with what needs how much, and the settings to lower.
    """
    values: Any = OmegaConf.to_container(cfg, resolve=True)
    chosen = chosen_components(cfg)
    texts = sum(len(of_role.texts) for of_role in data.texts.values())
    sizes = declared_sizes(values, chosen)._replace(items=len(data.catalog), texts=texts)
    if problems := memory_problems(values, chosen, sizes):
        raise ConfigError(problems)
    if warning := memory_warning(values, chosen, sizes):
        log.warning("%s", warning)
