"""Sentences about references that promise more than the table shows. Imports no torch."""

from __future__ import annotations

from recframe.evaluation.results import Evaluation
from recframe.evaluation.statistics import ratio_intervals

AS_BLIND = ("random", "popular")
"""Policies that know as little of a person as `fixed_slate`."""


def lists_worse_than_others(evaluation: Evaluation) -> list[str]:
    """A sentence for each policy of `AS_BLIND` that returned more to the people of the table than `fixed_slate`, which was searched for.

    The search knows training people only: to beat `fixed_slate` is then less than to beat all that knows nothing of a person.
    """
    if "fixed_slate" not in evaluation.policies:
        return []
    best = evaluation.policies["fixed_slate"]["return"]["mean"]
    return [_sentence(evaluation, name) for name in AS_BLIND if evaluation.policies[name]["return"]["mean"] > best]


def _sentence(evaluation: Evaluation, other: str) -> str:
    mine, theirs = (evaluation.sums[name] for name in ("fixed_slate", other))
    column = mine.names.index("return")
    # returns are means over the same sessions, so the difference is a ratio with the same denominator
    difference = theirs.numerators[:, [column]] - mine.numerators[:, [column]]
    (paired,) = ratio_intervals(difference, mine.denominators[:, [column]], seed=0)
    told_apart = "" if paired.low > 0 else ", which does not tell them apart"
    means = [evaluation.policies[name]["return"]["mean"] for name in ("fixed_slate", other)]
    return (
        f"fixed_slate is not the best in the table that needs no personalisation: it returns {means[0]:.4g}, and {other} returns "
        f"{means[1]:.4g} (95 % interval of the paired difference: {paired.low:.3g} to {paired.high:.3g}{told_apart})."
    )
