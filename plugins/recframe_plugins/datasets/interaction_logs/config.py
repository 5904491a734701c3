"""Options that the datasets of logs share. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option

ROLES = ("user", "item", "time", "session", "text", "position", "propensity")
"""What columns of a log can be."""

# the columns of `Interactions.frame` that are not feedback
RESERVED = frozenset({"user", "item", "timestamp", "session", "text", "position", "propensity"})
TIME_UNITS = ("auto", "s", "ms", "us", "ns", "iso")


@dataclass
class TextFilesConfig:
    """How text files are decoded, and what becomes of rows that cannot be used."""

    encoding: str = option(
        "auto",
        "encoding of the files, unless they begin with a byte order mark (UTF-8, UTF-16); auto: UTF-8, or latin-1 if most lines with "
        "non-ASCII characters are not UTF-8. latin-1 includes the quotes, dashes and euro sign of cp1252",
        choices=["auto", "utf-8", "latin-1"],
    )
    malformed: str = option("error", "stop at malformed rows, or skip them and log their number", choices=["error", "skip"])


@dataclass
class SeparatorConfig:
    """What is between the fields of text files."""

    separator: str = option(
        "auto", "what is between the fields of text files: a character, '::', tab or blank; auto: found from the first lines"
    )

    def contradictions(self) -> Iterator[str]:
        """A separator is needed, and a quote cannot be one."""
        if self.separator in ("", '"') or "\n" in self.separator:
            yield f"dataset.separator={self.separator!r} cannot be between fields; use a character, '::', tab, blank or auto"


@dataclass
class LogColumnsConfig:
    """Which columns of a log mean what."""

    columns: dict[str, str] = option(
        {},
        "columns by role: user, item, time, session, text, position (place in the slate), propensity (probability of being shown); others "
        "are found by common names, and the log says so (+dataset.columns.user=COLUMN). Without a header, columns are numbers from 1",
    )
    feedback: dict[str, str] = option(
        {},
        "columns by name of the signal (+dataset.feedback.rating=stars); column:value is 1 where the column has the value and 0 elsewhere. "
        "Empty: all columns of numbers that are named like feedback, or none (an implicit log)",
    )
    time_unit: str = option("auto", "unit of the times since 1970, or iso: dates; auto: found from the values", choices=TIME_UNITS)
    repeats: str = option(
        "keep", "several interactions of a user with an item: keep all, or only the last one in time", choices=["keep", "last"]
    )

    def contradictions(self) -> Iterator[str]:
        """Roles are known, and a signal is not named like another column."""
        for role in self.columns:
            if role not in ROLES:
                yield f"dataset.columns.{role}: unknown role; expected {', '.join(ROLES)} (feedback goes to dataset.feedback)"
        for name in self.feedback:
            if name in RESERVED or not name.isidentifier():
                yield f"dataset.feedback.{name}: cannot be the name of a signal; use another identifier, such as rating or click"


@dataclass
class ItemTableConfig:
    """A table of items."""

    items: str | None = option(
        None, "table of items, in the same formats; null: the items are those of the log, and their titles are their ids", exists=True
    )
    item_columns: dict[str, str] = option(
        {}, "columns of items by role: id, title; others are found by common names, and all remaining columns become attributes"
    )
    text_template: str = option(
        "{title}", "text of an item for the encoder, from {title} and the other columns of items; missing attributes are left out"
    )

    def contradictions(self) -> Iterator[str]:
        """Roles are known, and there is a table for what refers to it."""
        for role in self.item_columns:
            if role not in ("id", "title"):
                yield f"dataset.item_columns.{role}: unknown role; expected id, title (all other columns become attributes)"
        if self.items is None and self.item_columns:
            yield "dataset.item_columns is given, but dataset.items is null; give the table of items"


@dataclass
class UserTableConfig:
    """A table of users."""

    users: str | None = option(None, "table of users, in the same formats; null: the users are those of the log", exists=True)
    user_columns: dict[str, str] = option(
        {}, "columns of users by role: id; if it is not given, it is found by common names. All remaining columns become attributes"
    )
    profile_template: str | None = option(
        None, "text about a user for the encoder, from the columns of users, as in text_template; null: users have no text"
    )

    def contradictions(self) -> Iterator[str]:
        """Roles are known, and there is a table for what refers to it."""
        for role in self.user_columns:
            if role != "id":
                yield f"dataset.user_columns.{role}: unknown role; expected id (all other columns become attributes)"
        if self.users is None:
            for name in ("user_columns", "profile_template"):
                if getattr(self, name):
                    yield f"dataset.{name} is given, but dataset.users is null; give the table of users"
