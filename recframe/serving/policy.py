"""A trained policy as an object that recommends."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from recframe.evaluation.agent_policy import AgentPolicy
from recframe.interfaces import PAD, Agent, Data, Observation, Role
from recframe.serving.items import RankedItem, RankedItems
from recframe.serving.new_texts import ARGUMENTS, NewTexts
from recframe.serving.person import read_person
from recframe.serving.query import Entry, QueryReader, listed
from recframe.serving.query_error import QueryError


class LoadedPolicy:
    """The trained policy of a run, on the CPU, without exploration: the same question gets the same answer.

    It may be asked from several threads; one question is answered at a time.

    Parameters
    ----------
    agent: with the trained weights.   data: the run's data, as the agent reads it.   new_texts: reads texts that are not in it.
    name: how messages call the agent, such as "agent=dqn".   ranks: whether the agent implements `rank`.
    excludes_history: whether, as in the run, items of the history are not recommended again.
    folder: the run's, or the artefact's.
    """

    def __init__(
        self, agent: Agent, data: Data, new_texts: NewTexts, *, name: str, ranks: bool, excludes_history: bool, folder: Path
    ) -> None:
        self.agent = agent
        self.data = data
        self.new_texts = new_texts
        self.name = name
        self.ranks = ranks
        self.excludes_history = excludes_history
        self.folder = folder
        self._one_question = threading.Lock()
        self._reader = QueryReader(data, agent.spec, agent.reads_whole_history)

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
    ) -> RankedItems:
        """The k items to show first, best first, with their scores if the policy ranks by scores; fewer where fewer may be shown.

        Parameters
        ----------
        history: ids of the items that the person met, oldest first; an id means that it was clicked. `("17", {"rating": 4.0})` gives what
            the person did with it by the run's signals, of which those that are left out are 0.
        user: the id of a user of the run's data, for a policy that reads users.
        profile: a text about a person who is not in the data, for a policy that reads profiles. Without it, and without `user`, such a
            policy takes the mean of the profiles that it knows.
        context: what the person says, for a policy that reads it; None: the mean of what it knows.
        candidates: ids of the items that may be recommended; None: all.
        exclude: ids of items that may not be; None: those of the history, if the run excludes them, and else none.

        Raises
        ------
        recframe.errors.UserError: an id is not in the data, or the policy does not read what was given; the message is one line.
        """
        if not hasattr(k, "__index__") or k < 1:
            raise QueryError(f"k: {k!r} is not allowed; it must be a whole number >= 1")
        history = listed(history, "history")
        candidates = None if candidates is None else listed(candidates, "candidates")
        exclude = None if exclude is None else listed(exclude, "exclude")
        if exclude is None and self.excludes_history:
            exclude = [entry[0] if isinstance(entry, tuple) else entry for entry in history]
        rows, texts = read_person(self.data, self.agent.spec, user, profile, context)
        with self._one_question, self.new_texts.readable(texts) as new:
            observation = self._reader.observation(history, {**rows, **new}, candidates, exclude)
            if candidates == []:
                return RankedItems()
            items, scores = self._asked(observation, k, texts)
        ids, titles = self.data.catalog.ids, self.data.catalog.titles
        return RankedItems(RankedItem(ids[item], titles[item], score) for item, score in zip(items, scores, strict=True))

    def _asked(self, observation: Observation, k: int, texts: Mapping[Role, str | None]) -> tuple[list[int], Sequence[float | None]]:
        try:
            return self._ranked(observation, k)
        except IndexError:
            # something else than text vectors is read by the row of a text
            if not texts:
                raise
            role = next(iter(texts))
            what = {"user": "has learned a vector for each user, or reads labels of profiles; give the id of a user of the data"}
            reason = what.get(role, "reads labels of what is said; give one of the texts of the data")
            raise QueryError(f"{'user' if role == 'user' else ARGUMENTS[role]}: {self.name} {reason}") from None

    @torch.no_grad()
    def _ranked(self, observation: Observation, k: int) -> tuple[list[int], Sequence[float | None]]:
        """The rows of the items, best first, and their scores, or Nones."""
        with AgentPolicy(self.agent) as policy:
            if self.ranks:
                items = policy.rank(observation, min(k, len(self.data.catalog)))
                items = items[:, items[0] != PAD]
                scores = self.agent.scores_of_items(observation, items)
                rows: list[int] = items[0].tolist()
                return rows, [None] * len(rows) if scores is None else scores[0].tolist()
            if k > self.agent.spec.slate_size:
                raise QueryError(f"k: {self.name} ranks no items, it shows {self.agent.spec.slate_size}; k can be no more than that")
            shown: list[int] = policy(observation, turn=0)[0, :k].tolist()
            return shown, [None] * len(shown)
