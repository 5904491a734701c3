"""Finds the columns of a table by the names that logs commonly give them."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.tables import SEQUENCES_HINT, SourceTable, columns_in_words, named_column

__all__ = ["FEEDBACK_NAMES", "ID_NAMES", "LOG_NAMES", "TITLE_NAMES", "find_columns", "signal_of"]

logger = logging.getLogger(__name__)

NAMES = {
    "user": "userid user uid useridx usernum visitorid visitor customerid customer reviewerid reviewer memberid accountid personid steamid "
    "username",
    "item": "itemid item iid itemidx itemnum parentasin asin movieid movie productid product businessid bookid videoid articleid newsid "
    "songid trackid artistid gameid appid contentid documentid docid sku isbn actionid action arm",
    "time": "timestamp time ts unixreviewtime unixtime timems datetime eventtime createdat dateadded reviewtime date",
    "session": "sessionid session visitid",
    "text": "reviewtext review text reviewbody",
    "position": "position pos slot",
    "propensity": "propensityscore propensity pscore actionprob actionprobability loggingprobability",
}
LOG_NAMES: Mapping[str, Sequence[str]] = {role: names.split() for role, names in NAMES.items()}
"""The names of columns for each role of a log, normalised, the likeliest first."""

ID_NAMES = {"item": [*LOG_NAMES["item"], "id"], "user": [*LOG_NAMES["user"], "id"]}
TITLE_NAMES = ["title", "movietitle", "itemtitle", "producttitle", "booktitle", "name", "itemname", "productname", "headline"]

# the signals of the framework, and the names that logs give them
SYNONYMS = {
    "rating": "rating ratings stars star overall score ratingscore reviewscore vote",
    "click": "click clicked clicks isclick",
    "purchase": "purchase purchased ispurchase buy bought",
    "dwell": "dwell dwelltime dwellseconds",
    "reward": "reward",
    "like": "like liked islike",
    "label": "label",
    "watch_ratio": "watchratio",
    "long_view": "longview",
    "follow": "follow isfollow",
    "forward": "forward isforward",
    "hate": "hate ishate",
    "play_count": "playcount plays listens",
    "hours": "hours hoursplayed playtime",
}
FEEDBACK_NAMES: Mapping[str, str] = {name: signal for signal, names in SYNONYMS.items() for name in names.split()}
"""Signals by the names, normalised, that columns of feedback commonly have."""


def normalised(name: str) -> str:
    """A name without case and without what is between its words."""
    return re.sub(r"[^0-9a-z]", "", name.lower())


def signal_of(column: str) -> str | None:
    """The signal that a column is named like; None if it is none."""
    return FEEDBACK_NAMES.get(normalised(column))


def find_columns(
    table: SourceTable,
    names: Mapping[str, Sequence[str]],
    given: Mapping[str, str],
    setting: str,
    *,
    required: Collection[str] = (),
    taken: Collection[str] = (),
) -> dict[str, str]:
    """The column of each role that the table has.

    Parameters
    ----------
    names: for each role, the names of columns that are taken for it, normalised.   given: columns by role, which are not looked for.
    setting: the key of `given`, for messages.   required: roles without which the table is of no use.   taken: columns that have a meaning.

    Raises
    ------
    DataError: a given column does not exist, one column is given two roles, or a required role is not found.
    """
    found = {role: named_column(table, column, f"{setting}.{role}") for role, column in given.items()}
    for role, column in found.items():
        other = next((one for one, same in found.items() if same == column and one != role), None)
        if other is not None:
            raise DataError(f"{setting}: {column!r} is given for both {role} and {other}; expected two columns")
    for role, known in names.items():
        if role in found:
            continue
        free = {normalised(name): name for name in reversed(table.columns) if name not in found.values() and name not in taken}
        fitting = [free[name] for name in known if name in free]
        if not fitting:
            continue
        found[role] = fitting[0]
        if len(fitting) > 1 and role in ("user", "item", "id"):
            logger.warning(
                "%s: the %s may be in %s; %s is taken (+%s.%s=COLUMN chooses another)",
                table.path,
                role,
                " or ".join(fitting),
                fitting[0],
                setting,
                role,
            )
    if lacking := [role for role in required if role not in found]:
        where = f"{table.path}:1" if table.unit == "line" else f"{table.path}"
        known = f"; if there is no header, number the columns, as in +{setting}.{lacking[0]}=1" if table.unit == "line" else ""
        if table.unit == "line" and {"user", "item"} <= set(lacking):
            known += SEQUENCES_HINT
        raise DataError(
            f"{where}: no column looks like the {' or the '.join(lacking)}; "
            f"the columns are {columns_in_words(table.columns)}; name it with "
            f"+{setting}.{lacking[0]}=COLUMN{known}"
        )
    return found
