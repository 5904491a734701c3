"""Calling an encoder: its vectors are checked, and a progress bar is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from rich.progress import ProgressColumn, Task
from rich.text import Text

from recframe.attribution import blaming, origin_of
from recframe.console import progress_bar
from recframe.errors import UserError
from recframe.interfaces import Encoder, Role


class EmbeddingError(UserError, ValueError):
    """Vectors that cannot be used; the message names the encoder or the folder, and what is wrong."""


def encode_checked(encoder: Encoder, texts: Sequence[str], role: Role) -> np.ndarray:
    """The encoder's vectors, float32 `[n, D]`.

    Raises
    ------
    EmbeddingError: if the encoder does not give one finite vector of `encoder.dim` numbers for each text.
    """
    with blaming(encoder):
        expected = (len(texts), encoder.dim)
        answer = encoder.encode(texts, role)
    if not isinstance(answer, np.ndarray) or not np.issubdtype(answer.dtype, np.floating):
        given = f"an array of {answer.dtype}" if isinstance(answer, np.ndarray) else f"a {type(answer).__name__}"
        raise EmbeddingError(
            f"{_encoder(encoder)} gave {given} for {len(texts)} texts; it must give a float32 array of shape {list(expected)}"
        )
    if answer.shape != expected:
        raise EmbeddingError(f"{_encoder(encoder)} gave vectors of shape {list(answer.shape)} for {len(texts)} texts, not {list(expected)}")
    with np.errstate(over="ignore"):
        vectors = answer.astype(np.float32, copy=False)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise EmbeddingError(
            f"{_encoder(encoder)} gave vectors with NaN or infinite numbers for {int((~finite).sum())} of {len(texts)} texts; "
            f"the first is {texts[row][:60]!r}"
        )
    return vectors


def _encoder(encoder: Encoder) -> str:
    """An encoder in words."""
    return str(origin_of(encoder) or f"encoder {type(encoder).__name__}")


class TextsPerSecond(ProgressColumn):
    """The speed over the last few calls."""

    def render(self, task: Task) -> Text:
        """The speed, or nothing before the first call has ended."""
        return Text("" if task.speed is None else f"{task.speed:,.0f} texts/s", style="progress.data.speed")


@contextmanager
def encoding_progress(total: int, show: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, if `show` and standard error is a terminal; yields a function to report encoded texts to."""
    with progress_bar("encoding texts", TextsPerSecond(), show) as progress:
        task = progress.add_task("encoding", total=total)
        yield lambda done: progress.advance(task, done)
