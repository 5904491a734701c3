"""Answers to batches of questions, with one pass of the policy's networks for those that are alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from recframe.errors import UserError
from recframe.interfaces import PAD, Observation
from recframe.serving.choice_set import ChoiceSet
from recframe.serving.exploration import Chosen, Explorer, certain_slate
from recframe.serving.items import RankedItem, RankedItems
from recframe.serving.new_texts import ARGUMENTS, NewTexts
from recframe.serving.observations import batch_of
from recframe.serving.preferences import Preferences
from recframe.serving.prepared import PreparedAgent
from recframe.serving.query import Query, QueryReader
from recframe.serving.query_error import QueryError
from recframe.serving.question import Question
from recframe.serving.rules import NO_RULES

Answer = RankedItems | QueryError


class Answerer:
    """Answers questions. The arguments are those of `LoadedPolicy`, and what reads questions."""

    def __init__(self, prepared: PreparedAgent, reader: QueryReader, new_texts: NewTexts, name: str, ranks: bool, version: str) -> None:
        self.prepared = prepared
        self.spec = prepared.agent.spec
        self.reader = reader
        self.new_texts = new_texts
        self.name = name
        self.ranks = ranks
        self.version = version

    def answers(self, questions: Sequence[Question], explorer: Explorer | None, seeds: Sequence[int]) -> list[Answer]:
        """An answer to each question, in their order.   seeds: of the explorer, one for each."""
        answers: dict[int, Answer] = {}
        queries: dict[int, Query] = {}
        for place, question in enumerate(questions):
            try:
                queries[place] = self.read(question)
            except QueryError as error:
                answers[place] = error
        for places in _alike(queries):
            batch = [queries[place] for place in places]
            answers |= zip(places, self._together(batch, explorer, [seeds[place] for place in places]), strict=True)
        return [answers[place] for place in range(len(questions))]

    def read(self, question: Question) -> Query:
        """The question in numbers.

        Raises
        ------
        QueryError: it cannot be answered.
        """
        query = self.reader.read(question)
        self.new_texts.require_readable(query.texts)
        if not self.ranks and query.k > self.spec.slate_size:
            raise QueryError(f"k: {self.name} ranks no items, it shows {self.spec.slate_size}; k can be no more than that")
        return query

    def _together(self, queries: Sequence[Query], explorer: Explorer | None, seeds: Sequence[int]) -> list[Answer]:
        """The answers to queries that are alike (see `_alike`), or what is wrong with them."""
        try:
            answers = self._answered(queries, explorer, seeds)
        except (UserError, IndexError) as error:
            if len(queries) == 1:
                return [self.as_query_error(error, queries[0])]
            answers = None
        if answers is not None:
            return list(answers)
        return [answer for query, seed in zip(queries, seeds, strict=True) for answer in self._together([query], explorer, [seed])]

    def _answered(self, queries: Sequence[Query], explorer: Explorer | None, seeds: Sequence[int]) -> list[RankedItems] | None:
        """The answers, or None: the queries cannot be answered together."""
        k = queries[0].k
        with self.new_texts.readable([query.texts for query in queries]) as new:
            rows = [{**query.rows, **found} for query, found in zip(queries, new, strict=True)]
            history_length = None if self.prepared.agent.reads_whole_history else self.spec.history_length
            observation = batch_of(queries, rows, len(self.spec.signals), history_length)
            first: list[list[int]] = [[] for _ in queries]
            if explorer is None or not explorer.draws_by_scores:
                first = (self.prepared.rank(observation, k) if self.ranks else self.prepared.slates(observation)[:, :k]).tolist()
                if len(queries) > 1 and self.prepared.draws_at_random():
                    # what is drawn for one person must not depend on who else asks
                    return None
            chosen = [
                self._chosen(query, observation[row : row + 1], items, explorer, seed)
                for row, (query, items, seed) in enumerate(zip(queries, first, seeds, strict=True))
            ]
            scores = self._scores(observation, [slate.items for slate in chosen])
        return [self._ranked_items(*pair) for pair in zip(chosen, scores, strict=True)]

    def _chosen(self, query: Query, observation: Observation, first: list[int], explorer: Explorer | None, seed: int) -> Chosen:
        if (explorer is None or not explorer.explores) and self.ranks and query.rules is NO_RULES:
            items = [item for item in first if item != PAD]
            return Chosen(items, [1.0] * len(items), False)
        candidates = None if query.candidates is None else torch.tensor(query.candidates, dtype=torch.int64)
        excluded = torch.tensor(query.excluded, dtype=torch.int64)
        choice = ChoiceSet(self.spec.num_items, candidates, excluded, query.rules, query.k)
        preferences = Preferences(self.prepared, observation, self.ranks, first)
        return certain_slate(preferences, choice) if explorer is None else explorer.choose(preferences, choice, seed)

    def _scores(self, observation: Observation, slates: Sequence[list[int]]) -> list[Sequence[float | None]]:
        """The scores of each slate's items, or Nones."""
        longest = max(map(len, slates))
        scores: Tensor | None = None
        if self.ranks and longest:
            # item 0 stands in places that are left over
            items = torch.tensor([[*slate, *[0] * (longest - len(slate))] for slate in slates])
            scores = self.prepared.scores(observation, items)
        if scores is None:
            return [[None] * len(slate) for slate in slates]
        return [values[: len(slate)] for slate, values in zip(slates, scores.tolist(), strict=True)]

    def _ranked_items(self, chosen: Chosen, scores: Sequence[float | None]) -> RankedItems:
        ids, titles = self.reader.ids, self.reader.titles
        places = zip(chosen.items, scores, chosen.propensities, strict=True)
        items = (RankedItem(ids[item], titles[item], score, chance) for item, score, chance in places)
        return RankedItems(items, chosen.explored, self.version)

    def as_query_error(self, error: UserError | IndexError, query: Query) -> QueryError:
        """What is wrong with a question that was read, but could not be answered."""
        if isinstance(error, QueryError):
            return error
        if isinstance(error, UserError):
            return QueryError(str(error))
        # something else than text vectors is read by the row of a text
        if not query.texts:
            raise error
        role = next(iter(query.texts))
        what = {"user": "has learned a vector for each user, or reads labels of profiles; give the id of a user of the data"}
        reason = what.get(role, "reads labels of what is said; give one of the texts of the data")
        return QueryError(f"{'user' if role == 'user' else ARGUMENTS[role]}: {self.name} {reason}")


def _alike(queries: Mapping[int, Query]) -> Iterator[list[int]]:
    """The places of queries that can be answered in one batch: by their k, and by whether they have candidates."""
    groups: dict[object, list[int]] = {}
    for place, query in queries.items():
        groups.setdefault((query.k, query.candidates is None), []).append(place)
    yield from groups.values()
