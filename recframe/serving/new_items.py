"""Items that were not in the data, as a catalogue has them: read from what somebody wrote about them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from recframe.errors import UserError
from recframe.interfaces import Catalog
from recframe.plugin_loader import closest

log = logging.getLogger(__name__)

LENGTH = 8
"""Of the hash of added items in a version."""
NOT_ATTRIBUTES = ("id", "text")


class ItemsError(UserError, ValueError):
    """New items that cannot be added; each message names the item, what is wrong, and what would be right."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)

    @property
    def lines(self) -> list[str]:
        """One line for each item."""
        return self.problems


@dataclass(frozen=True)
class DescribedItems:
    """n new items.   ids, texts: as in `Catalog`.   attributes: a row for each, with the columns of the catalogue's."""

    ids: list[str]
    texts: list[str]
    attributes: pl.DataFrame

    def contents(self) -> dict[str, str]:
        """By id, a hash of all that is known of the item."""
        rows = (
            self.attributes.select(pl.struct(pl.all()).struct.json_encode()).to_series() if self.attributes.width else [""] * len(self.ids)
        )
        whole = zip(self.ids, self.texts, rows, strict=True)
        return {item: hashlib.sha256(json.dumps([item, text, row]).encode()).hexdigest() for item, text, row in whole}


def version_with(version: str, contents: Mapping[str, str]) -> str:
    """The version of a policy that has further items: its own and a hash of them, in whatever order they were added.

    contents: see `DescribedItems.contents`.
    """
    together = "".join(contents[item] for item in sorted(contents))
    return f"{version}+{hashlib.sha256(together.encode()).hexdigest()[:LENGTH]}"


def version_of_added(catalog: Catalog, added: Collection[str]) -> str:
    """What versions end in while a policy with this catalogue has these added items: from the `+` on; empty: it has none of them."""
    rows = [row for row, item in enumerate(catalog.ids) if item in added]
    items = DescribedItems([catalog.ids[row] for row in rows], [catalog.texts[row] for row in rows], catalog.attributes[rows])
    return version_with("", items.contents()) if rows else ""


def described_items(entries: Sequence[Mapping[str, Any]], places: Sequence[str], catalog: Catalog) -> DescribedItems:
    """The items of these entries that are not in the catalogue. One that is there with the same text is left out, and logged.

    entries: `id`, `text` (without it, the `title` is the text), and attributes of the catalogue, of which any may be missing.
    places: how messages name each entry.

    Raises
    ------
    ItemsError: with a line for each entry that is wrong.
    """
    known = dict(zip(catalog.ids, catalog.texts, strict=True))
    schema = catalog.attributes.schema
    rows: list[dict[str, Any]] = []
    problems = []
    for place, entry in zip(places, entries, strict=True):
        try:
            item, text = _item_and_text(entry)
            attributes = _attributes(entry, text, schema)
            if item not in known:
                rows.append(attributes)
                known[item] = text
            elif known[item] == text:
                log.info("%s: item %r is there already, with this text; it is left out", place, item)
            else:
                raise ValueError(f"item {item!r} is there already, with another text; an item cannot be changed, give it another id")
        except ValueError as error:
            problems.append(f"{place}: {error}")
    if problems:
        raise ItemsError(problems)
    new = len(catalog)
    return DescribedItems(list(known)[new:], list(known.values())[new:], pl.DataFrame(rows, schema=schema))


def _item_and_text(entry: Any) -> tuple[str, str]:
    if not isinstance(entry, Mapping):
        raise ValueError(f"an item is an object such as {{'id': '17', 'text': 'Of whales.'}}, not {type(entry).__name__}")
    item, text = entry.get("id"), entry.get("text", entry.get("title"))
    if isinstance(item, bool) or not isinstance(item, (str, int)) or item == "":
        raise ValueError(f"id: {item!r} is not allowed; it must be a text or a whole number")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"item {str(item)!r} needs a text, or a title to be read in its place")
    return str(item), text


def _attributes(entry: Mapping[str, Any], text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in entry.items() if name not in NOT_ATTRIBUTES or name in schema}
    given = {"title": text} | given
    for name, value in given.items():
        if name not in schema:
            meant = closest(str(name), list(schema))
            remedy = f"did you mean {meant!r}?" if meant else f"they have: {', '.join(schema)}"
            raise ValueError(f"the items have no attribute {name!r}; {remedy}")
        try:
            pl.Series([value], dtype=schema[name], strict=True)
        except (PolarsError, TypeError, ValueError, OverflowError):
            raise ValueError(f"{name}: {value!r} is not allowed; the items have values of the type {schema[name]} there") from None
    return {name: given.get(name) for name in schema}
