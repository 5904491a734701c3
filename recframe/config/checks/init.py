"""The rules for `init`: the policy that a run starts from is one that its agent, state tracker and encoder can go on from."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recframe.components import Component
from recframe.config.app import Composed
from recframe.config.checks.stages import learns_at_once
from recframe.config.contents import use_contents
from recframe.config.policy_folder import PolicyFolder
from recframe.config.problems import ConfigError


def init_problems(composed: Composed) -> list[str]:
    """What of `init` is certain before any data is loaded. A run that is evaluated again does not need the folder."""
    if composed.values["init"] is None:
        return []
    try:
        found = PolicyFolder.read(Path(composed.values["init"]))
    except ConfigError as error:
        return error.problems
    return [f"init={found.path}: {line}" for line in _mismatches(found, composed)]


def _mismatches(found: PolicyFolder, composed: Composed) -> Iterator[str]:
    values, chosen = composed.values, composed.components
    for kind in ("agent", "state_tracker"):
        there, here = found.sections[kind].get("name"), chosen[kind].name if kind in chosen else None
        if there != here:
            yield f"its {kind} is {there}, that of this run {here}; use {kind}={there}"
    if learns_at_once(chosen):
        yield f"{composed.called('agent')} learns from the whole log at once, so that nothing of earlier weights would stay; leave init out"
    if "encoder" in chosen:
        yield from _encoder_mismatches(found.sections["encoder"], values["encoder"], chosen["encoder"])
    if values["encoder"].get("tuning", "frozen") != "frozen" or "tuned" in found.new_texts:
        yield "language models that are tuned cannot be gone on with; use a policy with a frozen encoder, and encoder.tuning=frozen"
    if values["embeddings"]["shuffle"] or found.shuffled or "shuffled" in found.new_texts:
        yield "shuffled text vectors (embeddings.shuffle) are not those of another run; use a policy that has learned without"


def _encoder_mismatches(there: Mapping[str, Any], here: Mapping[str, Any], component: Component) -> Iterator[str]:
    """Where two sections of the encoder differ: the vectors that the policy has learned to read would be others."""
    if there.get("name") != here.get("name"):
        yield f"its encoder is {there.get('name')}, that of this run {here.get('name')}; use encoder={there.get('name')}"
        return
    sides = [copy.deepcopy(dict(side)) for side in (there, here)]
    for side in sides:
        use_contents(side, component.config)
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        pair = [side.get(key) for side in sides]
        if pair[0] != pair[1] and not any(isinstance(value, str) and "${" in value for value in pair):
            yield f"its encoder.{key} is {there.get(key)}, that of this run {here.get(key)}; use encoder.{key}={there.get(key)}"
