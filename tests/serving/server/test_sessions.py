"""What a server remembers of visits stays within its bounds."""

from __future__ import annotations

import tracemalloc

import pytest

from recframe.server.sessions import SessionStates
from recframe.serving.question import Question


def states(**bounds) -> SessionStates:
    usual = {"capacity": 1_000_000, "most": 10**12, "seconds": 1e9, "history": 500}
    return SessionStates(**{**usual, **bounds})


def visit(sessions: SessionStates, number: int, entries: int, words: int = 0) -> None:
    """A session with words and a history, of objects of its own, as those of requests are."""
    session = f"session-{number}"
    if words:
        sessions.remember(session, Question(user=f"user-{number}", profile=f"{number} " * words, context=f"says {number} " * words))
    for entry in range(entries):
        signals = {"".join(("cl", "ick")): float(entry) + 0.5, "".join(("rat", "ing")): number + 0.25}
        sessions.add_feedback(session, f"recommendation-{number}-{entry}", f"item-{entry}", signals)


@pytest.mark.parametrize(("entries", "words"), [(0, 100), (1, 0), (20, 0), (100, 300)])
def test_the_bytes_are_about_those_of_the_memory(entries, words):
    visits = 40 if entries >= 20 else 400
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        sessions = states()
        for number in range(visits):
            visit(sessions, number, entries, words)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.75 * taken < sessions.bytes < 1.5 * taken


def test_the_one_idle_longest_is_forgotten_where_all_are_too_large():
    sessions = states(most=100_000)
    for number in range(60):
        visit(sessions, number, 10)
        assert sessions.bytes <= 100_000
        sessions.find("session-0")
    assert 10 < len(sessions) < 60
    assert sessions.find("session-0") is not None
    assert sessions.find("session-59") is not None
    assert sessions.find("session-1") is None
    # what changes and goes is not counted twice
    for number in range(60):
        visit(sessions, number, 10, words=5)
        sessions.remember(f"session-{number}", Question(user="u"))
        sessions.forget(f"session-{number}")
    assert (len(sessions), sessions.bytes) == (0, 0)


def test_one_session_that_is_larger_than_all_may_be_stays_while_it_is_used():
    sessions = states(most=1_000, history=5)
    visit(sessions, 0, 5)
    grown = sessions.bytes
    visit(sessions, 0, 50)
    # of a history, the last entries are kept
    assert sessions.bytes == pytest.approx(grown, rel=0.05)
    assert len(sessions) == 1
    visit(sessions, 1, 5)
    assert sessions.find("session-0") is None


def test_idle_sessions_give_their_memory_back():
    now = [0.0]
    sessions = states(seconds=10, capacity=3)
    sessions._clock = lambda: now[0]
    for number in range(5):
        visit(sessions, number, 2)
    assert len(sessions) == 3
    now[0] = 11.0
    assert sessions.find("session-4") is None
    assert (len(sessions), sessions.bytes) == (0, 0)


def test_the_memory_of_sessions_is_among_the_metrics(serve):
    server = serve("sessions.megabytes=1")
    answer = server.recommend()
    server.click(answer)
    line = next(line for line in server.client.get("/metrics").text.splitlines() if line.startswith("recframe_session_bytes "))
    assert 500 < float(line.split()[1]) < 5_000
