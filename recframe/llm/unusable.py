"""Counts the answers of a language model that cannot be used, and says so in one line."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from torch import Tensor

log = logging.getLogger(__name__)


class UnusableAnswers:
    """How many questions were asked, and how many answers could not be used.

    A line is logged at the first of them, and each time their number has doubled since the last line.

    Parameters
    ----------
    instead: what takes the place of such an answer, in words.
    """

    def __init__(self, instead: str) -> None:
        self.instead = instead
        self.asked = 0
        self.count = 0
        self._told = 0

    @property
    def share(self) -> float:
        """The share of unusable answers; 0 if nothing was asked."""
        return self.count / max(self.asked, 1)

    def add(self, asked: int, problems: Sequence[str]) -> None:
        """Count the answers to `asked` questions, of which those with `problems` could not be used."""
        self.asked += asked
        self.count += len(problems)
        if problems and self.count >= 2 * self._told:
            self._told = self.count
            log.warning(
                "%d of %d answers of the language model could not be used (the last: %s); %s",
                self.count,
                self.asked,
                problems[-1],
                self.instead,
            )


def undecided(chosen: Tensor) -> Tensor:
    """Which rows of `Chat.choose`, `[n, options]`, are of an answer that begins with none of the options: `[n]` bool.

    They give every option the same probability, to the last digit.
    """
    return (chosen == chosen[:, :1]).all(dim=1)
