"""The config of an existing run, checked on this machine."""

from __future__ import annotations

from omegaconf import DictConfig

from recframe.config import ConfigError, validate
from recframe.tracking.folder import RunFolder


def recorded_config(folder: RunFolder, device: str | None, use_cpu: str) -> DictConfig:
    """The config that a run was started with.

    Parameters
    ----------
    device: used in place of the recorded one; None: the recorded one.     use_cpu: the command that uses the CPU, for the error.

    Raises
    ------
    ConfigError: if it cannot run here; each problem with the file, and one of the device with `use_cpu`.
    """
    cfg = folder.read_config()
    if device is not None:
        cfg.device = device
    try:
        return validate(cfg)
    except ConfigError as error:
        lines = [f"{line}: {use_cpu}" if line.startswith("device:") else f"{folder.config_path}: {line}" for line in error.problems]
        raise ConfigError(lines) from None
