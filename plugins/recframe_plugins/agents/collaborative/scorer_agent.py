"""Recommenders of logs as agents: `recframe.references.logged` has their equations."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from recframe.interfaces import Agent, Decision, Experience, Log, NoExperience, Observation, WholeLog, without_questions
from recframe.item_agents.search import ItemScores, rank_items, search_items
from recframe.references.logged import LogScorer


class ScorerAgent(Agent):
    """Shows the items with the highest scores of a recommender that is fitted to a log once. It does not explore or plan.

    In a simulator it goes on with what the log told, and reads the session's history. It asks no questions: no experience could teach it
    when.

    Parameters
    ----------
    scorer: the recommender.   repeats: whether items of the history are scored like others; if not, they come last.
    learns: whether it needs the log.
    """

    reads_whole_history = True

    def __init__(self, scorer: LogScorer, seed: int, repeats: bool = False, learns: bool = True) -> None:
        super().__init__(scorer.spec, seed)
        self.scorer = scorer
        self.repeats = repeats
        self.learns = learns

    @property
    def experience(self) -> Experience:
        """The whole log, once, or nothing."""
        return WholeLog() if self.learns else NoExperience()

    def scores(self, observation: Observation) -> ItemScores:
        """The scores of all items."""
        return self.scorer.scores(observation, self.repeats)

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The items of the highest scores, whether it explores or not."""
        items = self.spec.first_question
        observation = without_questions(observation, items)
        return Decision(search_items(observation, self.scores(observation), items, self.spec.slate_size).items)

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The items of the highest scores, `[N, k]`."""
        items = self.spec.first_question
        observation = without_questions(observation, items)
        return rank_items(observation, self.scores(observation), items, k)

    @torch.no_grad()
    def scores_of_items(self, observation: Observation, items: Tensor) -> Tensor | None:
        """The scores `[N, C]`."""
        return self.scores(observation).of(items)

    @torch.no_grad()
    def scores_of_all(self, observation: Observation) -> Tensor | None:
        """The scores `[N, M]`, computed together."""
        return self.scores(observation).between(0, self.spec.num_items)

    def losses(self, log: Log) -> Iterator[tuple[str, Tensor]]:
        """No losses: the recommender is fitted."""
        self.scorer.fit(log)
        yield from ()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers."""
        return {}
