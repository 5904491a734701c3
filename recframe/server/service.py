"""What a server does with questions and feedback: sessions, batches, records. The routes are its HTTP side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from recframe.errors import UserError
from recframe.feedback import RecordedDecision, RecordedFeedback, ShownAt, StoreError, StoreUnavailable
from recframe.feedback.store import FeedbackStore
from recframe.feedback.writes import FeedbackOutcome
from recframe.server.batching import Batcher, QueueFull
from recframe.server.config import ServeConfig
from recframe.server.explaining import Explainers, ToExplain
from recframe.server.live_metrics import LiveMetrics
from recframe.server.new_items import NewItems
from recframe.server.served import Asked, ServedPolicies, ServedPolicy
from recframe.server.sessions import SessionStates
from recframe.server.slates import Slate, answers_of
from recframe.serving.exploration import Explorer
from recframe.serving.load import load_policy
from recframe.serving.policy import LoadedPolicy
from recframe.serving.query_error import QueryError
from recframe.serving.question import Question

Answer = TypeVar("Answer")
MEGABYTE = 1_000_000
WORDS = "Something to read"
"""What a policy that reads words is asked with before it is served."""
log = logging.getLogger(__name__)
Record = RecordedDecision | RecordedFeedback


class Overloaded(Exception):
    """The server cannot answer now; the message says why."""


class Service:
    """Policies, the store, and the sessions of a server.

    Parameters
    ----------
    policies: which are asked, by name.   store: where decisions and feedback go.   config: the server's settings.
    trust_remote_code: run the code that comes with the model of a new artefact, if it asks for that.
    send_variable: send the values of environment variables, as a new artefact says; see `load_policy`.

    Raises
    ------
    recframe.errors.UserError: the store does not answer, or a policy cannot explore as the settings say.
    """

    def __init__(
        self,
        policies: Mapping[str, LoadedPolicy],
        store: FeedbackStore,
        config: ServeConfig,
        *,
        trust_remote_code: bool = False,
        send_variable: str | None = None,
    ) -> None:
        self.config = config
        self._trust_remote_code = trust_remote_code
        self._send_variable = send_variable
        self.policies = ServedPolicies([self.served(name, one) for name, one in policies.items()], config.share)
        self.store = store
        bounds = config.sessions
        self.sessions = SessionStates(bounds.capacity, bounds.megabytes * MEGABYTE, 60 * bounds.minutes, config.limits.history)
        self.metrics = LiveMetrics()
        self.metrics.gauge("recframe_sessions", "Sessions that are remembered.", lambda: len(self.sessions))
        self.metrics.gauge("recframe_session_bytes", "Memory of the sessions, about.", lambda: self.sessions.bytes)
        self.metrics.gauge("recframe_waiting", "Requests that wait for a policy or the store.", lambda: self.waiting)
        self.new_items = NewItems(self.policies, store)
        self._batchers: tuple[Batcher[Asked, Slate], Batcher[Record, FeedbackOutcome | None], Batcher[ToExplain, Any]] | None = None

    def served(self, name: str, policy: LoadedPolicy) -> ServedPolicy:
        """A policy as it is served: it has answered a question, so that the first visitor does not wait for what is done once.

        Raises
        ------
        QueryError: it cannot explore as the settings say.
        """
        search = self.config.search
        if search.kind == "approximate":
            share = policy.search_approximately(search.probes)
            log.info("%s: approximate search finds %.1f %% of the best 10 items", name, 100 * share)
        (usual,) = policy.recommend_many([Question(k=1)])
        explores = self.config.exploration.kind != "none"
        explorer = Explorer(self.config.exploration, self.config.seed) if explores else None
        served = ServedPolicy(name, policy, explorer)
        (explored,) = served.ask([Question(k=1)])
        if isinstance(explored, QueryError) and not isinstance(usual, QueryError):
            raise QueryError(f"exploration.kind={self.config.exploration.kind}: {explored}")
        profile, context = (WORDS if served.reads[what] else None for what in ("profile", "context"))
        if profile or context:
            # the first words load the encoder, which can take longer than a request may
            policy.recommend_many([Question(k=1, profile=profile, context=context)])
        return served

    def take(self, name: str, folder: Path) -> ServedPolicy:
        """Load a new artefact, and let it take the place of the policy of a name.

        Raises
        ------
        recframe.errors.UserError: it cannot be loaded, or the store does not answer; the old policy stays.
        """
        loaded = load_policy(folder, trust_remote_code=self._trust_remote_code, send_variable=self._send_variable)
        served = self.served(name, loaded)
        self.new_items.swap_in(served)
        return served

    def start(self) -> None:
        """Start the threads: one asks the policies, one writes, so that a batch is answered while the last one is written, one explains."""
        size, queue, explanations = self.config.batch.size, self.config.batch.queue, self.config.batch.explanations
        self._batchers = (
            Batcher(self._ask, size, queue, "recframe-policies"),
            # a whole batch of answers comes at once, and is not refused after it was made
            Batcher(self._write, size, queue + size, "recframe-store"),
            # one at a time: each takes as long as many answers, and is told as soon as it is known
            Batcher(Explainers().explained, 1, explanations, "recframe-explanations"),
        )

    def close(self) -> None:
        """Answer what waits, and stop the threads."""
        for one in self._batchers or ():
            one.close()

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return sum(len(one) for one in self._batchers or ())

    async def slate(self, asked: Asked) -> Slate:
        """The policy's answer.

        Raises
        ------
        QueryError: the question is none that the policy can answer.   Overloaded: too many wait.
        """
        assert self._batchers is not None
        return await self._in_time(self._batchers[0], asked)

    async def record(self, decision: RecordedDecision) -> None:
        """Store a decision. It is on disk when this returns.

        Raises
        ------
        StoreError: it could not be stored.   Overloaded: too many wait.
        """
        assert self._batchers is not None
        await self._in_time(self._batchers[1], decision)

    async def record_feedback(self, feedback: RecordedFeedback) -> FeedbackOutcome:
        """Store feedback, and add it to the session's history, unless the session is somebody else's now. It is on disk when this returns.

        Raises
        ------
        FeedbackRefused: it cannot be stored as it is.   StoreError, Overloaded: as for `record`.
        """
        assert self._batchers is not None
        outcome = await self._in_time(self._batchers[1], feedback)
        assert outcome is not None
        told = (outcome.session, feedback.recommendation, feedback.item, feedback.signals, outcome.person)
        if outcome.stored:
            self.sessions.add_feedback(*told)
            self.metrics.told(outcome.policy, feedback.signals)
        else:
            # it may have been stored by a request that was given up before its answer
            self.sessions.add_missing(*told)
        return outcome

    async def shown_at(self, recommendation: str, item: str) -> ShownAt:
        """How an item was shown by a recommendation; see `FeedbackStore.shown_at`."""
        return await run_in_threadpool(self.store.shown_at, recommendation, item)

    async def explain(self, asked: Asked, item: str, shown: ShownAt | None = None) -> dict[str, Any]:
        """Why the policy ranks an item where it does, ready for JSON. shown: how it was shown; None: that is not known.

        Raises
        ------
        UserError: the policy cannot answer the question, or does not have the item.   Overloaded: too many wait.
        """
        assert self._batchers is not None
        served = self.policies[asked.policy]
        found: dict[str, Any] = await self._in_time(self._batchers[2], ToExplain(served, served.fitted(asked), item, shown))
        return found

    async def sentences(self, slate: Slate) -> list[str | None]:
        """For each item of a slate, why it is shown; None where that cannot be told now."""
        assert self._batchers is not None
        try:
            found: list[str | None] = await self._in_time(self._batchers[2], ToExplain(slate.by, slate.question, slate.items))
        except (UserError, Overloaded) as error:
            log.warning("a slate is shown without reasons: %s", error)
            return [None] * len(slate.items)
        return found

    async def _in_time(self, batcher: Batcher[Any, Answer], asked: Any) -> Answer:
        try:
            return await asyncio.wait_for(batcher.submit(asked), self.config.batch.seconds)
        except QueueFull:
            raise Overloaded("too many requests wait; try again") from None
        except TimeoutError:
            raise Overloaded("it takes too long now; try again, feedback with the same key") from None

    def _ask(self, asked: Sequence[Asked]) -> list[Slate | Exception]:
        """Answers of the policies, each of which is asked once for all of its questions."""
        answers: dict[int, Slate | Exception] = {}
        for name in dict.fromkeys(one.policy for one in asked):
            # the policy of this moment: one that is swapped in meanwhile answers the next batch
            served = self.policies[name]
            questions = {place: served.fitted(one) for place, one in enumerate(asked) if one.policy == name}
            for (place, question), items in zip(questions.items(), answers_of(served, list(questions.values())), strict=True):
                answers[place] = items if isinstance(items, Exception) else Slate(served, question, items)
        return [answers[place] for place in range(len(asked))]

    def _write(self, records: Sequence[Record]) -> Sequence[FeedbackOutcome | Exception | None]:
        """Store records in one transaction; where a bad one fails, each in its own."""
        decisions = [one for one in records if isinstance(one, RecordedDecision)]
        feedbacks = [one for one in records if isinstance(one, RecordedFeedback)]
        try:
            outcomes = iter(self.store.record(decisions, feedbacks))
        except StoreUnavailable:
            raise
        except StoreError as error:
            return [error] if len(records) == 1 else [answer for one in records for answer in self._write([one])]
        return [None if isinstance(one, RecordedDecision) else next(outcomes) for one in records]
