"""A broken plugin: its source, when its fault is noticed, and by what message."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

HEAD = """
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from recframe.components import Component, option
from recframe.hookspecs import hookimpl
from recframe.interfaces import *
from recframe.testing import toy_data, toy_spec
from tests.broken_plugins.sound import *
"""
REGISTER = """
@hookimpl
def recframe_register_components(register):
    register(Component("{kind}", "broken_{kind}", {config}, "broken:{factory}", provides={provides}, requires={requires}))
"""
CONFIGS = {"state_tracker": "TrackerConfig", "environment": "WorldConfig"}
SOUND = {
    "dataset": "SoundDataset",
    "encoder": "SoundEncoder",
    "state_tracker": "SoundTracker",
    "agent": "SoundAgent",
    "environment": "SoundWorld",
    "reward": "SoundReward",
}
PROVIDES = {"environment": {"actions:items", "signal:click", "signal:rating", "truth"}}
REQUIRES = {"reward": {"signal:click"}}
CHOSEN = {kind: f"{kind}=broken_{kind}" for kind in SOUND} | {"reward": "reward=[click,broken_reward]"}
"""The override that chooses a broken component in a run."""


@dataclass(frozen=True)
class Case:
    """A broken plugin.

    what: what is broken, in a few words.   when: in which step it is noticed: when plugins are loaded, by `check_component`, or in a run.
    source: of its module `broken`.   message: a regular expression for the message.   files: the other files of its distribution.
    entry: what its entry point names, if not its module.   needs: its `Requires-Dist`.   beside: the sources of plugins installed with it.
    overrides: of the run.
    """

    what: str
    when: Literal["load", "check", "run"]
    source: str
    message: str
    files: Mapping[str, str] = field(default_factory=dict)
    entry: str = "broken"
    needs: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()


def text(source: str) -> str:
    return textwrap.dedent(source).strip("\n") + "\n"


def plugin(
    kind: str,
    body: str = "",
    *,
    config: str = "",
    provides: set[str] | None = None,
    requires: set[str] | None = None,
    factory: str | None = None,
) -> str:
    """The source of a plugin with one component: `body` defines the class `Broken`, or methods that differ from those of the sound one.

    config: the definition of its class `Settings`; by default it has the sound one's.
    """
    body, config = text(body), text(config)
    if body.strip() and not any(line.startswith(("class Broken", "def Broken", "Broken =")) for line in body.splitlines()):
        body = f"class Broken({SOUND[kind]}):\n{textwrap.indent(body, '    ')}"
    settings = "Settings" if config.strip() else CONFIGS.get(kind, "Config")
    default = SOUND[kind] if not body.strip() else "Broken"
    if not body.strip():
        body = f"Broken = {default}\n"
    registration = REGISTER.format(
        kind=kind,
        config=settings,
        factory=factory or "Broken",
        provides=provides if provides is not None else PROVIDES.get(kind, set()),
        requires=requires if requires is not None else REQUIRES.get(kind, set()),
    )
    return f"{HEAD}\n{config}\n{body}\n{registration}"
