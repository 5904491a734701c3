"""The references of every table of rankings on logs: what a policy must beat to have learned more than is known at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recframe.interfaces import Catalog, EnvironmentSpec, Log, Observation
from recframe.item_agents.exploration import RandomScores
from recframe.item_agents.search import rank_items
from recframe.references.logged.content_cosine import ContentCosine
from recframe.references.logged.counts import Counts
from recframe.references.logged.ease import EASE
from recframe.references.logged.item_knn import ItemKNN
from recframe.references.logged.scorer import LogScorer

EASE_ITEMS = 10_000
"""The largest catalogue for which the references include EASE: a few minutes and 2 GiB."""


class RandomRanker:
    """Items in random order: the lower bound."""

    reads_whole_history = False

    def __init__(self, num_items: int, generator: torch.Generator) -> None:
        self.num_items = num_items
        self.generator = generator

    def rank(self, observation: Observation, k: int) -> Tensor:
        """k random items of those that may be shown, `[N, k]`."""
        return rank_items(observation, RandomScores(len(observation.user), self.generator), self.num_items, k)


class ScorerRanker:
    """Items by the scores of a recommender that was fitted to a log.

    repeats: whether items of the history are ranked like others, where they may be shown at all.
    """

    reads_whole_history = True

    def __init__(self, scorer: LogScorer, repeats: bool = False) -> None:
        self.scorer = scorer
        self.repeats = repeats

    def rank(self, observation: Observation, k: int) -> Tensor:
        """The k items of the highest scores, `[N, k]`."""
        return rank_items(observation, self.scorer.scores(observation, self.repeats), self.scorer.spec.num_items, k)


def logged_references(
    log: Log, catalog: Catalog, *, signals: Sequence[str] | None = None, exclude_seen: bool = True, seed: int = 0
) -> dict[str, RandomRanker | ScorerRanker]:
    """Random, popular, `item_knn`, `ease` in catalogues of up to `EASE_ITEMS` items, and `content_cosine` where items have text vectors.

    All are fitted to `log` alone, with settings that are fixed in advance: those of the classes' defaults. To be compared with a policy,
    they may be given all that is known before the test: they choose nothing by the validation part.

    Parameters
    ----------
    log: the interactions of training.   catalog: its items; their popularity is not read.
    signals: the names of the feedback in observations to come; None: those of the log.
    exclude_seen: whether items of the history are never recommended; if not, they are ranked like others.
    seed: of the random ranking.

    Raises
    ------
    DataError: nothing in the log counts; see `recframe.references.logged.counted`.
    """
    device = log.items.device
    observed = log.signals if signals is None else tuple(signals)
    spec = EnvironmentSpec(log.num_users, 1, 1, log.num_items, observed, device=device)
    scorers: dict[str, LogScorer] = {"popular": Counts(spec), "item_knn": ItemKNN(spec)}
    if log.num_items <= EASE_ITEMS:
        scorers["ease"] = EASE(spec)
    vectors = catalog.text_vectors
    if vectors is not None and vectors.shape[1]:
        scorers["content_cosine"] = ContentCosine(spec, vectors)
    for scorer in scorers.values():
        scorer.fit(log)
    rankers = {name: ScorerRanker(scorer, repeats=not exclude_seen) for name, scorer in scorers.items()}
    return {"random": RandomRanker(log.num_items, torch.Generator(device).manual_seed(seed)), **rankers}
