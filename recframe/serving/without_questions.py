"""A trained agent without the questions that it could ask: a served policy recommends, and has nobody who answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.errors import UserError
from recframe.interfaces import Agent, Data, Role, tables_of
from recframe.serving.more_items import Build
from recframe.tracking.learned_shapes import names_of_learned_shape


class Served(NamedTuple):
    """agent, data: without questions.   tuned: by role, the vectors that the agent's networks read in place of those of the data."""

    agent: Agent
    data: Data
    tuned: Mapping[Role, Tensor]


def served_without_questions(agent: Agent, data: Data, tuned: Mapping[Role, Tensor], build: Build, name: str) -> Served:
    """The agent, built again for the items alone, with its weights; what it has learned about questions is left out.

    It scores items as before: a question is a row of its own, after the items.

    name: how messages call the agent.

    Raises
    ------
    UserError: its weights do not have something for each row, but mix the rows.
    """
    spec = agent.spec
    if not spec.num_questions:
        return Served(agent, data, tuned)
    items = spec.first_question
    known = data.without_questions()
    candidates = spec.num_candidates - spec.num_questions if spec.num_candidates else 0
    smaller_spec = replace(spec, num_items=items, num_questions=0, num_candidates=candidates)
    # networks draw their first weights from torch's own generator, which belongs to the caller
    with torch.random.fork_rng(devices=[]):
        smaller = build(smaller_spec, known)
    taken_over = names_of_learned_shape(agent)[0]
    shapes = {key: value.shape for key, value in smaller.state_dict().items() if isinstance(value, Tensor)}
    state = agent.state_dict()
    for key, value in state.items():
        if not isinstance(value, Tensor):
            continue
        if key in taken_over:
            # of a shape that is learned, only the number of rows is known; what has rows of something else, such as codes, may by chance
            # have as many, but not also as many as there are items where it is built for these (or none, if that is learned, too)
            rows = value.dim() > 0 and len(value) == spec.num_items and shapes.get(key, value.shape)[:1] in ((items,), (0,))
            wanted = torch.Size([items, *value.shape[1:]]) if rows else value.shape
        else:
            wanted = shapes.get(key, torch.Size([-1]))
        state[key] = _without_rows(value, wanted, items, spec.num_items)
        if state[key].shape != wanted:
            raise UserError(
                f"{name} cannot be served without its questions: its weights {key} do not have a row for each; train it without"
            )
    smaller.load_state_dict(state)
    tuned = {role: vectors[:items] if role == "item" else vectors for role, vectors in tuned.items()}
    for role, vectors in tuned.items():
        for table in tables_of(smaller, known.texts[role].vectors):
            table.replace(vectors)
    if tuned:
        smaller.texts_moved()
    return Served(smaller, known, tuned)


def _without_rows(value: Tensor, shape: torch.Size, first: int, last: int) -> Tensor:
    """`value` without the rows `first` to `last` - 1 in each dimension that is longer by as many than in `shape`."""
    if value.dim() != len(shape):
        return value
    for dim, (own, wanted) in enumerate(zip(value.shape, shape, strict=True)):
        if own - wanted == last - first and own >= last:
            kept = torch.cat([torch.arange(first), torch.arange(last, own)]).to(value.device)
            value = value.index_select(dim, kept)
    return value
