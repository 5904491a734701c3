"""The public data sets that `recframe data` knows: a module for each kind of publisher.

Every address, size and checksum here is one that its publisher gives, or that the named source gives. Where none is known it says None.
"""

from __future__ import annotations

from recframe.errors import UserError
from recframe.public_data.public_set import PublicSet
from recframe.public_data.sets.bandits import BANDITS
from recframe.public_data.sets.movies import MOVIES
from recframe.public_data.sets.shops import SHOPS
from recframe.public_data.sets.videos import VIDEOS


def public_sets() -> dict[str, PublicSet]:
    """All sets by name, in the order in which they are listed."""
    return {one.name: one for one in (*MOVIES, *VIDEOS, *SHOPS, *BANDITS)}


def find_set(name: str, part: str | None = None) -> PublicSet:
    """The set of a name, which may have "_" for "-", as its preset does; of its `part`, if it has parts.

    Raises
    ------
    UserError: naming the sets, or the parts, if there is none of that name.
    """
    import difflib

    sets = public_sets()
    found = sets.get(name.lower().replace("_", "-"))
    if found is None:
        close = difflib.get_close_matches(name.lower().replace("_", "-"), sets, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise UserError(f"there is no public data set {name!r}.{meant} There are: {', '.join(sets)}")
    if found.part is None:
        if part is not None:
            raise UserError(f"{found.name} has no parts: leave out --part")
        return found
    chosen = found.part.usual if part is None else part
    if chosen not in found.part.choices:
        close = difflib.get_close_matches(chosen, found.part.choices, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise UserError(f"--part {chosen!r}: {found.name} has no such {found.part.word}.{meant} There are: {', '.join(found.part.choices)}")
    return found.of_part(chosen)
