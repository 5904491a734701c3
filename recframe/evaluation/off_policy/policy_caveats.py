"""Why estimates of policies should not be believed, as sentences: one for each reason, with all policies that it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class PolicyCaveat(NamedTuple):
    """A reason why the estimate of a policy should not be believed.

    policy: its name.   reason: the rest of the sentence, in the same words for each policy.   figure: what was found for this one, if any.
    """

    policy: str
    reason: str
    figure: str = ""


def caveats_in_words(caveats: Iterable[PolicyCaveat]) -> list[str]:
    """A sentence for each reason, in the order in which they come first: `popular (23), ease (41): REASON`."""
    policies: dict[str, list[str]] = {}
    for caveat in caveats:
        policies.setdefault(caveat.reason, []).append(f"{caveat.policy} ({caveat.figure})" if caveat.figure else caveat.policy)
    return [f"{', '.join(names)}: {reason}" for reason, names in policies.items()]
