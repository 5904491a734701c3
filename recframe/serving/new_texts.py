"""Texts that were not in the data: what a new person says of themselves, or says now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from recframe.embeddings import AffineMap
from recframe.interfaces import Agent, Data, Role, StateTracker, TextTable, tables_of
from recframe.serving.encoders import LazyEncoder
from recframe.serving.query_error import QueryError

ARGUMENTS: Mapping[Role, str] = {"user": "profile", "context": "context"}
"""The arguments of `recommend` that give a text of each role."""


class NewTexts:
    """Encodes new texts as the run did, and lets the policy's networks read them.

    Parameters
    ----------
    agent: the policy.   data: as it reads it.
    encoder: the run's, fitted; policies may share it.   reduction: maps its vectors to those of `data`, or None.
    refused: why new texts cannot be read; empty: they can.
    """

    def __init__(self, agent: Agent, data: Data, encoder: LazyEncoder, reduction: AffineMap | None = None, refused: str = "") -> None:
        self.data = data
        self.encoder = encoder
        self.refused = refused
        self.reduction = reduction
        roles: tuple[Role, ...] = ("user", "context")
        self._known = {role: data.texts[role].vectors if role in data.texts else None for role in roles}
        self._tables: dict[Role, list[TextTable]] = {role: tables_of(agent, known) for role, known in self._known.items()}
        self._means: dict[Role, Tensor] = {}
        # networks that read the words themselves (see `Agent`)
        self._readers: list[Any] = [module for module in agent.modules() if hasattr(module, "appended_texts")]
        for module in agent.modules():
            if isinstance(module, StateTracker) and module.writes_texts:
                module.use_encoder(self._encoded_alone)

    def read_by(self, agent: Agent, data: Data) -> NewTexts:
        """The same for another agent, whose data it is, with the same encoder."""
        return NewTexts(agent, data, self.encoder, self.reduction, self.refused)

    def require_readable(self, texts: Mapping[Role, str | None]) -> None:
        """Raise QueryError if one of a person's texts cannot be read."""
        for role, text in texts.items():
            if self.refused and text is not None and self._known[role] is not None and self._tables[role]:
                raise QueryError(f"{ARGUMENTS[role]}: {self.refused}")

    @contextmanager
    def readable(self, people: Sequence[Mapping[Role, str | None]]) -> Iterator[list[dict[Role, int]]]:
        """Let the policy read the texts of these people within the block. None stands for a text of which nothing is known: the mean of
        the data's.

        Yields
        ------
        For each person, the row of each role's text, which the networks find after those of the data.
        """
        found: list[dict[Role, int]] = [{} for _ in people]
        with ExitStack() as stack:
            for role in self._known:
                # in order, each text once
                texts = list(dict.fromkeys(person[role] for person in people if role in person))
                if not texts:
                    continue
                known, first = self._known[role], self._count(role)
                if known is not None:
                    vectors = self.vectors(texts, role)
                    for table in self._tables[role]:
                        stack.enter_context(table.appended(vectors))
                # without vectors, whatever is read by the row cannot be there, and says so
                told_apart = known is not None or bool(self._readers)
                for reader in self._readers:
                    stack.enter_context(reader.appended_texts(role, first, [text or "" for text in texts]))
                rows = {text: first + (place if told_apart else 0) for place, text in enumerate(texts)}
                for person, row in zip(people, found, strict=True):
                    if role in person:
                        row[role] = rows[person[role]]
            yield found

    def vectors(self, texts: Sequence[str | None], role: Role) -> Tensor:
        """The vectors `[n, D]` of texts, as the policy reads them. The mean where nothing is known, or where nothing reads them."""
        vectors = self._mean(role).repeat(len(texts), 1)
        new = [place for place, text in enumerate(texts) if text is not None and self._tables[role]]
        if new:
            vectors[new] = self.encoded([str(texts[place]) for place in new], role)
        return vectors

    def encoded(self, texts: list[str], role: Role) -> Tensor:
        """The vectors `[n, D]` of these texts, encoded and reduced as those of the data."""
        vectors = torch.from_numpy(self.encoder.encode(texts, role)).to(torch.float32)
        return vectors if self.reduction is None else self.reduction(vectors)

    def _encoded_alone(self, texts: Sequence[str]) -> Tensor:
        """The vectors `[n, D]` of what a state tracker writes about people, text by text as in training."""
        return torch.cat([self.encoded([text], "user") for text in texts])

    def _mean(self, role: Role) -> Tensor:
        """`[1, D]`."""
        if role not in self._means:
            known = self._known[role]
            assert known is not None
            self._means[role] = known.mean(dim=0, keepdim=True)
        return self._means[role]

    def _count(self, role: Role) -> int:
        users = self.data.users
        return len(users) if role == "user" and users is not None else len(self.data.texts[role].texts)
