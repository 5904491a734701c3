"""A trained policy as an object that recommends."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import Agent, Data, independent_copy
from recframe.serving.answers import Answerer
from recframe.serving.approximate import IndexedAgent, ProductIndex
from recframe.serving.exploration import Explorer
from recframe.serving.items import RankedItems
from recframe.serving.more_items import Build, agent_with_more, data_with_more
from recframe.serving.new_items import described_items, version_with
from recframe.serving.new_texts import NewTexts
from recframe.serving.prepared import PreparedAgent
from recframe.serving.query import Query, QueryReader
from recframe.serving.query_error import QueryError
from recframe.serving.question import Entry, Question

BATCH = 256
"""Questions that are answered at once."""

SAMPLED = 64
"""Questions by which approximate search is compared with exact search."""

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
    version: of the artefact, or of the run: a hash of all that its answers depend on. With items that are added, the attribute `version` is
        another one, made of this and of them; `base_version` stays.
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
        self.version = self.base_version = version
        self._build = build
        self._searches_approximately = False
        self._probes: int | None = None
        self._added: Mapping[str, str] = {}
        self._one_batch, self._one_addition = threading.Lock(), threading.Lock()
        self._answerer = Answerer(PreparedAgent(agent), QueryReader(data, agent.spec, excludes_history), new_texts, name, ranks, version)

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
            added = {**self._added, **described.contents()}
            version = version_with(self.base_version, added)
            reader = QueryReader(data, agent.spec, self.excludes_history)
            answerer = Answerer(self._prepared(agent), reader, new_texts, self.name, self.ranks, version)
            # what is done once, such as projecting all items, is done before anybody asks
            answerer.answers([Question(k=1)], None, [0])
            with self._one_batch:
                self.agent, self.data, self.new_texts, self._answerer = agent, data, new_texts, answerer
                self._added, self.version = added, version
        return described.ids

    def copy(self) -> LoadedPolicy:
        """The same policy, which gives the same answers, apart from this one: neither waits for the other's answers.

        Weights, vectors of texts, and the encoder are in memory once; what the agent computes of the items is there twice. While the copy
        is made, questions are answered.
        """
        with self._one_addition:
            twin = copy.copy(self)
            twin._one_batch, twin._one_addition = threading.Lock(), threading.Lock()
            twin.agent = independent_copy(self.agent, self._one_batch)
            with self._one_batch:
                # it may have been copied in the middle of an answer
                twin.agent.generator.set_state(self.agent.generator.get_state())
            twin.new_texts = self.new_texts.read_by(twin.agent, self.data)
            prepared, reader = self._answerer.prepared, self._answerer.reader
            index = prepared.index if isinstance(prepared, IndexedAgent) else None
            twin._answerer = Answerer(self._prepared(twin.agent, index), reader, twin.new_texts, self.name, self.ranks, self.version)
            return twin

    def search_approximately(self, probes: int | None = None) -> float:
        """Let an index find the items that are ranked, in place of the scores of all: much faster in a catalogue of a million items.

        Of the items with the best scores, some may then be missing. Candidates are ranked exactly, and so is exploration by scores.

        probes: lists of the index, of about sqrt(M), that are searched for each question; more find more of the best items, and take
            longer. None: an eighth, and 16 at least.

        Returns
        -------
        The share of the exact best 10 that is found, over a sample of histories of one item.

        Raises
        ------
        QueryError: the policy does not rank by products with vectors of items, or faiss is not installed.
        """
        if not self.ranks:
            raise QueryError(f"search: {self.name} ranks no items; set search.kind=exact")
        with self._one_addition, self._one_batch:
            ids = self.data.catalog.ids
            sample = [Question([item], exclude=()) for item in ids[:: max(1, len(ids) // SAMPLED)][:SAMPLED]]
            exact = self._answerer
            indexed = IndexedAgent(self.agent, self.name, probes)
            answerer = Answerer(indexed, exact.reader, self.new_texts, self.name, self.ranks, self.version)
            nothing = [0] * len(sample)
            pairs = list(zip(exact.answers(sample, None, nothing), answerer.answers(sample, None, nothing), strict=True))
            if wrong := [answer for pair in pairs for answer in pair if isinstance(answer, QueryError)]:
                raise wrong[0]
            self._answerer, self._searches_approximately, self._probes = answerer, True, probes
        best = [[item.id for item in answer] for pair in pairs for answer in pair if isinstance(answer, RankedItems)]
        shares = [len(set(one).intersection(found)) / len(one) for one, found in zip(best[::2], best[1::2], strict=True)]
        return sum(shares) / len(shares)

    def _prepared(self, agent: Agent, index: ProductIndex | None = None) -> PreparedAgent:
        return IndexedAgent(agent, self.name, self._probes, index) if self._searches_approximately else PreparedAgent(agent)

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
