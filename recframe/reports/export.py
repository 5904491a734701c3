"""The results of many runs as files for other programs."""

from __future__ import annotations

from pathlib import Path

from recframe.reports.frame import sweep_frame
from recframe.reports.runs import Folders
from recframe.tracking.atomic import atomic_path


def export_tables(folders: Folders, csv: Path | None = None, parquet: Path | None = None) -> None:
    """Write the frame of `sweep_frame` as CSV, as Parquet, or both.

    Raises
    ------
    SweepError: if no run was found.     WriteError: if a file cannot be written.
    """
    if csv is None and parquet is None:
        return
    frame = sweep_frame(folders)
    if csv is not None:
        with atomic_path(csv) as path:
            frame.write_csv(path)
    if parquet is not None:
        with atomic_path(parquet) as path:
            frame.write_parquet(path)
