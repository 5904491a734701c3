"""The catalogue of a store of feedback."""

from __future__ import annotations

import json
from typing import NamedTuple

import polars as pl

from recframe.interfaces import DataError

__all__ = ["StoredCatalogue", "require_known_items", "stored_catalogue"]


class StoredCatalogue(NamedTuple):
    """attributes: `id`, `title` and what else is known of each item.   texts: what the encoder of the served policy read."""

    attributes: pl.DataFrame
    texts: list[str]


def stored_catalogue(items: pl.DataFrame) -> StoredCatalogue:
    """The catalogue of `FeedbackStore.items_frame`."""
    attributes = pl.DataFrame([json.loads(text) for text in items["attributes"]], infer_schema_length=None, strict=False)
    attributes = attributes.drop("id", "title", strict=False)
    return StoredCatalogue(pl.concat([items.select("id", "title"), attributes], how="horizontal"), items["text"].to_list())


def require_known_items(name: str, items: pl.DataFrame, log: pl.DataFrame) -> None:
    """Check that the catalogue has all items that were shown.

    Raises
    ------
    DataError: there is no catalogue, or policies with another one have written to the store.
    """
    if items.is_empty():
        raise DataError(f"dataset.url={name}: the store has no catalogue; serve a policy with this version: recframe serve FOLDER")
    unknown = log.filter(~pl.col("item").is_in(items["id"].implode()))
    if len(unknown):
        policies = ", ".join(sorted({f"{policy} {version}" for policy, version in unknown.select("policy", "version").iter_rows()})[:5])
        raise DataError(
            f"dataset.url={name}: {unknown['item'].n_unique():,} shown items, such as {unknown['item'][0]!r}, are not among the "
            f"{len(items):,} of its catalogue: policies with unlike catalogues wrote to it ({policies}); give each catalogue a store"
        )
