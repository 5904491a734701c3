"""Conversions of MovieLens 100K into the layout of the later MovieLens files, and of KuaiRec's captions."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from recframe.public_data.conversions.tables import line_of_text, write_table
from recframe.public_data.errors import FetchError

GENRES_FROM = 5  # the first five fields of u.item are id, title, release date, video release date, and address

CAPTION_FIELDS = ("caption", "manual_cover_text", "topic_tag")
LEVELS = ("first_level_category_name", "second_level_category_name", "third_level_category_name")
UNKNOWN = "UNKNOWN"


def convert_movielens_100k(folder: Path) -> str:
    """movies.csv and ratings.csv in ml-100k, from u.item, u.genre and u.data."""
    below = folder / "ml-100k"
    with (below / "u.genre").open(encoding="latin-1") as file:
        genres = [line.rsplit("|", 1)[0] for line in file.read().split("\n") if "|" in line]

    def movies() -> Iterator[tuple[object, ...]]:
        for number, line in enumerate((below / "u.item").read_text("latin-1").split("\n"), start=1):
            if not line.strip():
                continue
            fields = line.rstrip("\r").split("|")
            flags = fields[GENRES_FROM:]
            if len(flags) != len(genres):
                raise FetchError(f"{below / 'u.item'}:{number}: has {len(fields)} fields, not {GENRES_FROM + len(genres)}")
            yield fields[0], fields[1], "|".join(genre for genre, flag in zip(genres, flags, strict=True) if flag == "1")

    def ratings() -> Iterator[tuple[object, ...]]:
        with (below / "u.data").open(encoding="latin-1") as file:
            for number, line in enumerate(file, start=1):
                fields = line.split()
                if len(fields) != 4:
                    raise FetchError(f"{below / 'u.data'}:{number}: has {len(fields)} fields, not 4")
                yield tuple(fields)

    write_table(below / "movies.csv", ("movieId", "title", "genres"), movies())
    write_table(below / "ratings.csv", ("userId", "movieId", "rating", "timestamp"), ratings())
    return ""


def convert_kuairec(folder: Path) -> str:
    """items.csv: the captions and categories of the videos. A few rows of the published file are broken and are left out."""
    path = folder / "kuairec_caption_category.csv"
    known: set[str] = set()
    left_out = 0

    def rows() -> Iterator[tuple[object, ...]]:
        nonlocal left_out
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in ("video_id", *CAPTION_FIELDS, *LEVELS) if name not in (reader.fieldnames or ())]
            if lacking:
                raise FetchError(f"{path}:1: has no column {', '.join(lacking)}; the file is of another layout")
            for row in reader:
                item = (row["video_id"] or "").removesuffix(".0")
                if not item.isdecimal() or item in known:
                    left_out += 1
                    continue
                known.add(item)
                caption, cover, topics = (line_of_text(row[name]) for name in CAPTION_FIELDS)
                levels = [name for level in LEVELS if (name := line_of_text(row[level])) and name != UNKNOWN]
                yield item, caption or cover or item, cover, topics.strip("[]"), ", ".join(dict.fromkeys(levels))

    write_table(folder / "items.csv", ("item", "title", "cover", "topics", "categories"), rows())
    return f"{left_out} broken or repeated rows of {path.name} are left out" if left_out else ""
