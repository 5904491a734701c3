"""The config of a job, as a sweeper or a launcher needs to know it before the job starts."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf


def composed_job(loader: ConfigLoader, config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The config of a job with these overrides of a sweep with this config, without Hydra's section."""
    job = loader.load_sweep_config(config, list(overrides))
    return OmegaConf.masked_copy(job, [str(key) for key in job if key != "hydra"])
