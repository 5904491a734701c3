"""The knowledge graph of RecBole's `.kg` and `.link` files, as attributes of items."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.malformed_rows import EMPTY_REPORT, Check, MalformedRows, part_rows
from recframe_plugins.datasets.recbole_atomic.atomic_tables import atomic_table

__all__ = ["with_knowledge"]

logger = logging.getLogger(__name__)

LINK, TRIPLE = ("item_id", "entity_id"), ("head_id", "relation_id", "tail_id")


def with_knowledge(items: pl.DataFrame, link: Path, graph: Path | None, encoding: str, reports: list[MalformedRows]) -> pl.DataFrame:
    """The items with the attributes `entity` and, with a graph, `neighbours`: the distinct entities of a triple with the item's, sorted.

    Malformed rows are added to `reports`; links of unknown items, and entities outside the graph, are warnings.

    Raises
    ------
    DataError: a file cannot be used.
    """
    links = ids_of(link, LINK, encoding, reports, distinct=True).rename({"item_id": "id", "entity_id": "entity"})
    unknown = len(links) - int(links["id"].is_in(items["id"].implode()).sum())
    if unknown:
        logger.warning("%s: %d link(s) are of items that no other file has", link, unknown)
    items = items.join(links.select("id", "entity"), on="id", how="left", maintain_order="left")
    if graph is None:
        return items
    triples = ids_of(graph, TRIPLE, encoding, reports)
    both = [triples.select(entity=near, other=far) for near, far in (("head_id", "tail_id"), ("tail_id", "head_id"))]
    neighbours = pl.concat(both).unique().sort("entity", "other").group_by("entity", maintain_order=True).agg(neighbours="other")
    outside = int((~links["entity"].is_in(neighbours["entity"].implode())).sum())
    if outside:
        logger.warning("%s: %d linked entity(ies) are in no triple of %s", link, outside, graph.name)
    logger.info("%s: %d triples, which link %d of %d items", graph, len(triples), items["entity"].count(), len(items))
    return items.join(neighbours, on="entity", how="left", maintain_order="left")


def ids_of(path: Path, names: tuple[str, ...], encoding: str, reports: list[MalformedRows], *, distinct: bool = False) -> pl.DataFrame:
    """The columns of ids of a file. distinct: whether each value of the first may occur once."""
    table, types = atomic_table(path, encoding)
    lacking = [name for name in names if name not in types]
    if lacking:
        raise DataError(f"{path}:1: lacks the column {lacking[0]}:token; its columns are {', '.join(types)}")
    rows = pl.concat(list(table.rows(names)))
    checks = [
        *table.checks(names),
        *(Check("empty id", pl.col(name) == "", pl.lit(f"column {name!r}: empty id, expected one such as '1'")) for name in names),
    ]
    good, bad = part_rows(rows, checks)
    repeated = EMPTY_REPORT
    if distinct:
        first = good.with_columns(first=pl.col("line").first().over(names[0]))
        problem = pl.format(f"{names[0]} '{{}}' is already on line {{}}, expected each once", names[0], "first")
        good, repeated = part_rows(first, [Check(f"duplicate {names[0]}", pl.col("line") != pl.col("first"), problem)])
    reports.append(MalformedRows(path, pl.concat([bad, repeated]).sort("line")))
    return good
