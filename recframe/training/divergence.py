"""What may help where training diverged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from recframe.interfaces import Agent


def steps_advice(agent: Agent, gradient_clip: float | None) -> str:
    """What may help where an agent's optimizer steps were too large; no advice for an agent without optimizers."""
    if not agent.optimizers():
        return ""
    config = getattr(agent, "config", None)
    fields = [f.name for f in dataclasses.fields(config) if f.name.endswith("learning_rate")] if dataclasses.is_dataclass(config) else []
    rates = [f"agent.{name}" for name in fields if getattr(config, name) is not None] or ["learning rate"]
    clip = "set trainer.gradient_clip" if gradient_clip is None else "a smaller trainer.gradient_clip"
    return f"Try a smaller {' or '.join(rates)}, or {clip}"


def earlier_checkpoint(path: Path) -> str:
    """The sentence about the checkpoint from before the divergence, if there is one."""
    return f"The last checkpoint, {path}, is from before" if path.is_file() else "No checkpoint was written before"
