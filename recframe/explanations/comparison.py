"""A policy asked a question as it is, and without each of its parts, in one batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from recframe.explanations.gauge import Gauge, Standings
from recframe.explanations.leave_outs import ENTRIES, LeaveOut, last_entries, leave_outs
from recframe.interfaces import Observation, Role
from recframe.serving.observations import batch_of
from recframe.serving.policy import LoadedPolicy
from recframe.serving.prepared import PreparedAgent
from recframe.serving.query import Query

UNREAD = "the policy has learned something of each known user or text, so that it cannot be asked about an unknown one in their place"


@dataclass(frozen=True)
class LeftOutParts:
    """How items stand with and without the parts of a question.

    query: with the part of the history that the policy reads.   items: their numbers.   gauge: measures how they stand.
    outs: the leave-outs, of which the first leaves nothing out.   standings: with each.   observation: of the whole question, `[1]`.
    drawn: whether the policy draws what it shows at random.   notes: what could not be compared.
    """

    query: Query
    items: list[int]
    gauge: Gauge
    outs: Sequence[LeaveOut]
    standings: Standings
    observation: Observation
    drawn: bool
    notes: tuple[str, ...]

    def number_of(self, kind: Literal["everything", "whole_history"]) -> int | None:
        """The number of this leave-out; None: there is none, or it could not be asked."""
        return next((number for number, out in enumerate(self.outs) if out.kind == kind), None)


@contextmanager
def compared(policy: LoadedPolicy, query: Query, prepared: PreparedAgent, items: list[int]) -> Iterator[LeftOutParts]:
    """The comparison; within the block the policy can read the texts of the question."""
    agent = policy.agent
    read = last_entries(query, None if agent.reads_whole_history else agent.spec.history_length)
    notes = [] if len(read.history) <= ENTRIES else [f"of the history, the last {ENTRIES} items are told apart"]
    if len(read.history) < len(query.history):
        notes.append(f"the policy reads the last {len(read.history)} items of the history")
    gauge = Gauge(prepared, policy.ranks, items, query.k)
    known: list[Role] = [*query.rows, *(role for role, text in query.texts.items() if text is not None)]
    roles: list[Role] = [*query.rows, *query.texts]
    with policy.new_texts.readable([query.texts, dict.fromkeys(roles)]) as (own, unknown):
        rows = {**query.rows, **own}
        outs = leave_outs(read, known)
        try:
            observation, standings = _asked(gauge, outs, rows, unknown)
        except IndexError:
            outs = [out for out in outs if not out.unknown]
            notes.append(UNREAD)
            observation, standings = _asked(gauge, outs, rows, unknown)
        yield LeftOutParts(read, items, gauge, outs, standings, observation[:1], prepared.draws_at_random(), tuple(notes))


def _asked(gauge: Gauge, outs: Sequence[LeaveOut], rows: Mapping[Role, int], unknown: Mapping[Role, int]) -> tuple[Observation, Standings]:
    spec, whole = gauge.agent.spec, gauge.agent.reads_whole_history
    of_each = [{role: unknown[role] if role in out.unknown else row for role, row in rows.items()} for out in outs]
    observation = batch_of([out.query for out in outs], of_each, len(spec.signals), None if whole else spec.history_length)
    return observation, gauge(observation)
