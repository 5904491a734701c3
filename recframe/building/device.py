"""The device of a run."""

from __future__ import annotations

import torch

from recframe.config import ConfigError


def choose_device(name: str, use_cpu: str = "") -> torch.device:
    """The device that the setting `device` names. `use_cpu` is the command that uses the CPU instead, for the error of an existing run.

    Raises
    ------
    ConfigError: if this machine does not have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError([f"device: {name!r} is not a device; use cpu, cuda, cuda:0 or auto"]) from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise ConfigError(
            [f"device: {name!r} was not found: this machine has {found} CUDA devices; use cpu or auto{f': {use_cpu}' * bool(use_cpu)}"]
        )
    return device
