"""The store of results that runs share (`recframe.computed`), and what identifies a run's world in it."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

import recframe
from recframe.building.code import package_sha256
from recframe.building.component import component_of
from recframe.building.fingerprints import data_content
from recframe.building.texts import cache_folder
from recframe.components import Kind
from recframe.computed import ComputedStore
from recframe.files import file_sha256
from recframe.interfaces import Data
from recframe.plugin_loader import OWN_DISTRIBUTION, registry

LIBRARIES = ("numpy", "polars", "scipy", "tensordict", "torch")
"""The libraries whose version may change a result."""


def shared_results(cfg: DictConfig, device: torch.device) -> ComputedStore | None:
    """The store of the run, in the folder of `embeddings.cache`; None if it shares no results.

    A world takes part if recframe's own environment and rewards make it. Of others it is not known what they depend on.
    """
    folder = cache_folder(cfg)
    if not cfg.reuse or folder is None:
        return None
    environment = component_of(Kind.ENVIRONMENT, cfg.environment)
    components = [environment, *(component_of(Kind.REWARD, section) for section in cfg.reward.values())]
    own = all(registry().registered(component).distribution == OWN_DISTRIBUTION for component in components)
    # an environment with items of its own is somebody else's program in a wrapper
    if not own or "catalog" in environment.provides:
        return None
    return ComputedStore(folder / "computed", _identity(environment.factory.partition(".")[0], device))


def agent_results(cfg: DictConfig, device: torch.device) -> AbstractContextManager[None]:
    """A block in which the run's agent finds what was computed before from the same texts and vectors, such as item codes.

    In any world: what an agent is built from is in its keys. An agent of others finds nothing, as their code is not part of the identity.
    """
    folder = cache_folder(cfg)
    agent = component_of(Kind.AGENT, cfg.agent)
    if not cfg.reuse or folder is None or registry().registered(agent).distribution != OWN_DISTRIBUTION:
        return nullcontext()
    return ComputedStore(folder / "computed", _identity(agent.factory.partition(".")[0], device)).active()


def world_of(cfg: DictConfig, data: Data) -> dict[str, Any]:
    """What determines how people respond, and what they are shown: the sections of the config, the content of the data and of files."""
    sections = {key: OmegaConf.to_container(cfg[key], resolve=True) for key in ("environment", "reward", "cold_items")}
    return {
        **sections,
        "data": data_content(data),
        "files": {path: file_sha256(Path(path)) for path in _texts_in(sections) if _is_file(path)},
        "history_length": cfg.state_tracker.history_length,
    }


def _identity(plugins: str, device: torch.device) -> dict[str, Any]:
    """What determines the numbers of all results: the code, the libraries, and what of the machine changes last digits."""
    return {
        "code": [recframe.__version__, package_sha256("recframe"), package_sha256(plugins)],
        "libraries": dict(_versions()),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": [platform.machine(), _processor(), torch.backends.cpu.get_cpu_capability()],
        "threads": torch.get_num_threads(),
    }


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    # reading them takes milliseconds each, and a run asks several times
    return tuple((name, version(name)) for name in LIBRARIES)


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def _texts_in(value: Any) -> list[str]:
    """All texts in nested containers."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts_in(one)]


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False
