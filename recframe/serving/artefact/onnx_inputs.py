"""The inputs of a policy's scoring part, and random people to compare its scores on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import PAD, Agent, Data, ItemProjection, Observation, Role, TextTable, tables_of

NAMES: Mapping[Role, str] = {"item": "item_vectors", "user": "profile", "context": "context"}
"""The inputs that are vectors of texts."""
PEOPLE, ITEMS = "people", "items"


class Example(NamedTuple):
    """A question: as the agent reads it, and as the scoring part does.

    observation: N people, in the numbers of the catalogue.   inputs: the tensors of `ScoringPart.forward`.
    rows: the items `[R]` of the catalogue that the inputs are about, in the order of their scores.
    """

    observation: Observation
    inputs: tuple[Tensor, Tensor, list[Tensor]]
    rows: Tensor


class PartInputs:
    """What the scoring part of an agent reads.

    Parameters
    ----------
    agent: with the trained weights.   data: as it reads it.   tuned: by role, vectors that it reads in place of those of `data`.
    """

    def __init__(self, agent: Agent, data: Data, tuned: Mapping[Role, Tensor]) -> None:
        self.spec = agent.spec
        self.num_items = len(data.catalog)
        self.num_users = len(data.users) if agent.spec.has_users and data.users is not None else 1
        self.tables: dict[Role, list[TextTable]] = {}
        self.vectors: dict[Role, Tensor] = {}
        self.sources: dict[Role, str] = {}
        for role in NAMES:
            texts = data.texts.get(role)
            known = None if texts is None else texts.vectors
            if known is not None and known.shape[1] and (tables := tables_of(agent, known)):
                self.tables[role] = tables
                self.vectors[role] = tuned.get(role, known)
                self.sources[role] = f"{role}.{'tuned' if role in tuned else 'vectors'}"
        learned = any(module.embedding is not None for module in agent.modules() if isinstance(module, ItemProjection))
        self.any_items = "item" in self.tables and not learned
        """Whether the items can be others than those of the catalogue: none has a learned vector."""

    @property
    def names(self) -> list[str]:
        """The inputs in their order."""
        return ["history_items", "history_feedback", *(NAMES[role] for role in self.tables)]

    def dynamic_shapes(self) -> Any:
        """The dimensions that may differ from question to question, as `torch.onnx.export` takes them."""
        people, items = torch.export.Dim(PEOPLE), torch.export.Dim(ITEMS)
        rows = [({0: items} if self.any_items else {}) if role == "item" else {0: people} for role in self.tables]
        return {0: people}, {0: people}, rows

    def entries(self) -> dict[str, Any]:
        """The inputs as entries of artefact.json."""
        items = ITEMS if self.any_items else self.num_items
        history = [PEOPLE, self.spec.history_length]
        entries: dict[str, Any] = {
            "history_items": {
                "shape": history,
                "type": "int64",
                "is": f"rows of the items, oldest first, {PAD} in front where there are fewer",
            },
            "history_feedback": {"shape": [*history, len(self.spec.signals)], "type": "float32", "is": ", ".join(self.spec.signals)},
        }
        for role, vectors in self.vectors.items():
            size = [items if role == "item" else PEOPLE, vectors.shape[1]]
            entries[NAMES[role]] = {"shape": size, "type": "float32", "is": f"rows of {self.sources[role]} in vectors.safetensors"}
        return entries

    def example(self, people: int, seed: int, share: float = 1.0) -> Example:
        """Random people with histories of all lengths, and a `share` of the catalogue's items."""
        draws = torch.Generator().manual_seed(seed)
        rows = torch.arange(self.num_items)
        if share < 1:
            rows = torch.randperm(self.num_items, generator=draws)[: max(2, round(share * self.num_items))]
        length, spec = self.spec.history_length, self.spec
        history = torch.randint(len(rows), (people, length), generator=draws)
        lengths = torch.randint(length + 1, (people, 1), generator=draws)
        present = torch.arange(length) >= length - lengths
        feedback = torch.randint(5, (people, length, len(spec.signals)), generator=draws).float() * present.unsqueeze(2)
        at = {role: torch.randint(len(self.vectors[role]), (people,), generator=draws) for role in self.tables if role != "item"}
        given = [self.vectors[role][rows if role == "item" else at[role]] for role in self.tables]
        user = at.get("user", torch.randint(self.num_users, (people,), generator=draws))
        observation = Observation(
            user=user,
            history_items=torch.where(present, rows[history], PAD),
            history_feedback=feedback,
            context=at.get("context", torch.zeros_like(user)) if spec.has_context else None,
            batch_size=[people],
        )
        return Example(observation, (torch.where(present, history, PAD), feedback, given), rows)
