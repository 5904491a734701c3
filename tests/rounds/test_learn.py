"""Rounds beside a server: a better policy is served, others are kept aside, and nothing is half done."""

from __future__ import annotations

import json
import os
import shutil
import threading

import pytest

import recframe
from recframe.config import ConfigError
from recframe.errors import Stop, UserError
from recframe.feedback.store import FeedbackStore
from recframe.rounds.learn import learn_in_rounds
from recframe.rounds.round import Rounds, train_run
from recframe.rounds.served_folder import ServedFolder
from recframe.rounds.settings import LearnSettings
from recframe.serving.artefact.manifest import ArtefactError
from tests.rounds.conftest import People

QUICK = ("evaluation.k=[1]", "logged.batches=150", "logged.evaluate_every=75", "agent.learning_rate=0.01")


@pytest.fixture
def folder(artefact, tmp_path):
    return shutil.copytree(artefact, tmp_path / "policy")


def settings(url, folder, **changes):
    given = {"rounds": 1, "feedback": 5, "settle": 0.0, "hold_out": 0.5, "effective": 30.0, "poll": 0.01, "overrides": QUICK}
    return LearnSettings(url, folder, **{**given, **changes})


def records(folder):
    return [json.loads(line) for line in (folder.with_name("policy.rounds") / "rounds.jsonl").read_text().splitlines()]


def test_a_better_policy_is_served_and_the_next_round_starts_from_it(url, folder):
    before = recframe.load_policy(folder)
    people = People(best=3, second=5)
    with FeedbackStore.open(url) as store:
        people.visit(before, store, seed=1)
    assert people.value(before) < 0.2
    (record,) = learn_in_rounds(settings(url, folder))
    assert record["outcome"] == "swapped in", record["reason"]
    assert folder.is_symlink()
    now = recframe.load_policy(folder)
    assert now.version == record["new"] == os.readlink(folder).rpartition("/")[2]
    assert people.value(now) == 0.8
    assert record["verdict"]["low"] > 0
    run = folder.with_name("policy.rounds") / "round-0001" / "run"
    config = (run / "config.yaml").read_text()
    assert f"init: {folder.with_name('policy.rounds')}/policies/{before.version}" in config
    assert record == records(folder)[0]
    # nothing is new: the next round learns and judges by what comes then, here by nobody
    with FeedbackStore.open(url) as store:
        assert Rounds(settings(url, folder), store, ServedFolder(folder, settings(url, folder).place)).waits_since > 1_760_000_000


def test_a_worse_policy_is_kept_aside_with_the_reason(url, folder, artefact):
    before = recframe.load_policy(folder)
    people = People(best=0, second=5)
    with FeedbackStore.open(url) as store:
        people.visit(before, store, seed=2)

    def spoilt(cfg, place, given):
        """A run that learns that what people take is bad."""
        cfg.reward.click.weight = -1.0
        cfg.trainer.final_weights = "last"
        train_run(cfg, place, given)

    (record,) = learn_in_rounds(settings(url, folder), train=spoilt)
    assert record["outcome"] == "kept aside"
    assert record["verdict"]["decision"] == "worse", record["reason"]
    assert recframe.load_policy(folder).version == before.version == record["old"]
    aside = folder.with_name("policy.rounds") / "aside"
    assert recframe.load_policy(aside / record["new"]).version == record["new"]
    assert (aside / f"{record['new']}.txt").read_text().startswith("worse: new - old is -0.")


def test_a_round_that_cannot_be_made_is_a_record_and_not_the_end(url, folder):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(recframe.load_policy(folder), store, seed=3, people=40, turns=4)

    def failing(cfg, place, given):
        raise UserError("training diverged: a loss is no number")

    made = learn_in_rounds(settings(url, folder, rounds=1), train=failing)
    assert [(one["round"], one["outcome"], one["new"]) for one in made] == [(1, "failed", None)]
    assert "diverged" in records(folder)[0]["reason"]


def test_a_round_that_is_stopped_leaves_nothing_and_is_done_again(url, folder):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(recframe.load_policy(folder), store, seed=4, people=40, turns=4)

    def stopped(cfg, place, given):
        (place / "half").mkdir(parents=True)
        raise Stop("stopped by SIGTERM", 143)

    with pytest.raises(Stop):
        learn_in_rounds(settings(url, folder), train=stopped)
    home = folder.with_name("policy.rounds")
    assert not list(home.glob("round-*"))
    assert not (home / "rounds.jsonl").exists()
    # what a kill leaves is removed, and an exchange that was announced is finished
    (home / "round-0001" / "run").mkdir(parents=True)
    served = ServedFolder(folder, home)
    version = os.readlink(folder).rpartition("/")[2]
    shutil.copytree(home / "policies" / version, home / "policies" / "abc")
    record = {"round": 1, "old": version, "new": "abc", "outcome": "swapped in", "reason": "", "judged_until": 5.0}
    served.announce("abc", record)
    with FeedbackStore.open(url) as store:
        rounds = Rounds(settings(url, folder), store, served)
        for _ in range(2):
            rounds.finish_what_was_begun()
            assert os.readlink(folder) == "policy.rounds/policies/abc"
            assert rounds.file.read() == [record]
            assert served.pending() is None
    assert (home / "round-0001").exists()


def test_one_learner_for_a_folder(url, folder):
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(recframe.load_policy(folder), store, seed=5, people=40, turns=2)
    said = []

    def another(cfg, place, given):
        def try_it():
            with pytest.raises(UserError) as error:
                learn_in_rounds(settings(url, folder))
            said.append(str(error.value))

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
        raise UserError("enough")

    learn_in_rounds(settings(url, folder), train=another)
    assert "another process learns for" in said[0]


def test_a_plain_folder_becomes_a_link_and_a_killed_change_is_finished(folder, tmp_path):
    home = tmp_path / "home"
    served = ServedFolder(folder, home)
    content = sorted(path.name for path in folder.iterdir())
    served.prepare()
    assert folder.is_symlink()
    assert sorted(path.name for path in folder.iterdir()) == content
    served.prepare()
    # killed after the folder was moved away, before the link was there
    target = served.current()
    folder.unlink()
    shutil.copytree(target, home / "replaced")
    served.prepare()
    assert folder.is_symlink()
    assert served.current() == target
    assert not (home / "replaced").exists()
    with pytest.raises(ArtefactError, match="is not an artefact"):
        ServedFolder(tmp_path / "nowhere", home).prepare()


def test_wrong_settings_are_refused_together(url, folder):
    with pytest.raises(ConfigError) as error:
        settings(url, folder, hold_out=1.0, margin=-1.0, feedback=0)
    assert [line.partition(":")[0] for line in error.value.problems] == ["--feedback", "--hold-out", "--margin"]
