"""Lists of ids that requests brought are removed once no recent decision has them, and readers go on without them."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import func, select

from recframe.feedback import RecordedDecision, ShownItem, StoreUnavailable, tables
from recframe.feedback.database import make_engine, read_url
from recframe.feedback.list_ages import DAY
from recframe.feedback.store import FeedbackStore
from recframe.feedback.writes import write_decisions
from recframe.server.list_removal import ListRemover

NOW = 1_760_000_000.0


def decision(name: str, time: float, **lists: list[str]) -> RecordedDecision:
    return RecordedDecision(name, time, "s", "ann", "main", "v1", [ShownItem("a", 0.5)], k=1, **lists)


def number_of_lists(store: FeedbackStore) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(tables.item_lists)).scalar_one()


def test_lists_of_old_decisions_alone_are_removed(store, monkeypatch):
    monkeypatch.setattr("recframe.feedback.retention.REMOVED_AT_ONCE", 2)
    old = [decision(f"old{number}", NOW + number, candidates=["a", str(number)]) for number in range(5)]
    both = decision("both", NOW, candidates=["a"], exclude=["z"])
    store.record_decisions([*old, both, decision("new", NOW + 100, candidates=["z"], exclude=["y"])])
    assert number_of_lists(store) == 8
    asked = store.asked_frame()
    names = {one["recommendation"]: one for one in asked.iter_rows(named=True)}
    # a list is needed in either role
    assert store.remove_lists(NOW + 50) == 6
    assert store.remove_lists(NOW + 50) == 0
    there = {names["new"]["candidates"], names["new"]["exclude"]}
    assert there == {names["both"]["exclude"], names["new"]["exclude"]}
    assert set(store.item_lists([*there, names["both"]["candidates"], names["old0"]["candidates"]])) == there
    # decisions stay as they are, and a list that comes again is stored again
    assert store.asked_frame().equals(asked)
    store.record_decision(decision("again", NOW + 200, candidates=["a", "0"]))
    assert store.item_lists([names["old0"]["candidates"]]) == {names["old0"]["candidates"]: ["a", "0"]}


def test_removing_can_be_ended_between_its_parts(store, monkeypatch):
    monkeypatch.setattr("recframe.feedback.retention.REMOVED_AT_ONCE", 2)
    store.record_decisions([decision(str(number), NOW, candidates=[str(number)]) for number in range(6)])
    answers = iter([True, True, False])
    assert store.remove_lists(NOW + 1, lambda: next(answers)) == 4
    assert number_of_lists(store) == 2


def test_more_lists_than_are_looked_up_at_once_are_removed(store, monkeypatch):
    monkeypatch.setattr("recframe.feedback.retention.LOOKED_UP_AT_ONCE", 3)
    monkeypatch.setattr("recframe.feedback.retention.REMOVED_AT_ONCE", 2)
    store.record_decisions([decision(str(number), NOW + number, candidates=[str(number)]) for number in range(8)])
    parts = []
    assert store.remove_lists(NOW + 7, lambda: parts.append(number_of_lists(store)) is None) == 7
    # three, three and one
    assert parts == [8, 6, 5, 3, 2]


def test_a_decision_of_the_last_hour_that_is_written_meanwhile_keeps_its_list(store):
    """It was made before the moment, and is committed after the lists that are not needed were looked up."""
    now = time.time()
    store.record_decision(decision("old", NOW, candidates=["a", "b"]))
    late = decision("late", now - 60, candidates=["a", "b"])
    assert store.remove_lists(now, lambda: store.record_decision(late) is None) == 0
    assert number_of_lists(store) == 1


def test_a_decision_that_is_written_meanwhile_keeps_its_list(url):
    """It finds its list there, and does not write it; the removal must not overtake its commit."""
    with FeedbackStore.open(url) as store:
        store.record_decision(decision("old", NOW, candidates=["a", "b"]))
        engine, writing, removed = make_engine(read_url(url)), threading.Event(), []
        remover = threading.Thread(target=lambda: (writing.wait(), removed.append(store.remove_lists(NOW + 1))))
        remover.start()
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            write_decisions(connection, [decision("new", time.time(), candidates=["a", "b"])])
            writing.set()
            remover.join(0.3)
            assert remover.is_alive()
        remover.join()
        engine.dispose()
        assert removed == [0]
        assert number_of_lists(store) == 1


def test_a_server_removes_what_is_old_and_goes_on_where_the_store_is_away(store, monkeypatch, caplog):
    caplog.set_level("INFO")
    now = time.time()
    store.record_decisions([decision("old", now - 3 * DAY, candidates=["a"]), decision("new", now - DAY, candidates=["b"])])
    ListRemover(store, days=2).remove()
    assert number_of_lists(store) == 1
    assert "1 lists of ids that no decision of the last 2 days had are removed" in caplog.text

    def away(*asked: object) -> int:
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(store, "remove_lists", away)
    ListRemover(store, days=2).remove()
    assert "old lists of ids are removed later: it is away" in caplog.text


def removers() -> list[threading.Thread]:
    """The threads that remove lists, the last one that was started at the end."""
    return [thread for thread in threading.enumerate() if thread.name == "recframe-lists"]


def test_a_server_ends_while_it_waits_to_remove(store, caplog):
    caplog.set_level("INFO")
    remover = ListRemover(store, days=2)
    remover.start()
    thread = removers()[-1]
    assert "lists of ids that no decision of the last 2 days had are removed; feedback.list_days=null keeps them" in caplog.text
    remover.close()
    thread.join(5)
    assert not thread.is_alive()


def test_a_server_pauses_between_parts_and_ends_in_a_pause(store, monkeypatch):
    monkeypatch.setattr("recframe.feedback.retention.REMOVED_AT_ONCE", 1)
    monkeypatch.setattr("recframe.server.list_removal.FIRST_SECONDS", 0.0)
    monkeypatch.setattr("recframe.server.list_removal.PAUSE_SECONDS", 0.2)
    store.record_decisions([decision(str(number), NOW, candidates=[str(number)]) for number in range(50)])
    remover = ListRemover(store, days=2)
    remover.start()
    thread = removers()[-1]
    time.sleep(0.5)
    remover.close()
    assert not thread.is_alive()
    # whole, these parts take a few milliseconds
    assert number_of_lists(store) >= 47


def test_a_server_does_not_wait_long_for_a_part(store, monkeypatch):
    monkeypatch.setattr("recframe.server.list_removal.FIRST_SECONDS", 0.0)
    monkeypatch.setattr("recframe.server.list_removal.CLOSE_SECONDS", 0.1)
    began, ends = threading.Event(), threading.Event()

    def hanging(*asked: object) -> int:
        began.set()
        ends.wait(10)
        return 0

    monkeypatch.setattr(store, "remove_lists", hanging)
    remover = ListRemover(store, days=2)
    remover.start()
    thread = removers()[-1]
    began.wait(10)
    start = time.monotonic()
    remover.close()
    assert time.monotonic() - start < 5
    assert thread.is_alive()
    ends.set()
    thread.join(5)


def test_the_command_keeps_the_lists_of_the_last_hour(warm_recframe, tmp_path):
    url = f"sqlite:///{tmp_path}/feedback.db"
    with FeedbackStore.open(url) as store:
        store.record_decision(decision("new", time.time() - 1, candidates=["a"]))
        done = warm_recframe("feedback", "remove-lists", url, "--days", "0")
        assert done.returncode != 0
        assert "--days" in done.stderr
        assert number_of_lists(store) == 1


@pytest.mark.parametrize(("days", "left"), [("100000", 1), ("1", 0)])
def test_the_command_removes_lists(warm_recframe, tmp_path, days, left):
    url = f"sqlite:///{tmp_path}/feedback.db"
    with FeedbackStore.open(url) as store:
        store.record_decision(decision("old", NOW, candidates=["a"]))
        done = warm_recframe("feedback", "remove-lists", url, "--days", days)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"{1 - left} lists are removed"
        assert number_of_lists(store) == left
