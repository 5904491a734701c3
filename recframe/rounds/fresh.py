"""Fresh slates of a store as the gate reads them: what was shown, and what two policies would have shown."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
import polars as pl
import torch

from recframe.errors import UserError
from recframe.feedback.store import FeedbackStore
from recframe.rounds.questions import Histories, StoredQuestions
from recframe.rounds.slates import NOTHING, LoggedSlates
from recframe.runner.decision_features import features_of_decisions
from recframe.serving.items import RankedItems
from recframe.serving.new_items import version_of_added
from recframe.serving.policy import LoadedPolicy

log = logging.getLogger(__name__)

MOST_UNANSWERED = 0.05
"""The share of questions without an answer, or with an answer that is not what was shown, from which on nothing is estimated."""

ASKED_AT_ONCE = 1_024
"""Questions whose candidates and exclusions are in memory at once: a request may bring thousands of ids."""


@dataclass(frozen=True)
class FreshSlates:
    """Slates that were shown, and those of two policies.

    log: see `LoggedSlates`; the context is the mean text vector of the history.   items: `[M, Z]`, features of items, or None.
    old, new: `[n, K]`, what each policy shows, `NOTHING` after the end.
    """

    log: LoggedSlates
    old: np.ndarray
    new: np.ndarray
    items: np.ndarray | None


class UnlikeQuestions(UserError):
    """What was asked cannot be asked again, so that nothing can be estimated."""


def fresh_slates(store: FeedbackStore, old: LoadedPolicy, new: LoadedPolicy, after: float, until: float, signal: str) -> FreshSlates | None:
    """What was shown after a moment, until another, with all feedback so far; None: there was nothing.

    Parameters
    ----------
    after, until: unix seconds, exclusive and inclusive.   signal: what of the feedback is the reward.

    Raises
    ------
    UnlikeQuestions: a policy cannot answer the questions, the new one cannot answer what the old one can, or the old one's answers are
        not what was shown where nothing was explored.
    """
    within = (pl.col("timestamp") > after) & (pl.col("timestamp") <= until)
    shown = store.log_frame(since=after).filter(within)
    if shown.is_empty():
        return None
    if signal not in shown.columns:
        raise UnlikeQuestions(f"--signal {signal}: the store has no such signal; it has: {', '.join(store.signals()) or 'none'}")
    lengths = shown.group_by("recommendation").agg(pl.len().alias("shown"))
    rows = store.asked_frame(since=after).filter(within).join(lengths, on="recommendation", how="inner", maintain_order="left")
    questions = StoredQuestions(store, rows)
    slates, there = _answers((old, new), questions, store)
    _require_lists(there)
    rows, slates = rows.filter(there), [list(compress(of_policy, there)) for of_policy in slates]
    histories = list(compress(questions.histories, there))
    place: dict[str, int] = {}
    # the new policy's items first, as in its vectors
    for item in (*new.data.catalog.ids, *old.data.catalog.ids, *shown["item"].unique(maintain_order=True)):
        place.setdefault(item, len(place))
    most = max(max(rows["shown"].to_list(), default=0), *(len(slate) for of_policy in slates for slate in of_policy if slate is not None))
    logged = _logged(shown, rows, signal, place, most)
    numbers = [_numbers(of_policy, place, most) for of_policy in slates]
    asked = _can_be_asked(rows["version"], (old, new), store)
    if not asked.any():
        raise UnlikeQuestions("all recommendations were made while other items had been added than there are now")
    answered = np.array([one is not None and other is not None for one, other in zip(*slates, strict=True)]) & asked
    if (share := 1 - answered[asked].mean()) > MOST_UNANSWERED:
        raise UnlikeQuestions(
            f"the policies cannot answer {share:.0%} of the questions of the store; they read other things than those served"
        )
    _require_new_answers(*([of_policy[row] for row in np.flatnonzero(asked)] for of_policy in slates))
    _require_own_answers(rows, {old.base_version, old.version}, (logged.shown == numbers[0]).all(axis=1))
    kept = np.flatnonzero(answered)
    contexts = _contexts(new, [histories[row] for row in kept], place)
    features = features_of_decisions(contexts, _vectors(new, len(place)))
    judged = replace(logged.rows(kept), contexts=features.contexts)
    return FreshSlates(judged, numbers[0][kept], numbers[1][kept], features.items)


def _require_lists(there: np.ndarray) -> None:
    """Check that the candidates and exclusions of some recommendations are there, `[n]` bool.

    Raises
    ------
    UnlikeQuestions: those of none are.
    """
    if not there.any():
        raise UnlikeQuestions("the candidates and exclusions of all recommendations have been removed from the store (feedback.list_days)")
    if not there.all():
        log.info("%d of %d recommendations are left out: their candidates or exclusions are gone", (~there).sum(), len(there))


Slates = list[list[str] | None]
"""For each question the items that a policy shows; None: it has no answer."""


def _answers(policies: Sequence[LoadedPolicy], questions: StoredQuestions, store: FeedbackStore) -> tuple[list[Slates], np.ndarray]:
    """The answers of each policy to all questions: to those from before items were added, as it is without them.

    Also which questions could be asked of all policies, `[n]` bool: the lists of others were gone, for one of them at least.
    """
    found: list[Slates] = [[None] * len(questions) for _ in policies]
    there = np.ones(len(questions), dtype=bool)
    before = questions.without_added_items
    for places, with_added in ((before.arg_true().to_list(), False), ((~before).arg_true().to_list(), True)):
        for policy, slates in zip(policies, found, strict=True):
            if with_added:
                _add_items(policy, store)
            for first in range(0, len(places), ASKED_AT_ONCE):
                block = places[first : first + ASKED_AT_ONCE]
                asked = {
                    place: question for place, question in zip(block, questions.to(policy, block), strict=True) if question is not None
                }
                there[[place for place in block if place not in asked]] = False
                for place, answer in zip(asked, policy.recommend_many(list(asked.values())), strict=True):
                    slates[place] = answer.ids if isinstance(answer, RankedItems) else None
    return found, there


def _can_be_asked(versions: pl.Series, policies: Sequence[LoadedPolicy], store: FeedbackStore) -> np.ndarray:
    """Which recommendations were made with no added items, or with those that are there now, `[n]`. Of others it is not known with which.

    versions: of the policies that made them.   policies: that have the added items.
    """
    added = set(store.items_frame().filter("added")["id"])
    endings = {version_of_added(policy.data.catalog, added) for policy in policies}
    # one that was trained with some of them counts the others alone
    endings |= {policy.version.removeprefix(policy.base_version) for policy in policies}
    found = versions.str.extract(r"(\+.*)$").fill_null("")
    known: np.ndarray = (found.is_in(["", *endings])).to_numpy()
    if not known.all():
        log.info("%d of %d recommendations are left out: other items had been added then than are now", (~known).sum(), len(known))
    return known


def _add_items(policy: LoadedPolicy, store: FeedbackStore) -> None:
    """Let a policy have the items that were added to those that are served."""
    added = store.items_frame().filter("added").drop("added")
    if added.is_empty():
        return
    entries = [{**json.loads(row.pop("attributes")), **row} for row in added.iter_rows(named=True)]
    try:
        policy.add_items([{name: value for name, value in entry.items() if value is not None} for entry in entries])
    except UserError as error:
        # as in the server, where such a policy goes on without them
        log.info("version %s is asked without the %d items that were added: %s", policy.version, len(added), error)


def _logged(shown: pl.DataFrame, rows: pl.DataFrame, signal: str, place: dict[str, int], most: int) -> LoggedSlates:
    """What was shown, without contexts."""
    numbered = rows.select("recommendation").with_row_index("row")
    cells = shown.join(numbered, on="recommendation", how="inner")
    at = cells["row"].to_numpy(), cells["position"].to_numpy()
    items = np.full((len(rows), most), NOTHING, dtype=np.int64)
    rewards, propensities = np.zeros(items.shape), np.ones(items.shape)
    items[at] = np.array([place[item] for item in cells["item"]], dtype=np.int64)
    rewards[at], propensities[at] = cells[signal].to_numpy(), cells["propensity"].to_numpy()
    # of decisions of an earlier release it is not known whether they were drawn, but for those that were not certain
    kind = rows["exploration"]
    drawn = np.where(kind.is_null().to_numpy(), (propensities < 1).any(axis=1), (kind != "none").fill_null(value=False).to_numpy())
    people = rows["user"].rank("dense").to_numpy().astype(np.int64)
    return LoggedSlates(items, rewards, propensities, people, len(place), drawn=drawn)


def _numbers(slates: Slates, place: dict[str, int], most: int) -> np.ndarray:
    """The slates as numbers of items, `[n, K]`."""
    numbers = np.full((len(slates), most), NOTHING, dtype=np.int64)
    for row, slate in enumerate(slates):
        for at, item in enumerate(slate or ()):
            numbers[row, at] = place[item]
    return numbers


def _require_new_answers(old: Slates, new: Slates) -> None:
    """Check that the new policy answers what the old one answers. Without those questions it would be judged by what it can do alone."""
    if missing := sum(one is not None and other is None for one, other in zip(old, new, strict=True)):
        raise UnlikeQuestions(f"the new policy cannot answer {missing:,} of {len(new):,} questions, which the served one answers")


def _require_own_answers(rows: pl.DataFrame, versions: set[str], same: np.ndarray) -> None:
    """Check that the old policy shows again what it showed where nothing was explored."""
    own = (rows["version"].is_in(list(versions)) & ~rows["explored"]).to_numpy()
    if not own.any() or (share := 1 - float(same[own].mean())) <= MOST_UNANSWERED:
        return
    earlier = int(rows["k"].is_null().to_numpy()[own & ~same].sum())
    cause = f"; of {earlier:,} of them, the store does not have what the request allowed" if earlier else ""
    raise UnlikeQuestions(
        f"in {share:.0%} of its recommendations without exploration, the served policy showed something else than it shows now for the "
        f"same request{cause}"
    )


def _vectors(policy: LoadedPolicy, num_items: int) -> torch.Tensor:
    """The text vectors of all items, `[M, D]`; zeros for those that the policy does not have."""
    vectors = policy.data.catalog.text_vectors
    assert vectors is not None
    return torch.cat([vectors, vectors.new_zeros(num_items - len(vectors), vectors.shape[1])])


def _contexts(policy: LoadedPolicy, histories: Histories, place: dict[str, int]) -> torch.Tensor | None:
    """The mean text vector of each history `[n, D]`, zeros for an empty one; None if there are no texts."""
    vectors = _vectors(policy, len(place))
    if not vectors.shape[1]:
        return None
    lengths = torch.tensor([len(history) for history in histories])
    items = torch.tensor([place.get(item, 0) for history in histories for item, _ in history], dtype=torch.int64)
    sums = vectors.new_zeros(len(histories), vectors.shape[1])
    sums.index_add_(0, torch.repeat_interleave(torch.arange(len(histories)), lengths), vectors[items])
    return sums / lengths.clamp(min=1)[:, None]
