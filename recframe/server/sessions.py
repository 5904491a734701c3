"""What a server remembers of visits: bounded in number and in time, in memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recframe.serving.question import Question


@dataclass
class SessionState:
    """What is known of one visit.

    entries: by recommendation and item, the values of the signals that came back, oldest first.
    user, profile, say: as the last request gave them, or None.
    """

    entries: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    user: str | None = None
    profile: str | None = None
    say: str | None = None
    used: float = 0.0

    @property
    def history(self) -> list[tuple[str, Mapping[str, float]]]:
        """The items, each with what was done with it, oldest first."""
        return [(item, signals) for (_, item), signals in self.entries.items()]


class SessionStates:
    """The states of sessions by their ids. Used from one thread, that of the event loop.

    Parameters
    ----------
    capacity: the number of sessions; the one that was idle longest is forgotten first.   seconds: after which an idle one is forgotten.
    history: the number of items that a session keeps, the last ones.   clock: seconds.
    """

    def __init__(self, capacity: int, seconds: float, history: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._seconds = seconds
        self._history = history
        self._clock = clock
        self._states: OrderedDict[str, SessionState] = OrderedDict()

    def __len__(self) -> int:
        # asked by other threads, too: it changes nothing
        return len(self._states)

    def find(self, session: str) -> SessionState | None:
        """The state of a session, which is used now; None: there is none."""
        self._forget_idle()
        state = self._states.get(session)
        if state is not None:
            state.used = self._clock()
            self._states.move_to_end(session)
        return state

    def of(self, session: str) -> SessionState:
        """The state of a session, which is used now; a new one where there is none."""
        state = self.find(session)
        if state is None:
            state = self._states[session] = SessionState(used=self._clock())
            if len(self._states) > self._capacity:
                self._states.popitem(last=False)
        return state

    def remember(self, session: str, question: Question) -> None:
        """Keep who asks and what was said for the next questions of the session. Of nothing, nothing is kept."""
        if self.find(session) is None and question.user is None and not question.profile and not question.context:
            return
        state = self.of(session)
        state.user = None if question.user is None else str(question.user)
        state.profile, state.say = question.profile, question.context

    def add_feedback(self, session: str, recommendation: str, item: str, signals: Mapping[str, float]) -> SessionState:
        """Add what a person did with an item to the session's history. What is said of the same item again is added to what is known."""
        state = self.of(session)
        state.entries.setdefault((recommendation, item), {}).update(signals)
        while len(state.entries) > self._history:
            del state.entries[next(iter(state.entries))]
        return state

    def add_missing(self, session: str, recommendation: str, item: str, signals: Mapping[str, float]) -> None:
        """Add feedback that is stored already, where a session that is remembered does not have it."""
        state = self.find(session)
        if state is not None and (recommendation, item) not in state.entries:
            self.add_feedback(session, recommendation, item, signals)

    def forget(self, session: str) -> bool:
        """Forget a session. Returns whether there was one."""
        return self._states.pop(session, None) is not None

    def _forget_idle(self) -> None:
        before = self._clock() - self._seconds
        while self._states and next(iter(self._states.values())).used < before:
            self._states.popitem(last=False)
