"""Writes the log of a store into a file that `dataset=bandit_log` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from recframe.errors import UserError
from recframe.feedback.database import transaction
from recframe.feedback.log import log_blocks, log_schema
from recframe.feedback.store import FeedbackStore

ENDINGS = (".csv", ".parquet")


def export_log(store: FeedbackStore, path: Path, since: float | None = None) -> int:
    """Write the log (`FeedbackStore.log_frame`) as a new file, block by block. Returns the number of its rows.

    path: ends with .csv or .parquet; a file that exists is replaced once the new one is complete.
    since: unix seconds; decisions before that are left out.

    Raises
    ------
    UserError: the file cannot be written, or its ending is another.
    """
    if path.suffix not in ENDINGS:
        raise UserError(f"{path}: is no name of a log; right is one that ends with {' or '.join(ENDINGS)}")
    part = path.with_name(f".{path.name}.part")
    rows = 0
    try:
        part.touch()
        with transaction(store.engine, writes=False) as connection:
            schema = log_schema(connection)

            def blocks(*asked: Any) -> Iterator[pl.DataFrame]:
                nonlocal rows
                yield pl.DataFrame(schema=schema)
                for block in log_blocks(connection, schema, since):
                    rows += block.height
                    yield block

            log = register_io_source(blocks, schema=schema)
            if path.suffix == ".csv":
                log.sink_csv(part)
            else:
                log.sink_parquet(part)
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        part.unlink(missing_ok=True)
    return rows
