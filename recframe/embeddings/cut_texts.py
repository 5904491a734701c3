"""Texts that are longer than a model reads: how many of them there are, and how much of them is not read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["CutTexts"]


@dataclass(frozen=True)
class CutTexts:
    """Counts over texts. A text counts as often as it occurs.

    texts: all texts.   cut: those longer than the model reads.   tokens, read: the tokens of these, and those of them that are read.
    unknown: texts whose vectors were cached without their lengths; they are not among those that are cut.
    """

    texts: int = 0
    cut: int = 0
    tokens: int = 0
    read: int = 0
    unknown: int = 0

    @classmethod
    def of(cls, lengths: np.ndarray, known: np.ndarray) -> CutTexts:
        """Count. lengths: `[n, 2]` int64, as `Encoder.text_lengths` gives them.   known: `[n]` bool, whether a row of them is known."""
        cut = known & (lengths[:, 0] > lengths[:, 1])
        tokens, read = lengths[cut].sum(axis=0).tolist() if cut.any() else (0, 0)
        return cls(len(lengths), int(cut.sum()), tokens, read, int((~known).sum()))

    def __add__(self, other: CutTexts) -> CutTexts:
        """The counts over both."""
        return CutTexts(
            self.texts + other.texts,
            self.cut + other.cut,
            self.tokens + other.tokens,
            self.read + other.read,
            self.unknown + other.unknown,
        )

    @property
    def share_of_texts(self) -> float:
        """The share of the texts that is cut."""
        return self.cut / self.texts if self.texts else 0.0

    @property
    def share_of_tokens(self) -> float:
        """The share of the tokens of the cut texts that is not read."""
        return 1.0 - self.read / self.tokens if self.tokens else 0.0
