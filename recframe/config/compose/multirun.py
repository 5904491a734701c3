"""The arguments of Hydra's sweeper, changed so that a sweep over choices can set keys that only some of the choices have."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser

CHOOSE_ANYWHERE = {"experiment", "study", "debug"}
"""Groups whose choices may change every section."""


def left_to_jobs(arguments: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The command line of a sweep in which a value becomes a choice of one, if it is set in a section whose choice is swept.

    Before the jobs, Hydra composes a config of the overrides that are not swept. It stops at a key that only the swept choices have, as in
    `agent=ppo,reinforce agent.greedy_evaluation=false`. It leaves choices to the jobs.

    Parameters
    ----------
    arguments: the command line with its options.     overrides: the overrides among them, all well-formed.
    """
    parsed = dict(zip(overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True))
    # a group comes as group=..., or as group@package=...
    swept = {(one.package or one.key_or_group) for one in parsed.values() if one.is_sweep_override() and "." not in one.key_or_group}
    left = []
    for text in arguments:
        override, (key, _, value) = parsed.get(text), text.partition("=")
        plain = override is not None and not (override.is_sweep_override() or override.is_hydra_override() or key.startswith(("+", "~")))
        decided = "." in key and bool(swept & {key.partition(".")[0], *CHOOSE_ANYWHERE})
        left.append(f"{key}=choice({value})" if plain and decided and value else text)
    return left
