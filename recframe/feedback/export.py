"""Writes the log of a store into a file that `dataset=bandit_log` reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source
from sqlalchemy import Connection

from recframe.errors import UserError
from recframe.feedback.database import transaction
from recframe.feedback.exported_lists import COLUMNS, is_file_of_lists, lists_path
from recframe.feedback.item_lists import item_list_blocks
from recframe.feedback.log import log_blocks, log_schema
from recframe.feedback.store import FeedbackStore

ENDINGS = (".csv", ".parquet")


def export_log(store: FeedbackStore, path: Path, since: float | None = None) -> int:
    """Write the log (`FeedbackStore.log_frame`) as a new file, block by block. Returns the number of its rows.

    Where requests brought lists of ids, such as candidates, the log has their names, and a file beside it has the lists: of a log
    `NAME.csv` it is `NAME.lists.csv`, with the columns `name` and `items` (JSON).

    path: ends with .csv or .parquet; a file that exists is replaced once the new one is complete, and so is the file of lists beside it,
        which is removed where the new log has none.
    since: unix seconds; decisions before that are left out.

    Raises
    ------
    UserError: the file cannot be written, or its ending is another.
    """
    if path.suffix not in ENDINGS:
        raise UserError(f"{path}: is no name of a log; right is one that ends with {' or '.join(ENDINGS)}")
    lists = lists_path(path)
    part, lists_part = (one.with_name(f".{one.name}.part") for one in (path, lists))
    rows, names = 0, set[str]()
    try:
        part.touch()
        with transaction(store.engine, writes=False) as connection:
            schema = log_schema(connection)

            def blocks(*asked: Any) -> Iterator[pl.DataFrame]:
                nonlocal rows
                yield pl.DataFrame(schema=schema)
                for block in log_blocks(connection, schema, since):
                    rows += block.height
                    names.update(*(block[name].drop_nulls().unique() for name in ("candidates", "exclude")))
                    yield block

            _write(blocks, schema, part, path.suffix)
            if names:
                _write_lists(connection, names, lists_part, path.suffix)
        if names:
            lists_part.replace(lists)
        part.replace(path)
        if not names and is_file_of_lists(lists):
            # of a log that was here before
            lists.unlink()
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        part.unlink(missing_ok=True)
        lists_part.unlink(missing_ok=True)
    return rows


def _write_lists(connection: Connection, names: set[str], path: Path, ending: str) -> None:
    schema = dict.fromkeys(COLUMNS, pl.String)

    def blocks(*asked: Any) -> Iterator[pl.DataFrame]:
        for block in item_list_blocks(connection, names):
            yield pl.DataFrame(block, schema=schema, orient="row")

    _write(blocks, schema, path, ending)


def _write(blocks: Callable[..., Iterator[pl.DataFrame]], schema: Mapping[str, Any], path: Path, ending: str) -> None:
    frames = register_io_source(blocks, schema=schema)
    if ending == ".csv":
        frames.sink_csv(path)
    else:
        frames.sink_parquet(path)
