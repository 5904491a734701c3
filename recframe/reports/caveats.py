"""The caveats of many runs, each once, with the number of runs that have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from recframe.reports.runs import SweepRun


def counted_caveats(runs: Sequence[SweepRun]) -> dict[str, str]:
    """What the results of the runs say above their tables, in the order of the runs, and of how many it is true: "" of a single run."""
    counts = Counter(caveat for run in runs for caveat in dict.fromkeys(_caveats(run)))
    return {caveat: "" if len(runs) == 1 else f"{count} of {len(runs)} runs" for caveat, count in counts.items()}


def noted(caveat: str, count: str) -> str:
    """A caveat of `counted_caveats` as a line."""
    return f"Note ({count}): {caveat}" if count else f"Note: {caveat}"


def _caveats(run: SweepRun) -> list[str]:
    found = run.result.get("caveats")
    # a damaged result must not cost the report on the others
    return [str(one) for one in found] if isinstance(found, list) else []
