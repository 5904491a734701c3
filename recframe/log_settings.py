"""The settings of a log: how its interactions are read, and which of them are held out. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from recframe.components import bounds_problems, contradictions, option, seed_option


@dataclass
class LogSettings:
    """How the logged interactions are read, for training and for evaluations."""

    click_column: str | None = option(
        None, "feedback column that says what a click is; null: a column named click, or else every interaction is a click"
    )
    click_at_least: float | None = option(
        None, "value of that column from which on an interaction is a click; null: 1. It is an error where no column says what a click is"
    )
    sequence: str = option(
        "auto",
        "what a sequence of interactions is; auto: sessions where the data has them, and else users",
        choices=["auto", "user", "session"],
    )
    session_gap: float | None = option(
        None, "seconds; where a user was away for longer, a new session begins, in place of the data's sessions; null: the data's", gt=0
    )


@dataclass
class SplitSettings:
    """Which logged interactions are held out: nothing is fitted on them. See `recframe.logs.split_log`."""

    by: str = option(
        "last",
        "what is held out. last: the last interaction of each sequence, and the one before for validation; time: what follows a moment; "
        "users: everything of some people; sessions: everything of some sessions; random: drawn interactions of each sequence",
        choices=["last", "time", "users", "sessions", "random"],
    )
    validation_share: float = option(
        0.1, "share for validation: of the interactions (by time, at random), of the people, or of the sessions", gt=0, lt=1
    )
    test_share: float = option(
        0.1, "share for the test: of the interactions (by time, at random), of the people, or of the sessions", gt=0, lt=1
    )
    time: str | None = option(
        None,
        "by time: ISO date, or date and time, from which on interactions are of the test (UTC if it has no zone); null: the moment that "
        "leaves test_share of the interactions",
    )
    targets: str = option("next", "what a policy is to find: the interaction that follows, or all that follow", choices=["next", "all"])
    history_share: float = option(
        0.8, "by users or sessions, with targets=all: share of a sequence, from its beginning, that is known", gt=0, lt=1
    )
    sessions: str = option("latest", "which sessions are held out: the latest, or drawn ones", choices=["latest", "drawn"])
    seed: int = seed_option(0, "seed of what is drawn, independent of the run's")
    min_user_interactions: int = option(
        0, "before the split, drop users with fewer interactions, until all users and items have enough", ge=0
    )
    min_item_interactions: int = option(
        0, "before the split, drop items with fewer interactions, until all users and items have enough", ge=0
    )

    def contradictions(self) -> Iterator[str]:
        """Shares that leave nothing, and settings of another kind of split."""
        if self.by != "last" and self.validation_share + self.test_share >= 1.0:
            yield (
                f"split.validation_share={self.validation_share:g} and split.test_share={self.test_share:g} leave nothing to train on; "
                "their sum must be less than 1"
            )
        if self.by == "last" and self.targets == "all":
            yield "split.targets=all: with split.by=last, one interaction follows; use split.targets=next, or split.by=time"
        if self.by == "random" and self.targets == "next":
            yield "split.targets=next: with split.by=random, held-out interactions follow nothing; use split.targets=all"
        if self.time is None:
            return
        if self.by != "time":
            yield f"split.time is for split.by=time, not split.by={self.by}; set it to null"
        try:
            datetime.fromisoformat(self.time)
        except ValueError:
            yield f"split.time={self.time}: is no date; use one such as 2015-03-01 or 2015-03-01T12:00:00"

    @property
    def moment(self) -> int | None:
        """`time` in unix seconds."""
        if self.time is None:
            return None
        moment = datetime.fromisoformat(self.time)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def split_problems(settings: SplitSettings) -> list[str]:
    """What is wrong with the settings, one line each, with full keys; empty if nothing is."""
    problems = []
    for field in fields(settings):
        problems += [f"split.{field.name}: {problem}" for problem in bounds_problems(getattr(settings, field.name), field.metadata)]
    return problems + contradictions(settings)
