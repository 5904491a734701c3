"""How items stand as functions of the vector of one text: the profile, what is said, or an item's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from recframe.explanations.gauge import Gauge
from recframe.interfaces import Agent, ItemProjection, Observation, Role, TextTable, tables_of

TextStanding = Callable[[Tensor], Tensor]
"""From vectors `[n, D]` of a text, as the data has them, to the standings `[n, k]` of the k items; with gradient where scores have one."""

SAME = 1e-3
"""The part of a lead's size by which the same item may differ when it is asked for under another number: rounding."""


def standing_by_text_of_person(gauge: Gauge, observation: Observation, role: Role, tables: list[TextTable]) -> TextStanding:
    """The function for the text of a role of the person; `tables` are those that it is read from, `observation` `[1]` is the person's."""

    def standing(vectors: Tensor) -> Tensor:
        people = observation[torch.zeros(len(vectors), dtype=torch.int64)]
        rows = len(tables[0].values) + torch.arange(len(vectors))
        setattr(people, "user" if role == "user" else "context", rows)
        with ExitStack() as stack:
            for table in tables:
                stack.enter_context(table.appended(vectors))
            if gauge.measure == "lead":
                return gauge.leads(people, gauge.items.expand(len(vectors), -1))
            return gauge(people).standing

    return standing


def standing_by_text_of_item(gauge: Gauge, observation: Observation, known: Tensor, one_by_one: bool) -> TextStanding | None:
    """The function for the text of the gauge's one item. `known` `[M, D]` are the vectors of the items' texts in the data.

    The item's copies, with other vectors, are scored as further items, all at once. Without scores this is not possible, and a copy with
    the item's own vector may stand elsewhere than the item (it may be in the history, or a policy have more numbers for each item): its own
    vector is then replaced, once for each other vector, without gradient.

    one_by_one: whether that may be done, as it can take long; if not, None stands for it.
    """
    row = int(gauge.items[0])

    def with_copies(vectors: Tensor) -> Tensor:
        people = observation[torch.zeros(len(vectors), dtype=torch.int64)]
        with _copies(gauge.agent, known, vectors, row):
            return gauge.leads(people, (len(known) + torch.arange(len(vectors))).unsqueeze(1))

    def replaced(vectors: Tensor) -> Tensor:
        return torch.cat([_with_vector(gauge, observation, known, row, vector) for vector in vectors.detach()])

    if gauge.measure == "lead" and _copy_stands_alike(gauge, observation, with_copies, known[row : row + 1]):
        return with_copies
    return replaced if one_by_one else None


@torch.no_grad()
def _copy_stands_alike(gauge: Gauge, observation: Observation, with_copies: TextStanding, vector: Tensor) -> bool:
    own = gauge(observation).standing[0, 0]
    try:
        copied = with_copies(vector)[0, 0]
    except (IndexError, RuntimeError):  # something else has a row for each item
        return False
    return bool((own - copied).abs() <= SAME * own.abs().clamp(min=SAME))


@contextmanager
def _copies(agent: Agent, known: Tensor, vectors: Tensor, row: int) -> Iterator[None]:
    """Let the agent have n more items within the block: copies of item `row` whose texts have these vectors `[n, D]`."""
    with ExitStack() as stack:
        stack.callback(_forget_items, agent)
        for table in tables_of(agent, known):
            stack.enter_context(table.appended(vectors))
        for module in agent.modules():
            if isinstance(module, ItemProjection) and module.embedding is not None:
                learned = module.embedding
                stack.callback(setattr, module, "embedding", learned)
                copies = learned.detach()[row].expand(len(vectors), -1)
                module.embedding = nn.Parameter(torch.cat([learned.detach(), copies]), requires_grad=False)
        _forget_items(agent)
        yield


def _with_vector(gauge: Gauge, observation: Observation, known: Tensor, row: int, vector: Tensor) -> Tensor:
    """The standing `[1, 1]` of item `row` if its text had this vector `[D]`."""
    tables = tables_of(gauge.agent, known)
    changed = known.clone()
    changed[row] = vector
    try:
        for table in tables:
            table.replace(changed)
        _forget_items(gauge.agent)
        return gauge(observation).standing
    finally:
        for table in tables:
            table.replace(known)
        _forget_items(gauge.agent)


def _forget_items(agent: Agent) -> None:
    """Let the agent compute again what it computes of items."""
    agent.texts_moved()
    agent.prepare_to_act()
