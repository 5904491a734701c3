"""The settings of a split."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from recframe.interfaces import DataError

BY = ("last", "time", "users", "sessions")
TARGETS = ("next", "all")
SESSIONS = ("latest", "drawn")


@dataclass(frozen=True)
class SplitSettings:
    """What is held out; see `split_log`.

    by: "last", "time", "users" or "sessions".
    validation_share, test_share: of the interactions (by time), of the people (by users) or of the sessions; not used by last.
    time: by time: the moment from which on interactions are of the test, an ISO date or date and time, UTC if it has no zone. None: the
        moment that leaves `test_share` of the interactions.
    targets: "next": what is taken next; "all": everything that follows.
    history_share: by users or sessions, with targets all: the share of a sequence, from its beginning, that is the history.
    sessions: which sessions are held out: the "latest", or "drawn" at random.
    seed: of what is drawn.
    min_user_interactions, min_item_interactions: of the k-core that is taken before the split (`k_core`).
    """

    by: str = "last"
    validation_share: float = 0.1
    test_share: float = 0.1
    time: str | None = None
    targets: str = "next"
    history_share: float = 0.8
    sessions: str = "latest"
    seed: int = 0
    min_user_interactions: int = 0
    min_item_interactions: int = 0

    def contradictions(self) -> list[str]:
        """What is wrong with the settings, one line each; empty if nothing is."""
        problems = []
        for name, value, known in (("by", self.by, BY), ("targets", self.targets, TARGETS), ("sessions", self.sessions, SESSIONS)):
            if value not in known:
                problems.append(f"split.{name}={value}: use one of {', '.join(known)}")
        for name in ("validation_share", "test_share", "history_share"):
            if not 0.0 < getattr(self, name) < 1.0:
                problems.append(f"split.{name}={getattr(self, name):g}: must be more than 0 and less than 1")
        if self.by != "last" and self.validation_share + self.test_share >= 1.0:
            problems.append(
                f"split.validation_share={self.validation_share:g} and split.test_share={self.test_share:g} leave nothing to train on; "
                "their sum must be less than 1"
            )
        if self.by == "last" and self.targets == "all":
            problems.append("split.targets=all: with split.by=last, one interaction follows; use split.targets=next, or split.by=time")
        if self.time is not None:
            problems += [] if self.by == "time" else [f"split.time is for split.by=time, not split.by={self.by}; set it to null"]
            try:
                datetime.fromisoformat(self.time)
            except ValueError:
                problems.append(f"split.time={self.time}: is no date; use one such as 2015-03-01 or 2015-03-01T12:00:00")
        return problems

    def check(self) -> None:
        """Raise an error if anything is wrong with the settings.

        Raises
        ------
        DataError: with all contradictions.
        """
        if problems := self.contradictions():
            raise DataError("\n".join(problems))

    @property
    def moment(self) -> int | None:
        """`time` in unix seconds."""
        if self.time is None:
            return None
        moment = datetime.fromisoformat(self.time)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
