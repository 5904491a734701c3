"""What is stored: decisions, feedback, and items, as plain values."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from recframe.feedback.errors import FeedbackRefused

LOG_COLUMNS = (
    *("recommendation", "user", "session", "timestamp", "item", "position", "propensity", "explored", "policy", "version"),
    *("k", "exploration", "candidates", "exclude", "must_include", "at_most"),
    *("text", "key"),
)
"""Names of other columns of a log, which no signal can have."""


class ShownItem(NamedTuple):
    """One item of a slate.   score: the policy's, or None.

    propensity: the probability, > 0 and <= 1, with which it was put at its place, given the items above it.
    """

    item: str
    propensity: float = 1.0
    score: float | None = None


class ShownAt(NamedTuple):
    """How one item was shown.   position: from 0.   propensity: see `ShownItem`.

    policy, version, explored: of its recommendation, see `RecordedDecision`.
    """

    policy: str
    version: str
    explored: bool
    position: int
    propensity: float


@dataclass(frozen=True)
class RecordedDecision:
    """One answer of a policy: who asked, what for, what the policy read, and the slate, best first.

    Parameters
    ----------
    recommendation: a name of its own, such as a uuid in hexadecimal.   time: unix seconds.
    session: the session's id.   person: the user's id, or the session's.
    policy: the name of the variant that decided.   version: that of its artefact.
    items: the slate.   explored: whether it was drawn, and not the best one.
    history: what the policy read: ids, each with the values of its signals, oldest first.
    profile, context: the texts that it read, or None.
    k, candidates, exclude, must_include, at_most: as the request had them, see `recframe.serving.question.Question`; k None: not known.
    exploration: the kind of exploration that the slate was drawn with, such as "epsilon"; None: not known.
    """

    recommendation: str
    time: float
    session: str
    person: str
    policy: str
    version: str
    items: Sequence[ShownItem]
    explored: bool = False
    history: Sequence[tuple[str, Mapping[str, float]]] = ()
    profile: str | None = None
    context: str | None = None
    k: int | None = None
    exploration: str | None = None
    candidates: Sequence[str] | None = None
    exclude: Sequence[str] | None = None
    must_include: Sequence[str] = ()
    at_most: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedFeedback:
    """What a person did with one item of a recommendation.

    Parameters
    ----------
    signals: a value for each signal, such as {"click": 1.0}.   time: unix seconds.
    key: the idempotency key. Feedback with a key that is stored is not stored again. Without one, it is made of the recommendation, the
        item and the signals, so that the same feedback counts once.

    Raises
    ------
    FeedbackRefused: a signal has the name of another column of the log, or a value that is not finite.
    """

    recommendation: str
    item: str
    signals: Mapping[str, float]
    time: float
    key: str = field(default="")

    def __post_init__(self) -> None:
        for name, value in self.signals.items():
            if not name.isidentifier() or name in LOG_COLUMNS:
                raise FeedbackRefused(f"signals: {name!r} cannot be the name of a signal; right is one such as click or rating")
            if not math.isfinite(value):
                raise FeedbackRefused(f"signals: {name} is {value}; a finite number is right")
        if not self.key:
            content = json.dumps([self.recommendation, self.item, self.signals_text])
            object.__setattr__(self, "key", "content-" + hashlib.sha256(content.encode()).hexdigest())

    @property
    def signals_text(self) -> str:
        """The signals as they are stored: JSON, in the order of their names."""
        return json.dumps({name: float(self.signals[name]) for name in sorted(self.signals)})


class StoredItem(NamedTuple):
    """An item of the policy's catalogue.   text: what the encoder read.   attributes: the other columns, JSON-ready.

    added: whether it was added to the policy by its text, while it was served.
    """

    id: str
    title: str
    text: str
    attributes: Mapping[str, Any]
    added: bool = False
