"""Whether explanations are faithful to the policy: deletion of what they find important, against deletion at random.

Of a faithful explanation, leaving out the k parts with the largest effects lowers the item's standing more than leaving out k parts at
random (Samek et al., 2017; Hooker et al., 2019). Single parts cannot tell, as leave-one-out is exact for them; several can, since effects
need not add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import torch

from recframe.evaluation.statistics import Interval, ratio_intervals
from recframe.explanations.comparison import compared
from recframe.explanations.explain import explain
from recframe.explanations.explanation import Explanation, WordEffects
from recframe.explanations.text_standings import standing_by_text_of_item
from recframe.serving.policy import LoadedPolicy
from recframe.serving.question import Question

Deleted = Literal["history", "profile", "item"]
"""What parts are left out: items of the history, words of the profile, or words of the item's text."""


class Deletion(NamedTuple):
    """How much the standing of Q items falls when parts are left out.

    attributed: `[Q]`, those with the largest effects.   random: `[Q]`, as many at random, the mean over draws.
    """

    attributed: np.ndarray
    random: np.ndarray

    @property
    def difference(self) -> Interval:
        """The mean of attributed less random, with its interval over questions."""
        gain = (self.attributed - self.random)[:, None]
        return ratio_intervals(gain, np.ones_like(gain), seed=0)[0]


def deletions(
    policy: LoadedPolicy,
    questions: Sequence[Question],
    of: Sequence[Deleted],
    k: int,
    *,
    words: str = "auto",
    draws: int = 8,
    seed: int = 0,
) -> dict[Deleted, Deletion]:
    """Leave out k parts of what each question says, or of the text of the item that is recommended first.

    policy: ranks by scores.   words: as for `explain`.   draws: random choices of k parts for each question.
    """
    generator = np.random.default_rng(seed)
    falls: dict[Deleted, list[tuple[float, float]]] = {one: [] for one in of}
    for question in questions:
        about = explain(policy, question, words="none" if list(of) == ["history"] else words)
        for one, found in falls.items():
            effects = np.array(_effects(about, one))
            chosen = [np.argsort(-effects)[:k], *(generator.permutation(len(effects))[:k] for _ in range(draws))]
            standings = _standings(policy, question, about, one, [set(map(int, parts)) for parts in chosen])
            found.append((standings[0] - standings[1], float(np.mean(standings[0] - standings[2:]))))
    return {one: Deletion(*np.array(found).T) for one, found in falls.items()}


def _effects(about: Explanation, of: Deleted) -> list[float]:
    return [part.effect for part in about.history] if of == "history" else [word.effect for word in _words(about, of).words]


def _words(about: Explanation, of: Deleted) -> WordEffects:
    return next(words for words in about.words if words.of == of)


def _standings(policy: LoadedPolicy, question: Question, about: Explanation, of: Deleted, deleted: Sequence[set[int]]) -> np.ndarray:
    """The standings of the item with everything, and without each of the sets of parts."""
    sets = [set[int](), *deleted]
    if of == "item":
        return _by_item_text(policy, question, about.id, [_without_words(about, of, one) for one in sets])
    found = [explain(policy, _without(question, about, of, one), about.id, words="none").lead for one in sets]
    return np.array(found)


def _without(question: Question, about: Explanation, of: Deleted, parts: set[int]) -> Question:
    if of == "profile":
        return replace(question, profile=_without_words(about, of, parts))
    # the lead is compared, which what may be shown does not change
    return replace(question, history=[entry for place, entry in enumerate(question.history) if place not in parts])


def _without_words(about: Explanation, of: Deleted, parts: set[int]) -> str:
    words = _words(about, of)
    text = words.text
    for place in sorted(parts, reverse=True):
        word = words.words[place]
        text = text[: word.start] + text[word.end :]
    return text


def _by_item_text(policy: LoadedPolicy, question: Question, item: str, texts: list[str]) -> np.ndarray:
    with policy.inspected(question, [item]) as (query, rows, prepared), compared(policy, query, prepared, rows) as comparison:
        known = policy.data.catalog.text_vectors
        assert known is not None, "items have no vectors"
        standing = standing_by_text_of_item(comparison.gauge, comparison.observation, known, one_by_one=True)
        assert standing is not None
        with torch.no_grad():
            return standing(policy.new_texts.encoded(texts, "item"))[:, 0].numpy()
