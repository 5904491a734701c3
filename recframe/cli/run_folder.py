"""Commands on the folder of a run: a light check before heavy imports, and logging to the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO


def check_run(folder: Path, device: str | None, use_cpu: str, trust: str | None, accept_edits: str | None) -> None:
    """Raise an error if `folder` is not a run, or if this machine cannot build the run. Nothing heavy is imported.

    Parameters
    ----------
    device: the device to use; None: the run's.     use_cpu: the command that uses the CPU, for the error.
    trust: how the command line allows a run's config to run code that comes with a model; None: it does.
    accept_edits: how to go on with a config that was edited since the run was started; None: it is accepted.
    """
    from recframe.tracking import RunFolder, recorded_config

    with RunFolder.open_to_read(folder) as claimed:
        recorded_config(claimed, device, use_cpu, trust, accept_edits)


def log_to(stream: TextIO) -> None:
    """Log to a stream of the terminal in the format of `recframe train`."""
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=stream)
