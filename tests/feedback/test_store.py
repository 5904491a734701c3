"""The store of decisions and feedback, as an SQLite file and in PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from sqlalchemy import text

from recframe.errors import UserError
from recframe.feedback import (
    FeedbackRefused,
    RecordedDecision,
    RecordedFeedback,
    ShownItem,
    StoredItem,
    StoreError,
    StoreUnavailable,
    UnknownRecommendation,
)
from recframe.feedback.catalogue import catalogue_of, read_catalogue_rows
from recframe.feedback.database import BUSY_SECONDS, STATEMENT_SECONDS, make_engine, read_url
from recframe.feedback.export import export_log
from recframe.feedback.store import FeedbackStore
from recframe.server.config import BatchConfig

NOW = 1_760_000_000.25


def decision(name: str, *items: str, time: float = NOW, person: str = "ann", **other) -> RecordedDecision:
    slate = [ShownItem(item, propensity=1 / (place + 1), score=2.0 - place) for place, item in enumerate(items)]
    return RecordedDecision(name, time, f"{person}-today", person, "main", "v1", slate, **other)


def feedback(name: str, item: str, key: str = "", **signals: float) -> RecordedFeedback:
    return RecordedFeedback(name, item, signals or {"click": 1.0}, NOW + 5, key)


def test_the_log_has_a_row_for_each_shown_item_with_what_came_of_it(store):
    store.record_decision(decision("r2", "b", time=NOW + 1, person="bob"))
    store.record_decision(decision("r1", "a", "b", explored=True, history=[("c", {"click": 1.0})], profile="likes c"))
    assert store.record_feedback(feedback("r1", "b", click=1, rating=4))
    assert store.record_feedback(feedback("r1", "b", rating=5))
    assert store.log_frame().to_dict(as_series=False) == {
        "recommendation": ["r1", "r1", "r2"],
        "user": ["ann", "ann", "bob"],
        "session": ["ann-today", "ann-today", "bob-today"],
        "timestamp": [NOW, NOW, NOW + 1],
        "item": ["a", "b", "b"],
        "position": [0, 1, 0],
        "propensity": [1.0, 0.5, 1.0],
        "explored": [True, True, False],
        "policy": ["main"] * 3,
        "version": ["v1"] * 3,
        **dict.fromkeys(("k", "exploration", "candidates", "exclude", "must_include", "at_most"), [None] * 3),
        "click": [0.0, 1.0, 0.0],
        "rating": [0.0, 5.0, 0.0],
    }
    assert store.log_frame(since=NOW + 1)["recommendation"].to_list() == ["r2"]
    assert store.log_frame(since=NOW + 2).is_empty()


def test_what_was_asked_for_is_stored_with_each_list_once(store, monkeypatch):
    asked = {"k": 2, "exploration": "epsilon", "candidates": ["b", "a"], "must_include": ["a"], "at_most": {"genre": 1}}
    store.record_decisions([decision("r1", "a", **asked), decision("r2", "a", time=NOW + 1, **asked, exclude=[])])
    store.record_decision(decision("r3", "b", time=NOW + 2, k=1, exploration="none", exclude=["a"]))
    frame = store.asked_frame()
    assert frame["k"].to_list() == [2, 2, 1]
    assert frame["exploration"].to_list() == ["epsilon", "epsilon", "none"]
    assert [json.loads(rule) for rule in frame["must_include"].drop_nulls()] == [["a"]] * 2
    assert [json.loads(rule) for rule in frame["at_most"].drop_nulls()] == [{"genre": 1}] * 2
    names = [*frame["candidates"].drop_nulls(), *frame["exclude"].drop_nulls()]
    monkeypatch.setattr("recframe.feedback.item_lists.NAMES_AT_ONCE", 2)
    lists = store.item_lists(names)
    assert [lists[name] for name in names] == [["b", "a"], ["b", "a"], [], ["a"]]
    assert len(lists) == 3
    assert store.log_frame().select(frame.columns[-6:]).rows() == frame.select(frame.columns[-6:]).rows()


def test_feedback_is_stored_once_under_retries(store):
    store.record_decision(decision("r", "a", "b"))
    assert [store.record_feedback(feedback("r", "a", key="k1")) for _ in range(3)] == [True, False, False]
    # without a key, the same feedback counts once
    assert [store.record_feedback(feedback("r", "b")) for _ in range(2)] == [True, False]
    outcomes = store.record([], [feedback("r", "b", "k2"), feedback("r", "b", "k2"), feedback("r", "b", "k3")])
    assert [outcome.stored for outcome in outcomes] == [True, False, True]
    assert {(outcome.session, outcome.policy) for outcome in outcomes} == {("ann-today", "main")}
    assert store.feedback_since(0) == 4
    store.record_decision(decision("later", "a", time=NOW + 20))
    store.record_feedback(feedback("later", "a"))
    assert [store.feedback_about(*moments) for moments in ((NOW - 1, NOW), (NOW - 1, NOW + 20), (NOW, NOW + 20), (NOW + 20, NOW + 30))] == [
        *(4, 5, 1, 0)
    ]


def test_feedback_is_stored_once_under_concurrent_retries(url):
    with FeedbackStore.open(url) as store, FeedbackStore.open(url) as other, ThreadPoolExecutor(8) as threads:
        store.record_decision(decision("r", "a"))
        tries = [(one, f"key-{number % 10}") for number in range(40) for one in (store, other)]
        answers = list(threads.map(lambda go: (go[1], go[0].record_feedback(feedback("r", "a", key=go[1]))), tries))
        for key in {key for key, _ in answers}:
            assert sum(stored for name, stored in answers if name == key) == 1
        assert store.feedback_since(0) == 10


def test_feedback_that_cannot_be_right_is_refused_and_the_rest_of_the_batch_is_stored(store):
    store.record_decision(decision("r", "a"))
    store.record_feedback(feedback("r", "a", key="used"))
    batch = [feedback("nope", "a"), feedback("r", "z"), feedback("r", "a", key="used", click=0), feedback("r", "a", key="new")]
    answers = store.record([], batch)
    assert isinstance(answers[0], UnknownRecommendation)
    assert [str(answer) for answer in answers[:3]] == [
        "recommendation: 'nope' is not known",
        "item: 'z' was not shown by the recommendation 'r'",
        "key: 'used' was used for other feedback; each needs a key of its own",
    ]
    assert answers[3].stored
    with pytest.raises(FeedbackRefused):
        store.record_feedback(batch[1])


@pytest.mark.parametrize("signals", [{"item": 1.0}, {"a b": 1.0}, {"click": float("nan")}])
def test_signals_that_no_log_can_hold_are_refused(signals):
    with pytest.raises(FeedbackRefused, match="signals: "):
        RecordedFeedback("r", "a", signals, NOW)


def test_a_repeated_decision_is_stored_once(store):
    for _ in range(2):
        store.record_decisions([decision("r", "a", "b"), decision("s", "a")])
    assert store.log_frame().height == 3


def test_the_catalogue_is_kept_in_its_order(store):
    first = [StoredItem("b", "B", "B. Drama", {"year": 1999}), StoredItem("a", "A", "A", {})]
    store.record_items(first)
    store.record_items(first)
    assert store.items_frame()["id"].to_list() == ["b", "a"]
    assert json.loads(store.items_frame()["attributes"][0]) == {"year": 1999}
    store.record_items([*first[::-1], StoredItem("c", "C", "C", {})])
    assert store.items_frame()["id"].to_list() == ["a", "b", "c"]


def test_signals_have_columns_before_the_first_feedback(store):
    store.record_signals(["click", "rating"])
    store.record_signals(["click"])
    store.record_decision(decision("r", "a"))
    assert store.log_frame().select("click", "rating").rows() == [(0.0, 0.0)]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_exported_log_is_the_frame(store, tmp_path, monkeypatch, ending):
    monkeypatch.setattr("recframe.feedback.log.RECOMMENDATIONS_AT_ONCE", 3)
    # several in one moment, so that blocks end between them
    store.record_decisions([decision(f"r{number:02}", "a", "b", time=NOW + number // 5) for number in range(20)])
    store.record_decision(decision("r99", "a", time=NOW + 9, k=1, candidates=["a", "c"], exclude=["a"]))
    store.record_feedback(feedback("r07", "b"))
    path = tmp_path / f"log.{ending}"
    assert export_log(store, path) == 41
    beside = tmp_path / f"log.lists.{ending}"
    read, lists = (pl.read_csv(file) if ending == "csv" else pl.read_parquet(file) for file in (path, beside))
    assert read.rows() == store.log_frame().rows()
    content = {name: json.loads(items) for name, items in lists.rows()}
    assert [content[name] for name in read.row(-1, named=True)["candidates"].split()] == [["a", "c"]]
    assert [content[name] for name in read.row(-1, named=True)["exclude"].split()] == [["a"]]
    assert sorted(file.name for file in tmp_path.iterdir() if "log" in file.name) == sorted([path.name, beside.name])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_log_without_lists_has_no_file_of_lists_beside_it(store, tmp_path, ending):
    store.record_decision(decision("r", "a", time=NOW, k=1, candidates=["a", "c"]))
    path, beside = tmp_path / f"log.{ending}", tmp_path / f"log.lists.{ending}"
    export_log(store, path)
    assert beside.exists()
    store.record_decision(decision("later", "a", time=NOW + 9))
    assert export_log(store, path, since=NOW + 5) == 1
    assert not beside.exists()
    # somebody's own file of this name stays
    export_log(store, beside, since=NOW + 5)
    export_log(store, path, since=NOW + 5)
    assert beside.exists()


def test_an_export_that_fails_leaves_no_parts(store, tmp_path):
    store.record_decision(decision("r", "a", candidates=["a", "c"]))
    (tmp_path / "log.lists.csv").mkdir()
    with pytest.raises(UserError, match=r"log\.csv: cannot be written"):
        export_log(store, tmp_path / "log.csv")
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("feedback.db", "is no address of a database; right is sqlite:///feedback.db or postgresql://"),
        ("sqlite://", "would keep feedback in memory only"),
        ("mysql://host/name", "a database of the kind 'mysql' is not supported"),
    ],
)
def test_wrong_addresses_are_refused(address, message):
    with pytest.raises(StoreError, match=message):
        FeedbackStore.open(address)


def test_a_database_that_is_away_or_broken_is_told_without_its_password(tmp_path):
    with pytest.raises(StoreUnavailable) as told:
        FeedbackStore.open("postgresql://me:secret@127.0.0.1:1/name")
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)
    (tmp_path / "text.db").write_text("no database at all, but long enough to be read as one" * 50)
    with pytest.raises(StoreError, match="file is not a database"):
        FeedbackStore.open(f"sqlite:///{tmp_path}/text.db")


EARLIER = """
CREATE TABLE about (name VARCHAR PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE recommendations (recommendation VARCHAR PRIMARY KEY, time DOUBLE PRECISION NOT NULL, session VARCHAR NOT NULL,
 person VARCHAR NOT NULL, policy VARCHAR NOT NULL, version VARCHAR NOT NULL, explored BOOLEAN NOT NULL, history TEXT NOT NULL,
 profile TEXT, context TEXT);
CREATE TABLE shown_items (recommendation VARCHAR NOT NULL REFERENCES recommendations (recommendation), position INTEGER NOT NULL,
 item VARCHAR NOT NULL, propensity DOUBLE PRECISION NOT NULL, score DOUBLE PRECISION, PRIMARY KEY (recommendation, position));
INSERT INTO about VALUES ('layout', '1');
INSERT INTO recommendations VALUES ('old', 5.0, 's', 'ann', 'main', 'v0', FALSE, '[]', NULL, NULL);
INSERT INTO shown_items VALUES ('old', 0, 'a', 0.5, NULL)
"""
"""A store of layout 1, as far as it is read here."""


def test_a_store_of_the_earlier_layout_is_brought_up_to_date(url, caplog):
    engine = make_engine(read_url(url))
    with engine.begin() as connection:
        for statement in EARLIER.split(";"):
            connection.execute(text(statement))
    engine.dispose()
    caplog.set_level("INFO")
    for opened in range(2):
        with FeedbackStore.open(url) as store:
            row = store.asked_frame().row(0, named=True)
            # what it was asked for is not known
            assert (row["recommendation"], row["k"], row["candidates"]) == ("old", None, None)
            store.record_decision(decision("new", "a", k=1, candidates=["a"]))
            assert store.record_feedback(feedback("old", "a")) is (opened == 0)
            assert store.asked_frame()["k"].to_list() == [None, 1]
            assert store.log_frame()["click"].to_list() == [1.0, 0.0]
    told = [record.getMessage() for record in caplog.records if "brought up to date" in record.getMessage()]
    assert len(told) == 1
    assert told[0].endswith("from layout 1 to 2")


def test_a_store_of_another_layout_is_refused(url, monkeypatch):
    monkeypatch.setattr("recframe.feedback.tables.LAYOUT", "0")
    FeedbackStore.open(url).close()
    monkeypatch.undo()
    with pytest.raises(StoreError, match="a store of layout 0"):
        FeedbackStore.open(url)


def test_postgres_that_stops_and_comes_back_loses_nothing(postgres):
    with FeedbackStore.open(postgres.new_database()) as store:
        store.record_decision(decision("r", "a"))
        postgres.stop()
        with pytest.raises(StoreUnavailable):
            store.record_feedback(feedback("r", "a"))
        postgres.start()
        assert store.record_feedback(feedback("r", "a"))
        assert store.log_frame()["click"].to_list() == [1.0]


WRITER = """
import sys
from recframe.feedback import RecordedFeedback
from recframe.feedback.store import FeedbackStore
store = FeedbackStore.open(sys.argv[1])
for number in range(100_000):
    store.record_feedback(RecordedFeedback("r", "a", {"click": 1.0}, 1.0, f"key-{number}"))
    print(f"key-{number}", flush=True)
"""


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path):
    url = f"sqlite:///{tmp_path}/feedback.db"
    with FeedbackStore.open(url) as store:
        store.record_decision(decision("r", "a"))
        with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True) as writer:
            told = [writer.stdout.readline().strip() for _ in range(20)]
            writer.kill()
            told += writer.stdout.read().split()
        for key in told:
            assert store.record_feedback(feedback("r", "a", key=key)) is False
        assert store.feedback_since(0) in (len(told), len(told) + 1)


def test_processes_that_store_their_catalogues_at_once_do_not_fail(postgres, monkeypatch):
    url, both = postgres.new_database(), threading.Barrier(2)
    catalogues = [catalogue_of([StoredItem(f"{name}{row}", name, name, {}) for row in range(50)]) for name in "abc"]

    def reads(connection):
        # without a lock, each has read before the other one writes
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return read_catalogue_rows(connection)

    with FeedbackStore.open(url) as store, FeedbackStore.open(url) as other, ThreadPoolExecutor(2) as threads:
        store.record_catalogue(catalogues[0], "a")
        monkeypatch.setattr("recframe.feedback.store.read_catalogue_rows", reads)
        list(threads.map(lambda go: go[0].record_catalogue(catalogues[go[1]], "abc"[go[1]]), [(store, 1), (other, 2)]))
        last = 1 if store.has_catalogue("b") else 2
        assert store.has_catalogue("abc"[last])
        assert store.items_frame().equals(catalogues[last])


def test_a_database_that_hangs_is_away(postgres, monkeypatch):
    monkeypatch.setattr("recframe.feedback.database.STATEMENT_SECONDS", 0.1)
    with FeedbackStore.open(postgres.new_database()) as store, store.engine.begin() as other:
        other.execute(text("LOCK TABLE recommendations IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            store.record_decision(decision("r", "a"))


def test_a_statement_that_hangs_ends_before_its_request():
    assert max(STATEMENT_SECONDS, BUSY_SECONDS) < BatchConfig().seconds


def test_a_database_that_is_away_is_told_once_and_so_is_its_return(postgres, caplog):
    def told() -> list[str]:
        return [record.getMessage().split(":")[0] for record in caplog.records if record.name == "recframe.feedback.store"]

    with FeedbackStore.open(postgres.new_database()) as store:
        postgres.stop()
        for _ in range(2):
            for ask in (store.check, lambda: store.record_decision(decision("r", "a"))):
                with pytest.raises(StoreUnavailable):
                    ask()
        assert told() == ["the store is away, which is told once"]
        postgres.start()
        store.check()
        assert len(told()) == 1
        for name in "rs":
            store.record_decision(decision(name, "a"))
        assert told() == ["the store is away, which is told once", "the store is back"]
