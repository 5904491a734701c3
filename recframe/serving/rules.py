"""Rules of a slate: items that must be on it, and how many of a group may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from recframe.plugin_loader import closest
from recframe.serving.groups import AttributeGroups, Groups
from recframe.serving.query_error import QueryError


class Limit(NamedTuple):
    """At most `most` items of any one of the `groups`."""

    groups: Groups
    most: int


class Rules(NamedTuple):
    """must_include: different item numbers.   limits: one for each column."""

    must_include: tuple[int, ...] = ()
    limits: tuple[Limit, ...] = ()


NO_RULES = Rules()


def read_rules(
    must_include: Sequence[int], at_most: Any, k: int, ids: Sequence[str], candidates: Sequence[int] | None, groups: AttributeGroups
) -> Rules:
    """The rules of a question, which can be kept together.

    must_include, candidates: different item numbers.   at_most: by column, as the question has it.

    Raises
    ------
    QueryError: a column is not there, a number is not one, or they contradict each other.
    """
    if not isinstance(at_most, Mapping):
        wrong = type(at_most).__name__
        raise QueryError(f"at_most: a column of the items' attributes and a number is right, as in {{'genre': 2}}, not a {wrong}")
    limits = tuple(_limit(column, most, groups) for column, most in at_most.items())
    if len(must_include) > k:
        raise QueryError(f"must_include: {len(must_include)} items do not fit on a slate of k = {k}")
    if candidates is not None and (outside := set(must_include).difference(candidates)):
        raise QueryError(f"must_include: item {ids[min(outside)]!r} is none of the candidates; add it to them, or leave it out")
    for column, limit in zip(at_most, limits, strict=True):
        counts = Counter(group for item in must_include for group in limit.groups.of(item))
        if counts and (largest := counts.most_common(1)[0])[1] > limit.most:
            value = limit.groups.values[largest[0]]
            raise QueryError(f"must_include: {largest[1]} of its items have {column} = {value!r}, but at_most allows {limit.most}")
    return Rules(tuple(must_include), limits)


def _limit(column: Any, most: Any, groups: AttributeGroups) -> Limit:
    if column not in groups.columns:
        meant = closest(str(column), groups.columns)
        remedy = f"did you mean {meant!r}?" if meant else f"they have: {', '.join(groups.columns)}"
        raise QueryError(f"at_most: the items have no attribute {column!r}; {remedy}")
    if isinstance(most, bool) or not hasattr(most, "__index__") or most < 1:
        raise QueryError(f"at_most: {column} = {most!r} is not allowed; it must be a whole number >= 1")
    return Limit(groups[column], most.__index__())
