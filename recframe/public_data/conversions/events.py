"""Conversions of MIND's impressions and Yelp's reviews."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from recframe.console import plain
from recframe.public_data.conversions.tables import field, line_of_text, records, seconds, write_table
from recframe.public_data.errors import FetchError

MIND_TIME = "%m/%d/%Y %I:%M:%S %p"
NEWS_FIELDS = 8
BEHAVIOR_FIELDS = 5


def convert_mind(folder: Path) -> str:
    """interactions.csv: a row for each news shown in an impression, with its click (0 or 1); items.csv: the news.

    The histories in behaviors.tsv have no times and are left out. The order of an impression's news says nothing: MIND has shuffled it.
    """

    def shown() -> Iterator[tuple[object, ...]]:
        for where, fields in _tab_separated(folder / "behaviors.tsv", BEHAVIOR_FIELDS):
            impression, user, time, _, news = fields
            moment = seconds(time, MIND_TIME, where)
            for one in news.split():
                item, dash, click = one.rpartition("-")
                if not dash or click not in ("0", "1"):
                    raise FetchError(f"{where}: {plain(one, most=60)!r} is not a news with its click, such as N55689-1")
                yield user, item, moment, impression, click

    def news() -> Iterator[tuple[object, ...]]:
        known = set()
        for _, fields in _tab_separated(folder / "news.tsv", NEWS_FIELDS):
            item, category, subcategory, title, abstract = fields[:5]
            if item not in known:
                known.add(item)
                yield item, line_of_text(title) or item, category, subcategory, line_of_text(abstract)

    write_table(folder / "items.csv", ("item", "title", "category", "subcategory", "abstract"), news())
    write_table(folder / "interactions.csv", ("user", "item", "time", "impression", "click"), shown())
    return ""


def _tab_separated(path: Path, size: int) -> Iterator[tuple[str, list[str]]]:
    """The lines of a file without header and quotes, as their place and their fields."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            fields = line.rstrip("\r\n").split("\t")
            if len(fields) != size:
                raise FetchError(f"{path}:{number}: has {len(fields)} fields between tabs, not {size}; the file is of another layout")
            yield f"{path}:{number}", fields


def convert_yelp(folder: Path) -> str:
    """interactions.csv and items.csv: the reviews, and the businesses that have one. Times are local, and read as UTC."""
    reviews, businesses = folder / "yelp_academic_dataset_review.json", folder / "yelp_academic_dataset_business.json"
    seen: dict[str, None] = {}

    def interactions() -> Iterator[tuple[object, ...]]:
        for number, review in records(reviews):
            where = f"{reviews}:{number}"
            item = field(review, "business_id", where)
            seen[item] = None
            time = seconds(field(review, "date", where), "%Y-%m-%d %H:%M:%S", where)
            yield field(review, "user_id", where), item, time, field(review, "stars", where)

    def items() -> Iterator[tuple[object, ...]]:
        for number, business in records(businesses):
            item = field(business, "business_id", f"{businesses}:{number}")
            if item in seen:
                del seen[item]
                name = line_of_text(business.get("name")) or item
                place = line_of_text(business.get("city")), line_of_text(business.get("state"))
                yield item, name, line_of_text(business.get("categories")), *place
        for item in seen:
            yield item, item, "", "", ""

    write_table(folder / "interactions.csv", ("user", "item", "time", "stars"), interactions())
    write_table(folder / "items.csv", ("item", "title", "categories", "city", "state"), items())
    return ""
