"""`check_encoder`: the conformance check of encoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np

from recframe.interfaces import Encoder, Role
from recframe.testing.conformance import require

TEXTS = (
    "A quiet film about gardens.",
    "Jazz.",
    "Football, and everything that was ever said about football on a long train journey through the rain.",
    "Cooking for one: a guide.",
    "Space.",
)


def check_encoder(encoder: Encoder, texts: Sequence[str] = TEXTS) -> None:
    """Check that an encoder gives each text one vector, independent of the other texts. The check first fits the encoder on `texts`.

    Raises
    ------
    ConformanceError: with what is wrong and how to fix it.
    """
    require(isinstance(encoder, Encoder), f"an encoder must subclass recframe.interfaces.Encoder; {type(encoder).__name__} does not")
    texts = list(texts)
    encoder.fit(texts)
    fingerprint = encoder.fingerprint
    require(isinstance(fingerprint, str) and fingerprint != "", "fingerprint must be a non-empty string: it identifies cached vectors")
    for role in get_args(Role):
        _check_role(encoder, texts, role)
    require(
        encoder.fingerprint == fingerprint,
        "fingerprint changed although the encoder did not: compute it only from weights, options and what fit() learned",
    )


def _check_role(encoder: Encoder, texts: list[str], role: Role) -> None:
    vectors = encoder.encode(texts, role)
    require(isinstance(vectors, np.ndarray), f"encode() must return a numpy array, not {type(vectors).__name__}")
    require(vectors.dtype == np.float32, f"encode() must return float32, not {vectors.dtype}")
    require(isinstance(encoder.dim, int), f"dim must be an int, not {encoder.dim!r}")
    if encoder.reads:
        require(encoder.dim > 0, f"dim must be a positive int, not {encoder.dim!r}; an encoder that reads no text declares reads = False")
    else:
        require(encoder.dim == 0, f"dim must be 0 for an encoder that declares reads = False, not {encoder.dim!r}")
    shape = (len(texts), encoder.dim)
    require(vectors.shape == shape, f"encode() of {len(texts)} texts must have the shape [n, dim] = {shape}, not {vectors.shape}")
    require(bool(np.isfinite(vectors).all()), "encode() gave NaN or infinity: every text needs a finite vector, however short it is")
    if not encoder.reads:
        return
    tolerance = 1e-4 * max(float(np.abs(vectors).max()), 1e-6)

    def close(left: np.ndarray, right: np.ndarray) -> bool:
        return left.shape == right.shape and float(np.abs(left - right).max()) <= tolerance

    require(close(encoder.encode(texts, role), vectors), "encode() gave other vectors the second time: disable dropout and sampling")
    require(
        close(encoder.encode(texts[::-1], role)[::-1], vectors),
        "encode() does not keep the order of its texts: if it sorts them, it must restore the order of the vectors",
    )
    alone = np.concatenate([encoder.encode([text], role) for text in texts])
    require(
        close(alone, vectors),
        "a text's vector depends on the other texts of the call, so cached vectors would be wrong: mask padding, "
        "normalize per text, and learn what needs all texts in fit()",
    )
    require(not close(vectors[:1].repeat(len(texts), axis=0), vectors), "encode() gives different texts the same vector: it must read them")
