"""What Hydra's sweeper is told, so that a sweep over choices can set keys that only the chosen ones have."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser

CHOOSE_ANYWHERE = {"experiment", "debug"}
"""Groups whose choices are about every section."""


def left_to_jobs(arguments: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """A sweep's command line in which each value of a section whose choice is swept is a choice, too, of one value.

    Before its jobs, Hydra composes a config of what is not swept, and stops at a key that only the swept choices have, such as
    `agent=ppo,reinforce agent.greedy_evaluation=false`. What is a choice it leaves to the jobs.

    Parameters
    ----------
    arguments: with options.     overrides: those of them that are overrides, all well-formed.
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
