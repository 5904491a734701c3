"""Texts that were not in the data: what a new person says of themselves, or says now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from recframe.attribution import blaming
from recframe.embeddings import AffineMap
from recframe.interfaces import Agent, Data, Encoder, Role, tables_of
from recframe.serving.query_error import QueryError

ARGUMENTS: Mapping[Role, str] = {"user": "profile", "context": "context"}
"""The arguments of `recommend` that give a text of each role."""


class NewTexts:
    """Encodes new texts as the run did, and lets the policy's networks read them.

    The encoder is made at the first new text: a policy that is asked about known people alone never loads a language model.

    Parameters
    ----------
    agent: the policy.   data: as it reads it.
    make_encoder: makes the run's encoder, fitted.   reduction: maps its vectors to those of `data`, or None.
    refused: why new texts cannot be read; empty: they can.
    """

    def __init__(
        self, agent: Agent, data: Data, make_encoder: Callable[[], Encoder], reduction: AffineMap | None = None, refused: str = ""
    ) -> None:
        self.agent = agent
        self.data = data
        self.refused = refused
        self.reduction = reduction
        self._make_encoder = make_encoder
        self._encoder: Encoder | None = None

    @contextmanager
    def readable(self, texts: Mapping[Role, str | None]) -> Iterator[dict[Role, int]]:
        """Let the policy read these texts within the block. None stands for a text of which nothing is known: the mean of the data's.

        Yields
        ------
        The row of each role's text, which the networks find after those of the data.

        Raises
        ------
        QueryError: a text cannot be read.
        """
        with ExitStack() as stack:
            rows: dict[Role, int] = {}
            for role, text in texts.items():
                known = self.data.texts[role].vectors if role in self.data.texts else None
                tables = tables_of(self.agent, known)
                if known is not None:
                    vector = known.mean(dim=0, keepdim=True) if text is None or not tables else self._vector(text, role)
                    for table in tables:
                        stack.enter_context(table.appended(vector))
                rows[role] = self._count(role)
            yield rows

    def _count(self, role: Role) -> int:
        users = self.data.users
        return len(users) if role == "user" and users is not None else len(self.data.texts[role].texts)

    def _vector(self, text: str, role: Role) -> Tensor:
        """The vector `[1, D]` of a text."""
        if self.refused:
            raise QueryError(f"{ARGUMENTS[role]}: {self.refused}")
        if self._encoder is None:
            self._encoder = self._make_encoder()
        with blaming(self._encoder):
            vector = torch.from_numpy(self._encoder.encode([text], role)).to(torch.float32)
        return vector if self.reduction is None else self.reduction(vector)
