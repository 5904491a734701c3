"""Conversions of the files of McAuley's group at UCSD: Amazon Reviews 2023, Steam, Goodreads."""

from __future__ import annotations

import ast
import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recframe.public_data.conversions.tables import field, line_of_text, records, seconds, write_table
from recframe.public_data.errors import FetchError

LONGEST_LITERAL = 1 << 20
"""Characters of a Python literal that are parsed at most: the parser needs many times the memory of its text."""

GOODREADS_TIME = "%a %b %d %H:%M:%S %z %Y"


def python_literal(line: str) -> Any:
    """The value of a line that is a Python literal, such as {u'id': u'10'}. A literal is parsed, not executed.

    Raises
    ------
    ValueError, SyntaxError: it is none.
    """
    if len(line) > LONGEST_LITERAL:
        raise ValueError(f"longer than {LONGEST_LITERAL} characters")
    return ast.literal_eval(line.strip())


def convert_amazon(folder: Path) -> str:
    """items.csv: the products of meta_*.jsonl.gz that somebody in the ratings has rated."""
    (meta,) = folder.glob("meta_*.jsonl.gz")
    ratings = folder / f"{meta.name.removeprefix('meta_').removesuffix('.jsonl.gz')}.csv.gz"
    try:
        with gzip.open(ratings, "rt", encoding="utf-8", newline="") as file:
            rated = {row["parent_asin"] for row in csv.DictReader(file)}
    except (KeyError, EOFError, gzip.BadGzipFile, csv.Error, ValueError) as error:
        raise FetchError(f"{ratings}: cannot be read ({error}); the file is damaged or of another layout") from error

    def rows() -> Iterator[tuple[object, ...]]:
        for number, product in records(meta):
            asin = field(product, "parent_asin", f"{meta}:{number}")
            if asin in rated:
                rated.discard(asin)  # a product can be listed twice
                title = line_of_text(product.get("title")) or asin
                categories = line_of_text(product.get("categories"))
                description = line_of_text(product.get("description"))
                yield asin, title, line_of_text(product.get("store")), categories, description, product.get("price")
        for asin in sorted(rated):
            yield asin, asin, "", "", "", None

    write_table(folder / "items.csv", ("item", "title", "store", "categories", "description", "price"), rows())
    return ""


def convert_steam(folder: Path) -> str:
    """interactions.csv and items.csv. A review is an interaction; its user is the user name, as in SASRec's use of these files."""
    reviews, games = folder / "steam_reviews.json.gz", folder / "steam_games.json.gz"
    seen: dict[str, None] = {}

    def interactions() -> Iterator[tuple[object, ...]]:
        for number, review in records(reviews, python_literal):
            where = f"{reviews}:{number}"
            item = field(review, "product_id", where)
            seen[item] = None
            time = seconds(field(review, "date", where), "%Y-%m-%d", where)
            yield field(review, "username", where), item, time, 1, review.get("hours")

    def items() -> Iterator[tuple[object, ...]]:
        for _, game in records(games, python_literal):
            item = game.get("id")  # a few games have none
            if item in seen:
                del seen[item]
                title = line_of_text(game.get("app_name") or game.get("title")) or item
                genres, tags = line_of_text(game.get("genres")), line_of_text(game.get("tags"))
                yield item, title, genres, tags, line_of_text(game.get("developer"))
        for item in seen:
            yield item, item, "", "", ""

    write_table(folder / "interactions.csv", ("user", "item", "time", "review", "hours"), interactions())
    write_table(folder / "items.csv", ("item", "title", "genres", "tags", "developer"), items())
    return ""


def convert_goodreads(folder: Path) -> str:
    """interactions.csv and items.csv. A rating of 0 means that there is none. The time is that at which a book was shelved."""
    (shelved,) = folder.glob("goodreads_interactions_*.json.gz")
    (books,) = folder.glob("goodreads_books_*.json.gz")
    seen: dict[str, None] = {}

    def interactions() -> Iterator[tuple[object, ...]]:
        for number, one in records(shelved):
            where = f"{shelved}:{number}"
            item = field(one, "book_id", where)
            seen[item] = None
            time = seconds(field(one, "date_added", where), GOODREADS_TIME, where)
            rating = field(one, "rating", where)
            yield field(one, "user_id", where), item, time, int(bool(field(one, "is_read", where))), rating or None

    def items() -> Iterator[tuple[object, ...]]:
        for number, book in records(books):
            item = field(book, "book_id", f"{books}:{number}")
            if item in seen:
                del seen[item]
                title = line_of_text(book.get("title")) or item
                yield item, title, line_of_text(book.get("description")), line_of_text(book.get("publication_year"))
        for item in seen:
            yield item, item, "", ""

    write_table(folder / "interactions.csv", ("user", "item", "time", "read", "rating"), interactions())
    write_table(folder / "items.csv", ("item", "title", "description", "year"), items())
    return ""
