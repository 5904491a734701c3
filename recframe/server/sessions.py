"""What a server remembers of visits: bounded in number, in memory, and in time."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recframe.serving.question import Question

STATE, ENTRY = 600, 120
"""Bytes of a state and of its place among the others, and of the place of an entry in it, without what is in them."""


@dataclass
class SessionState:
    """What is known of one visit.

    entries: by recommendation and item, the values of the signals that came back, oldest first.
    user, profile, say: as the last request gave them, or None.   taken_over: somebody else had the session before.
    size: about how many bytes of memory it takes.
    """

    entries: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    user: str | None = None
    profile: str | None = None
    say: str | None = None
    taken_over: bool = False
    used: float = 0.0
    size: int = 0

    @property
    def history(self) -> list[tuple[str, Mapping[str, float]]]:
        """The items, each with what was done with it, oldest first."""
        return [(item, signals) for (_, item), signals in self.entries.items()]

    def is_of(self, person: str, session: str) -> bool:
        """Whether a decision for this person, in this session, was for the one who has it now.

        person: as decisions have it, the user's id, or the session's where none was told.
        """
        before_it_was_told = person == session and not self.taken_over
        return before_it_was_told or (self.user is not None and person == self.user)


class SessionStates:
    """The states of sessions by their ids. Used from one thread, that of the event loop.

    Parameters
    ----------
    capacity: the number of sessions; the one that was idle longest is forgotten first.   most: the same in bytes of memory, about.
    seconds: after which an idle one is forgotten.   history: the number of items that a session keeps, the last ones.   clock: seconds.
    """

    def __init__(self, capacity: int, most: int, seconds: float, history: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._most = most
        self.bytes = 0
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
            self._grow(state, STATE + sys.getsizeof(session))
        return state

    def enter(self, session: str, user: str) -> None:
        """Let a session be this user's, from the moment that they ask. Of somebody else who had it before, all is forgotten."""
        known = self.find(session)
        others = known is not None and known.user not in (None, user)
        if others:
            self.forget(session)
        state = self.of(session)
        before = _size_of_texts(state)
        state.user, state.taken_over = user, state.taken_over or others
        self._grow(state, _size_of_texts(state) - before)

    def remember(self, session: str, question: Question) -> None:
        """Keep who asks and what was said for the next questions of the session. Of nothing, nothing is kept.

        Nor is anything where somebody else has asked in the session since this question was.
        """
        known, user = self.find(session), None if question.user is None else str(question.user)
        if known is None and user is None and not question.profile and not question.context:
            return
        if known is not None and known.user not in (None, user):
            return
        state = self.of(session)
        before = _size_of_texts(state)
        state.user = user
        state.profile, state.say = question.profile, question.context
        self._grow(state, _size_of_texts(state) - before)

    def add_feedback(self, session: str, recommendation: str, item: str, signals: Mapping[str, float], person: str = "") -> None:
        """Add what a person did with an item to the session's history. What is said of the same item again is added to what is known.

        person: for whom the recommendation was, see `SessionState.is_of`; empty: for the session. Where somebody else has the session
            now, nothing is added; where nobody has, it is that person's.
        """
        person = person or session
        known = self.find(session)
        if known is None and person != session:
            self.enter(session, person)
        elif known is not None and not known.is_of(person, session):
            return
        state = self.of(session)
        key = (recommendation, item)
        grown = -_size_of_entry(key, state.entries[key]) if key in state.entries else 0
        told = state.entries.setdefault(key, {})
        told.update(signals)
        grown += _size_of_entry(key, told)
        while len(state.entries) > self._history:
            oldest = next(iter(state.entries))
            grown -= _size_of_entry(oldest, state.entries.pop(oldest))
        self._grow(state, grown)

    def add_missing(self, session: str, recommendation: str, item: str, signals: Mapping[str, float], person: str = "") -> None:
        """Add feedback that is stored already, where a session that is remembered does not have it."""
        state = self.find(session)
        if state is not None and (recommendation, item) not in state.entries:
            self.add_feedback(session, recommendation, item, signals, person)

    def forget(self, session: str) -> bool:
        """Forget a session. Returns whether there was one."""
        state = self._states.pop(session, None)
        self.bytes -= 0 if state is None else state.size
        return state is not None

    def _grow(self, state: SessionState, size: int) -> None:
        """Note that a state, which is used now, takes more memory, and forget others where there are too many, or they are too large."""
        state.size += size
        self.bytes += size
        # this one stays, however large it is
        while len(self._states) > self._capacity or (self.bytes > self._most and len(self._states) > 1):
            self._forget_oldest()

    def _forget_idle(self) -> None:
        before = self._clock() - self._seconds
        while self._states and next(iter(self._states.values())).used < before:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, state = self._states.popitem(last=False)
        self.bytes -= state.size


def _size_of_texts(state: SessionState) -> int:
    return sum(sys.getsizeof(text) for text in (state.user, state.profile, state.say) if text is not None)


def _size_of_entry(key: tuple[str, str], signals: Mapping[str, float]) -> int:
    """Bytes of what was done with an item. The names of signals are those of the request, and numbers are objects."""
    names = sum(sys.getsizeof(name) + sys.getsizeof(value) for name, value in signals.items())
    return ENTRY + sys.getsizeof(key) + sum(map(sys.getsizeof, key)) + sys.getsizeof(signals) + names
