"""Fresh decisions of a store as the gate reads them: what was shown first, and what two policies would have put first."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch

from recframe.errors import UserError
from recframe.evaluation.off_policy.decisions import LoggedDecisions
from recframe.feedback.store import FeedbackStore
from recframe.runner.decision_features import features_of_decisions
from recframe.serving.items import RankedItems
from recframe.serving.policy import LoadedPolicy
from recframe.serving.question import Question

log = logging.getLogger(__name__)

MOST_UNANSWERED = 0.05
"""The share of questions without an answer, or with an answer that is not what was shown, from which on nothing is estimated."""


@dataclass(frozen=True)
class FreshDecisions:
    """Decisions for the first place of a slate.

    log: see `LoggedDecisions`; the context is the mean text vector of the history.   items: `[M, Z]`, features of items, or None.
    old, new: `[n]`, the item that each policy puts first.
    """

    log: LoggedDecisions
    old: np.ndarray
    new: np.ndarray
    items: np.ndarray | None


class UnlikeQuestions(UserError):
    """What was asked cannot be asked again from what the store has, so that nothing can be estimated."""


def fresh_decisions(
    store: FeedbackStore, old: LoadedPolicy, new: LoadedPolicy, after: float, until: float, signal: str
) -> FreshDecisions | None:
    """What was shown first after a moment, until another, with all feedback so far; None: there was nothing.

    Parameters
    ----------
    after, until: unix seconds, exclusive and inclusive.   signal: what of the feedback is the reward.

    Raises
    ------
    UnlikeQuestions: a policy cannot answer the questions, the new one cannot answer what the old one can, or the old one's answers are
        not what was shown where nothing was explored.
    """
    within = (pl.col("timestamp") > after) & (pl.col("timestamp") <= until)
    shown_first = store.log_frame(since=after).filter(within, pl.col("position") == 0)
    if shown_first.is_empty():
        return None
    if signal not in shown_first.columns:
        known = ", ".join(name for name in shown_first.columns[shown_first.columns.index("version") + 1 :]) or "none"
        raise UnlikeQuestions(f"--signal {signal}: the store has no such signal; it has: {known}")
    for policy in (old, new):
        _add_items(policy, store)
    asked = store.asked_frame(since=after).filter(within).select("recommendation", "history", "profile", "context")
    rows = shown_first.join(asked, on="recommendation", how="inner", maintain_order="left")
    place: dict[str, int] = {}
    # the new policy's items first, as in its vectors
    for item in (*new.data.catalog.ids, *old.data.catalog.ids, *rows["item"].unique(maintain_order=True)):
        place.setdefault(item, len(place))
    histories = [_history(text) for text in rows["history"]]
    first = [_first(policy, rows, histories, place) for policy in (old, new)]
    shown = np.array([place[item] for item in rows["item"]], dtype=np.int64)
    answered = (first[0] >= 0) & (first[1] >= 0)
    if (share := 1 - answered.mean()) > MOST_UNANSWERED:
        raise UnlikeQuestions(
            f"the policies cannot answer {share:.0%} of the questions of the store; they read other things than those served"
        )
    _require_new_answers(first[0], first[1])
    _require_own_answers(rows, old.version, shown == first[0])
    log_rows, kept = rows.filter(pl.Series(answered)), np.flatnonzero(answered)
    features = features_of_decisions(_contexts(new, [histories[row] for row in kept], place), _vectors(new, len(place)))
    decisions = LoggedDecisions(
        actions=shown[kept],
        rewards=log_rows[signal].to_numpy().astype(np.float64),
        propensities=log_rows["propensity"].to_numpy().astype(np.float64),
        people=log_rows["user"].rank("dense").to_numpy().astype(np.int64),
        num_items=len(place),
        contexts=features.contexts,
    )
    return FreshDecisions(decisions, first[0][kept], first[1][kept], features.items)


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


def _history(text: str) -> list[tuple[str, dict[str, float]]]:
    return [(str(item), {str(name): float(value) for name, value in signals.items()}) for item, signals in json.loads(text)]


def _first(
    policy: LoadedPolicy, rows: pl.DataFrame, histories: Sequence[list[tuple[str, dict[str, float]]]], place: dict[str, int]
) -> np.ndarray:
    """The item that the policy puts first for each of the rows, `[n]` int64; -1 where it has no answer."""
    users = policy.data.users
    known = frozenset(users.ids) if users is not None and policy.agent.spec.has_users else frozenset()
    columns = zip(histories, *(rows[name].to_list() for name in ("user", "session", "profile", "context")), strict=True)
    questions = []
    for history, person, session, profile, context in columns:
        # somebody without a name is called by the session, which is no user
        user = person if person in known and person != session else None
        questions.append(Question(history, user, None if user is not None else profile, context, 1))
    answers = policy.recommend_many(questions)
    found = [place.get(one[0].id, -1) if isinstance(one, RankedItems) and one else -1 for one in answers]
    return np.array(found, dtype=np.int64)


def _require_new_answers(old: np.ndarray, new: np.ndarray) -> None:
    """Check that the new policy answers what the old one answers. Without those questions it would be judged by what it can do alone."""
    if missing := int(((old >= 0) & (new < 0)).sum()):
        raise UnlikeQuestions(f"the new policy cannot answer {missing:,} of {len(new):,} questions, which the served one answers")


def _require_own_answers(rows: pl.DataFrame, version: str, same: np.ndarray) -> None:
    """Check that the old policy shows again what it showed where nothing was explored."""
    own = ((rows["version"] == version) & ~rows["explored"]).to_numpy()
    if own.any() and (share := 1 - float(same[own].mean())) > MOST_UNANSWERED:
        raise UnlikeQuestions(
            f"in {share:.0%} of its recommendations without exploration, the served policy showed something else than what it puts first "
            "for the same history: requests had candidates or rules, which the store does not have"
        )


def _vectors(policy: LoadedPolicy, num_items: int) -> torch.Tensor:
    """The text vectors of all items, `[M, D]`; zeros for those that the policy does not have."""
    vectors = policy.data.catalog.text_vectors
    assert vectors is not None
    return torch.cat([vectors, vectors.new_zeros(num_items - len(vectors), vectors.shape[1])])


def _contexts(policy: LoadedPolicy, histories: Sequence[list[tuple[str, dict[str, float]]]], place: dict[str, int]) -> torch.Tensor | None:
    """The mean text vector of each history `[n, D]`, zeros for an empty one; None if there are no texts."""
    vectors = _vectors(policy, len(place))
    if not vectors.shape[1]:
        return None
    lengths = torch.tensor([len(history) for history in histories])
    items = torch.tensor([place.get(item, 0) for history in histories for item, _ in history], dtype=torch.int64)
    sums = vectors.new_zeros(len(histories), vectors.shape[1])
    sums.index_add_(0, torch.repeat_interleave(torch.arange(len(histories)), lengths), vectors[items])
    return sums / lengths.clamp(min=1)[:, None]
