"""Why estimates of policies should not be believed, as sentences: one for each reason, with all policies that it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Doubt(NamedTuple):
    """A reason why the estimate of a policy should not be believed.

    policy: its name.   reason: the rest of the sentence, in the same words for each policy.   figure: what was found for this one, if any.
    """

    policy: str
    reason: str
    figure: str = ""


def doubts_in_words(doubts: Iterable[Doubt]) -> list[str]:
    """A sentence for each reason, in the order in which they come first: `popular (23), ease (41): REASON`."""
    policies: dict[str, list[str]] = {}
    for doubt in doubts:
        policies.setdefault(doubt.reason, []).append(f"{doubt.policy} ({doubt.figure})" if doubt.figure else doubt.policy)
    return [f"{', '.join(names)}: {reason}" for reason, names in policies.items()]
