"""A trained policy as an object that recommends."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import Agent, Data
from recframe.serving.answers import Answerer
from recframe.serving.exploration import Explorer
from recframe.serving.items import RankedItems
from recframe.serving.more_items import Build, agent_with_more, data_with_more
from recframe.serving.new_items import described_items
from recframe.serving.new_texts import NewTexts
from recframe.serving.prepared import PreparedAgent
from recframe.serving.query import Query, QueryReader
from recframe.serving.query_error import QueryError
from recframe.serving.question import Entry, Question

BATCH = 256
"""Questions that are answered at once."""

ENCODED = 64
"""Texts of new items that are encoded at once."""


class LoadedPolicy:
    """The trained policy of a run, on the CPU, without exploration unless it is asked for: the same question gets the same answer.

    It may be asked from several threads; one batch of questions is answered at a time.

    Parameters
    ----------
    agent: with the trained weights.   data: the run's data, as the agent reads it.   new_texts: reads texts that are not in it.
    build: builds the agent without its weights.
    name: how messages call the agent, such as "agent=dqn".   ranks: whether the agent implements `rank`.
    excludes_history: whether, as in the run, items of the history are not recommended again.
    folder: the run's, or the artefact's.
    version: of the artefact, or of the run: a hash of all that its answers depend on, but for items that are added.
    """

    def __init__(
        self,
        agent: Agent,
        data: Data,
        new_texts: NewTexts,
        *,
        build: Build,
        name: str,
        ranks: bool,
        excludes_history: bool,
        folder: Path,
        version: str,
    ) -> None:
        self.agent = agent
        self.data = data
        self.new_texts = new_texts
        self.name = name
        self.ranks = ranks
        self.excludes_history = excludes_history
        self.folder = folder
        self.version = version
        self._build = build
        self._one_batch, self._one_addition = threading.Lock(), threading.Lock()
        self._answerer = Answerer(PreparedAgent(agent), QueryReader(data, agent.spec, excludes_history), new_texts, name, ranks)

    def __repr__(self) -> str:
        return f"<{self.name} of {self.folder}, {len(self.data.catalog):,} items>"

    def recommend(
        self,
        history: Sequence[Entry] = (),
        user: str | int | None = None,
        profile: str | None = None,
        context: str | None = None,
        k: int = 10,
        candidates: Sequence[str | int] | None = None,
        exclude: Sequence[str | int] | None = None,
        must_include: Sequence[str | int] = (),
        at_most: Mapping[str, int] | None = None,
        explorer: Explorer | None = None,
    ) -> RankedItems:
        """The k items to show first, best first, with their scores if the policy ranks by scores; fewer where fewer may be shown.

        The other arguments are those of `Question`.

        Parameters
        ----------
        explorer: chooses places at random in its way; None: no exploration.

        Raises
        ------
        recframe.errors.UserError: an id is not in the data, the policy does not read what was given, the rules contradict each other, or
            the policy cannot explore in this way; the message is one line.
        """
        question = Question(history, user, profile, context, k, candidates, exclude, must_include, {} if at_most is None else at_most)
        answer = self.recommend_many([question], explorer)[0]
        if isinstance(answer, QueryError):
            raise answer
        return answer

    def recommend_many(
        self, questions: Sequence[Question], explorer: Explorer | None = None, seeds: Sequence[int] | None = None
    ) -> list[RankedItems | QueryError]:
        """The answers to many questions, in their order; the error in place of the answer to a bad one. They are computed together.

        They are those that `recommend` gives one after the other, but for the last digits of scores, which depend on how many are computed
        together.

        Parameters
        ----------
        explorer: as for `recommend`.   seeds: one for each question, from `Explorer.seeds`; None: the explorer's next ones.
        """
        if seeds is None:
            seeds = [0] * len(questions) if explorer is None else explorer.seeds(len(questions))
        answers: list[RankedItems | QueryError] = []
        for first in range(0, len(questions), BATCH):
            part = slice(first, first + BATCH)
            with self._one_batch:
                answers += self._answerer.answers(questions[part], explorer, seeds[part])
        return answers

    def add_items(self, items: Sequence[Mapping[str, Any]], places: Sequence[str] | None = None) -> list[str]:
        """Let the policy recommend further items, of which it knows the texts. Returns the ids of those that were not there.

        They can be in histories, candidates and rules, too. Their texts are encoded as those of the run were. They are there for this
        object only, all of them or none, and from one question to the next: it may be asked meanwhile.

        Parameters
        ----------
        items: for each an `id`, a `text` (without it, the `title` is the text), and any attributes of the run's items. One that is there
            with the same text is left out.
        places: how messages name each of them; None: by their number.

        Raises
        ------
        ItemsError: some of them are wrong, with a line for each.
        QueryError: the policy cannot take new items: it has learned something about each item, or new texts cannot be read.
        """
        places = [f"item {number}" for number in range(1, len(items) + 1)] if places is None else places
        with self._one_addition:
            described = described_items(items, places, self.data.catalog)
            if not described.ids:
                return []
            if self.new_texts.refused:
                raise QueryError(f"new items: {self.new_texts.refused}")
            data = data_with_more(self.data, described, self._encoded(described.texts))
            agent = agent_with_more(self.agent, data, self._build, self.name)
            new_texts = self.new_texts.read_by(agent, data)
            answerer = Answerer(
                PreparedAgent(agent), QueryReader(data, agent.spec, self.excludes_history), new_texts, self.name, self.ranks
            )
            with self._one_batch:
                self.agent, self.data, self.new_texts, self._answerer = agent, data, new_texts, answerer
        return described.ids

    def _encoded(self, texts: list[str]) -> Tensor:
        """The vectors `[n, D]` of items' texts, computed in parts, between which questions are answered."""
        parts = []
        for first in range(0, len(texts), ENCODED):
            with self._one_batch:
                parts.append(self.new_texts.encoded(texts[first : first + ENCODED], "item"))
        return torch.cat(parts)

    @contextmanager
    def inspected(self, question: Question, items: Sequence[str | int]) -> Iterator[tuple[Query, list[int], PreparedAgent]]:
        """For explanations: the question and the items in numbers, and the agent, which answers nobody else within the block.

        Raises
        ------
        QueryError: as for `recommend`; an `IndexError` of the block, too, where a text is new and something else is read by its row.
        """
        with self._one_batch:
            answerer = self._answerer
            query = answerer.read(question)
            try:
                yield query, answerer.reader.rows(items, "item"), answerer.prepared
            except IndexError as error:
                raise answerer.as_query_error(error, query) from None
