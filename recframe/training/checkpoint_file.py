"""The file of a checkpoint: written atomically, and read with a check that it is whole, undamaged and a run's own.

torch writes a zip archive with a checksum (CRC-32) of every entry, and does not compare them when it reads: of single flipped bits, most
would change values silently.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from recframe.tracking.atomic import atomic_path
from recframe.tracking.finite import require_numbers
from recframe.tracking.weights import CheckpointError

OWN, RUN = "recframe", "run"
"""The entry of a checkpoint with the run's state, and its entry with the key of the run's identity."""
PARTS = ("state_dict", "callbacks", "optimizer_states", "loops", OWN)


def read_checkpoint(path: Path, lazily: bool = False) -> dict[str, Any]:
    """A checkpoint's tensors and plain values, on the CPU; with `lazily`, tensors are memory-mapped instead of read.

    Raises
    ------
    CheckpointError: if the file cannot be read, or holds other objects.
    """
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
    except PermissionError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); ask its owner to make it readable") from error
    except pickle.UnpicklingError as error:
        # torch's own words advise to load them all the same
        what = "it holds objects other than tensors and plain values, which could run code, or is damaged"
        raise CheckpointError(_unusable(path, what)) from error
    except Exception as error:  # torch raises many types for a damaged file
        raise CheckpointError(_unusable(path, "it is damaged or cut off")) from error
    return checkpoint


def require_checkpoint(path: Path, run: str | None) -> None:
    """Check that a file is an undamaged checkpoint, and not that of another run.

    run: the key of the run's identity; None: it is not known.

    Raises
    ------
    CheckpointError: if not.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except PermissionError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); ask its owner to make it readable") from error
    except Exception as error:  # zipfile raises many types for damaged headers
        raise CheckpointError(_unusable(path, "it is damaged or cut off")) from error
    if damaged is not None:
        raise CheckpointError(_unusable(path, f"it is damaged: the checksum of {damaged} does not match"))
    checkpoint = read_checkpoint(path, lazily=True)
    if not isinstance(checkpoint, dict) or not all(isinstance(checkpoint.get(part), (dict, list)) for part in PARTS):
        raise CheckpointError(_unusable(path, "recframe did not write it"))
    written_by = checkpoint[OWN].get(RUN)
    if run is not None and written_by is not None and written_by != run:
        raise CheckpointError(_unusable(path, "it is the checkpoint of another run"))


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically: a process that is killed while writing leaves the old checkpoint or the new one.

    run: the key of the run's identity, which its checkpoints carry; None: they carry none.
    """

    def __init__(self, run: str | None = None) -> None:
        super().__init__()
        self.run = run

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write `checkpoint` to `path`.

        Raises
        ------
        TrainingDiverged: if a weight or buffer is NaN; the old checkpoint stays.
        """
        require_numbers(checkpoint.get("state_dict", {}), f"; {Path(path).name} is not written")
        if self.run is not None:
            checkpoint[OWN][RUN] = self.run
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # through a Python file, torch keeps the system's reason for a failed write
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)

    def load_checkpoint(self, path: Any, map_location: Any | None = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint; arbitrary pickled objects are refused, whatever the arguments."""
        return read_checkpoint(Path(path))


def _unusable(path: Path, why: str) -> str:
    return f"{path}: cannot be resumed from, because {why}; remove it to train from the start again"
