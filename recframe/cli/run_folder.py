"""Commands on the folder of a run: a light check before heavy imports, and logging to the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from recframe.config import Consent


SEND_HELP = "Send the value of an environment variable, such as a key, as its config says: VARIABLE=ADDRESS."
"""What `--send-variable` does."""


def check_run(folder: Path, device: str | None, use_cpu: str, consent: Consent, accept_edits: str | None) -> None:
    """Raise an error if `folder` is not a run, or if this machine cannot build the run. Nothing heavy is imported.

    Parameters
    ----------
    device: the device to use; None: the run's.     use_cpu: the command that uses the CPU, for the error.
    consent: what the command line allows a run's config.
    accept_edits: how to go on with a config that was edited since the run was started; None: it is accepted.
    """
    from recframe.tracking import RunFolder, recorded_config

    with RunFolder.open_to_read(folder) as claimed:
        recorded_config(claimed, device, use_cpu, consent, accept_edits)


def log_to(stream: TextIO) -> None:
    """Log to a stream of the terminal in the format of `recframe train`."""
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=stream)
