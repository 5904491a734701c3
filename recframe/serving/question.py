"""A question to a policy: who asks, and what may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Entry = str | int | tuple[str | int, Mapping[str, float]]
"""An item of a history: its id, which means that it was clicked, or its id with the value of each signal."""


@dataclass(frozen=True)
class Question:
    """What a policy is asked. All of it is optional.

    Parameters
    ----------
    history: ids of the items that the person met, oldest first; an id means that it was clicked. `("17", {"rating": 4.0})` gives what the
        person did with it by the run's signals, of which those that are left out are 0.
    user: the id of a user of the run's data, for a policy that reads users.
    profile: a text about a person who is not in the data, for a policy that reads profiles. Without it, and without `user`, such a policy
        takes the mean of the profiles that it knows.
    context: what the person says, for a policy that reads it; None: the mean of what it knows.
    k: the number of items.
    candidates: ids of the items that may be recommended; None: all.
    exclude: ids of items that may not be; None: those of the history, if the run excludes them, and else none.
    must_include: ids of items that are on the slate in any case, even if they are of the history: at the places that the policy gives
        them, but at the end if these are further down, or if the policy does not rank them.
    at_most: by a column of the items' attributes, how many items may be on the slate that have the same value in it. Where values are
        lists, none of an item's values may be there more often; items without a value are not limited.
    """

    history: Sequence[Entry] = ()
    user: str | int | None = None
    profile: str | None = None
    context: str | None = None
    k: int = 10
    candidates: Sequence[str | int] | None = None
    exclude: Sequence[str | int] | None = None
    must_include: Sequence[str | int] = ()
    at_most: Mapping[str, int] = field(default_factory=dict)
