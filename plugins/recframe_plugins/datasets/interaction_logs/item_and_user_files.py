"""The tables of items and users that options name."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recframe_plugins.datasets.files.malformed_rows import MalformedRows
from recframe_plugins.datasets.files.tables import open_table
from recframe_plugins.datasets.interaction_logs.config import ItemTableConfig, TextFilesConfig, UserTableConfig
from recframe_plugins.datasets.interaction_logs.records import read_items, read_users

__all__ = ["read_item_file", "read_user_file"]


def read_item_file(config: ItemTableConfig, files: TextFilesConfig, reports: list[MalformedRows], separator: str) -> pl.DataFrame | None:
    """The items: `id`, `title` and attributes; None without a table. Malformed rows are added to `reports`.

    Raises
    ------
    DataError: the file cannot be used.
    """
    if config.items is None:
        return None
    table = open_table(
        Path(config.items).expanduser(),
        "dataset.items",
        separator=separator,
        encoding=files.encoding,
        malformed=files.malformed,
        numbered=config.item_columns.get("id", "").isdigit(),
    )
    items, malformed = read_items(table, config.item_columns)
    reports.append(malformed)
    return items


def read_user_file(
    config: UserTableConfig, files: TextFilesConfig, reports: list[MalformedRows], separator: str, *, hide: bool
) -> pl.DataFrame | None:
    """The users: `id` and attributes; None without a table. Malformed rows are added to `reports`.

    hide: whether messages must not show ids of users.

    Raises
    ------
    DataError: the file cannot be used.
    """
    if config.users is None:
        return None
    table = open_table(
        Path(config.users).expanduser(),
        "dataset.users",
        separator=separator,
        encoding=files.encoding,
        malformed=files.malformed,
        numbered=config.user_columns.get("id", "").isdigit(),
    )
    users, malformed = read_users(table, config.user_columns, hide=hide)
    reports.append(malformed)
    return users
