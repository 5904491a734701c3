"""Commands on the folder of a run: a light check before heavy imports, and logging to the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO


def check_run(folder: Path) -> None:
    """Raise an error if `folder` is not a run, or if this installation cannot build the run. Nothing heavy is imported."""
    from recframe.config import validate
    from recframe.tracking import RunFolder

    with RunFolder.open_to_read(folder) as claimed:
        validate(claimed.read_config())


def log_to(stream: TextIO) -> None:
    """Log to a stream of the terminal in the format of `recframe train`."""
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=stream)
