"""A trial that a process makes once: the jobs of a sweep often differ in nothing that a trial looks at."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.trial.components import try_components

UNSEEN = ("seed", "name", "logger")
"""Settings of a run that a trial does not read: it draws by seeds of its own, and logs nothing."""

_passed: set[str] = set()


def try_once(cfg: DictConfig) -> None:
    """`try_components`, unless a config that is the same but for `UNSEEN` has passed it in this process.

    Raises
    ------
    ComponentFailure, ConfigError: see `try_components`.
    """
    values: Any = OmegaConf.to_container(cfg, resolve=True)
    seen = {key: value for key, value in values.items() if key not in UNSEEN}
    key = hashlib.sha256(json.dumps(seen, sort_keys=True, default=str).encode()).hexdigest()
    if key not in _passed:
        try_components(cfg)
        _passed.add(key)
