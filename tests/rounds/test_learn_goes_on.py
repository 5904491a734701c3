"""Rounds that go on for months: what fails in one of them is not the end, and the disk does not fill."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest

import recframe
from recframe.errors import UserError
from recframe.feedback import StoreUnavailable
from recframe.feedback.store import FeedbackStore
from recframe.rounds import learn
from recframe.rounds.learn import learn_in_rounds
from recframe.rounds.old_rounds import GONE, remove_old_rounds
from recframe.rounds.round import Rounds
from recframe.rounds.round_folder import make_round_folder, round_folder
from recframe.rounds.rounds_file import ASIDE, SWAPPED, RoundsFile
from recframe.rounds.served_folder import ServedFolder
from recframe.rounds.settings import LearnSettings
from tests.postgres_server import postgres
from tests.rounds.conftest import NOW, People

__all__ = ["postgres"]


@pytest.fixture
def folder(artefact, tmp_path):
    return shutil.copytree(artefact, tmp_path / "policy")


def settings(url, folder, **changes):
    return LearnSettings(url, folder, **{"rounds": 1, "feedback": 5, "settle": 0.0, "poll": 0.01, **changes})


def visited(url, folder, **given):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(recframe.load_policy(folder), store, **{"seed": 1, "people": 40, "turns": 2, **given})


def waiting(monkeypatch, look):
    """Call `look` wherever the command waits before it looks at the store again."""
    monkeypatch.setattr(learn.threading, "Event", lambda: SimpleNamespace(wait=look))


def enough(cfg, place, given):
    raise UserError("enough")


def test_a_database_that_is_away_is_waited_for(postgres, folder, monkeypatch, caplog):
    url, waits = postgres.new_database(), []
    visited(url, folder)

    def look(seconds):
        # the second time it is there again
        waits.append(seconds)
        if len(waits) == 2:
            postgres.start()

    waiting(monkeypatch, look)
    before = Rounds.require_possible

    def require_possible(rounds):
        before(rounds)
        postgres.stop()

    monkeypatch.setattr(Rounds, "require_possible", require_possible)
    try:
        (record,) = learn_in_rounds(settings(url, folder), train=enough)
    finally:
        if len(waits) < 2:
            postgres.start()
    assert (record["outcome"], record["reason"]) == ("failed", "enough")
    assert waits == [0.01] * 2
    assert [one.getMessage()[:25] for one in caplog.records if "the store is" in one.getMessage()] == [
        "the store is away, which ",
        "the store is back: postgr",
    ]


def test_what_nobody_expected_is_a_failed_round_which_waits_for_new_feedback(url, folder, monkeypatch):
    clock, waits, tried = [NOW + 10_000.0], [], []
    monkeypatch.setattr("recframe.rounds.learn.time.time", lambda: clock[0])
    visited(url, folder)

    def look(seconds):
        waits.append(seconds)
        clock[0] += 1_000
        if len(waits) == 3:
            visited(url, folder, seed=2, start=clock[0] - 500)

    def broken(cfg, place, given):
        tried.append(len(waits))
        raise ZeroDivisionError("a number of nothing")

    waiting(monkeypatch, look)
    made = learn_in_rounds(settings(url, folder, rounds=2), train=broken)
    # the second round is not made of the feedback of the first
    assert tried == [0, 3]
    home = folder.with_name("policy.rounds")
    for number, record in enumerate(made, 1):
        log = home / f"round-{number:04}" / "error.log"
        assert record["outcome"] == "failed"
        assert record["reason"] == f"ZeroDivisionError: a number of nothing (the traceback is in {log})"
        assert "in broken" in log.read_text()
    assert RoundsFile(home).read() == made


def test_a_database_that_goes_in_a_round_ends_the_round_and_not_the_loop(url, folder, monkeypatch):
    clock, asked, before = [NOW + 10_000.0], [], FeedbackStore.log_frame
    monkeypatch.setattr("recframe.rounds.learn.time.time", lambda: clock[0])
    visited(url, folder)

    def log_frame(store, **given):
        asked.append(1)
        if len(asked) == 1:
            raise StoreUnavailable("sqlite: the disk is away")
        return before(store, **given)

    def look(seconds):
        clock[0] += 1_000
        visited(url, folder, seed=2, start=clock[0] - 500)

    monkeypatch.setattr(FeedbackStore, "log_frame", log_frame)
    waiting(monkeypatch, look)
    made = learn_in_rounds(settings(url, folder, rounds=2), train=enough)
    assert [one["reason"] for one in made] == ["sqlite: the disk is away", "enough"]


def test_a_served_folder_that_is_damaged_fails_the_round(url, folder):
    visited(url, folder)
    given = settings(url, folder)
    with FeedbackStore.open(url) as store:
        served = ServedFolder(folder, given.place)
        served.prepare()
        (served.current() / "policy.safetensors").write_bytes(b"")
        record = Rounds(given, store, served).run()
    assert (record["outcome"], record["old"]) == ("failed", None)
    assert "is damaged" in record["reason"]


def test_an_exchange_that_cannot_be_finished_is_no_failed_round(url, folder, monkeypatch):
    visited(url, folder)
    given = settings(url, folder)
    with FeedbackStore.open(url) as store:
        rounds = Rounds(given, store, ServedFolder(folder, given.place))
        rounds.served.prepare()

        def full(*told):
            rounds.served.announce("abc", {"round": 1})
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(rounds, "_train_and_judge", full)
        with pytest.raises(OSError, match="No space left"):
            rounds.run()
    assert RoundsFile(given.place).read() == []


def made_up_rounds(home, outcomes):
    """Folders and records of rounds: the version of round n is vn; what was served before the first is v0."""
    (home / "policies" / "v0").mkdir(parents=True)
    records, served = [], "v0"
    for number, outcome in enumerate(outcomes, 1):
        make_round_folder(round_folder(home, number))
        (round_folder(home, number) / "run").mkdir()
        new = None if outcome == "failed" else f"v{number}"
        record = {"round": number, "old": served, "new": new, "outcome": outcome}
        records.append(record)
        if outcome == SWAPPED:
            (home / "policies" / new).mkdir()
            served = new
        elif outcome == ASIDE:
            (home / "aside" / new).mkdir(parents=True)
            (home / "aside" / f"{new}.txt").write_text("worse")
    return records, served


def left(home):
    return {
        name: sorted(path.name for path in home.glob(pattern))
        for name, pattern in {"policies": "policies/*", "aside": "aside/*", "rounds": "round-*"}.items()
    }


def test_old_rounds_are_removed_but_for_what_is_served_and_was_before(tmp_path):
    outcomes = [SWAPPED, ASIDE, SWAPPED, SWAPPED, "failed", *[ASIDE] * 3]
    records, served = made_up_rounds(tmp_path, outcomes)
    (tmp_path / "policies" / "mine").mkdir()
    (tmp_path / "round-0042").mkdir()
    remove_old_rounds(tmp_path, records, served, keep=0)
    assert len(left(tmp_path)["rounds"]) == 9
    # what a killed process left is finished
    (tmp_path / GONE / "half").mkdir(parents=True)
    for _ in range(2):
        remove_old_rounds(tmp_path, records, served, keep=2)
        # v0 is what the rounds began with, v3 what was served before v4
        assert left(tmp_path) == {
            "policies": ["mine", "v0", "v3", "v4"],
            "aside": ["v7", "v7.txt", "v8", "v8.txt"],
            "rounds": ["round-0004", "round-0007", "round-0008", "round-0042"],
        }
    assert not (tmp_path / GONE).exists()


def test_what_somebody_went_back_to_is_not_removed(tmp_path):
    records, _ = made_up_rounds(tmp_path, [SWAPPED, SWAPPED, SWAPPED, SWAPPED, "failed"])
    records.append({"round": 6, "old": "../../elsewhere", "new": "..", "outcome": ASIDE})
    remove_old_rounds(tmp_path, [*records, {"round": 7, "old": "v4", "new": None}], "v2", keep=1)
    # with the one before it, and the two of the last exchange
    assert left(tmp_path)["policies"] == ["v0", "v1", "v2", "v3", "v4"]
    assert left(tmp_path)["rounds"] == ["round-0002"]


def test_learn_removes_old_rounds(url, folder):
    visited(url, folder)
    home = folder.with_name("policy.rounds")
    version = recframe.load_policy(folder).version
    for number in range(1, 4):
        make_round_folder(round_folder(home, number))
        (home / "aside" / f"a{number}").mkdir(parents=True)
    old = [{"round": n, "old": version, "new": f"a{n}", "outcome": ASIDE, "judged_until": 0.0} for n in range(1, 4)]
    (home / "rounds.jsonl").write_text("".join(json.dumps(one) + "\n" for one in old))
    (record,) = learn_in_rounds(settings(url, folder, keep=2), train=enough)
    assert record["round"] == 4
    assert left(home) == {"policies": [version], "aside": ["a3"], "rounds": ["round-0003", "round-0004"]}
    assert len(RoundsFile(home).read()) == 4


@pytest.mark.parametrize(("given", "said"), [(["--rounds", "0"], "--rounds: 0"), (["--keep", "-1"], "--keep: -1")])
def test_numbers_that_are_too_small_are_refused_in_one_line(warm_recframe, url, folder, given, said):
    visited(url, folder, turns=1)
    done = warm_recframe("learn", url, str(folder), *given)
    least = 1 if given[0] == "--rounds" else 0
    assert (done.returncode, done.stderr) == (2, f"recframe: {said} is not allowed; it must be >= {least}\n")
    assert not folder.with_name("policy.rounds").exists()
