"""Checks of what a config needs from the machine, without heavy imports: a device, and folders that can be written."""

from __future__ import annotations

import ctypes.util
import os
import re
import sys
from pathlib import Path

from recframe.plugin_loader import suggestion

DEVICE = re.compile(r"cpu|auto|cuda(:\d+)?")
ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://")
DRIVER = Path("/proc/driver/nvidia")
# device files of NVIDIA, Jetson, Windows inside WSL, and AMD, whose GPUs torch calls cuda, too
CUDA_TRACES = ("nvidia*", "nvhost*", "nvmap", "dxg", "kfd")


def device_problem(device: str) -> str:
    """The problem of the setting `device`, or ''. Whether a GPU is really there is checked when the run starts."""
    if not DEVICE.fullmatch(device):
        return f"device: {device!r} is not a device{suggestion(device, ['cpu', 'auto', 'cuda', 'cuda:0'])}, cuda:1 ..."
    if device.startswith("cuda") and surely_without_cuda():
        return f"device: {device!r} was not found: this machine has no CUDA device; use cpu or auto"
    return ""


def surely_without_cuda(devices: Path = Path("/dev")) -> bool:
    """Whether this machine shows no sign of a GPU: no device file, no driver, no driver library. Only Linux can be sure."""
    if not sys.platform.startswith("linux") or DRIVER.exists():
        return False
    return not any(any(devices.glob(trace)) for trace in CUDA_TRACES) and ctypes.util.find_library("cuda") is None


def folder_problem(key: str, folder: str, written: bool = True) -> str:
    """Why the folder that `key` names cannot be made or written, or ''. The part after an unresolved interpolation is not checked.

    written: whether it must be; one that is only a store may be read-only, or not be there.
    """
    if not folder.strip():
        return f"{key}: it is empty; name a folder"
    if ADDRESS.match(folder):
        # a folder of that name would be made where the command is called
        return f"{key}: {folder!r} is an address; name a folder of this machine"
    known, unresolved, _ = folder.partition("${")
    # "runs/a${x}" is known as far as "runs"
    path = Path(os.path.dirname(known) if unresolved else known).expanduser().absolute()
    try:
        existing = next(parent for parent in [path, *path.parents] if parent.exists())
    except OSError as error:  # the name is too long, or a folder above may not be entered
        return f"{key}: {folder!r} cannot be made ({error.strerror}); choose another folder"
    if not existing.is_dir():
        return f"{key}: {folder!r} cannot be a folder: {str(existing)!r} is a file"
    if written and not os.access(existing, os.W_OK | os.X_OK):
        return f"{key}: {folder!r} cannot be written: {str(existing)!r} is not writable; choose a folder that is"
    return ""
