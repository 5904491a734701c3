"""The config of an existing run, checked on this machine."""

from __future__ import annotations

from omegaconf import DictConfig

from recframe.config import ConfigError, validate
from recframe.tracking.folder import RunFolder
from recframe.tracking.provenance import missing_plugin


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
        lines = [f"{line}: {use_cpu}" if line.startswith("device:") else _with_origin(folder, line) for line in error.problems]
        raise ConfigError(lines) from None


def _with_origin(folder: RunFolder, problem: str) -> str:
    """The problem with the file, and, where the run's component is missing or another version, with the plugin that it came from."""
    origin = missing_plugin(folder.path, problem.partition(":")[0])
    return f"{folder.config_path}: {problem}{f'. {origin}' if origin else ''}"
