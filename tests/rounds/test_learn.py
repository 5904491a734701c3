"""Rounds beside a server: a better policy is served, others are kept aside, and nothing is half done."""

from __future__ import annotations

import json
import os
import shutil
import threading
from types import SimpleNamespace

import pytest

import recframe
from recframe.config import ConfigError
from recframe.errors import Stop, UserError
from recframe.feedback.store import FeedbackStore
from recframe.rounds.learn import learn_in_rounds, wait_for_feedback
from recframe.rounds.round import Rounds, train_run
from recframe.rounds.round_folder import MARKER, make_round_folder
from recframe.rounds.served_folder import ServedFolder, ServedFolderError
from recframe.rounds.settings import LearnSettings
from recframe.rounds.training import length_of_round, round_config
from recframe.serving.artefact.manifest import ArtefactError, read_manifest
from tests.postgres_server import postgres
from tests.rounds.conftest import NOW, People

__all__ = ["postgres"]

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


def spoilt(cfg, place, given):
    """A run that learns that what people take is bad."""
    cfg.reward.click.weight = -1.0
    cfg.trainer.final_weights = "last"
    train_run(cfg, place, given)


def test_a_worse_policy_is_kept_aside_with_the_reason(url, folder, artefact):
    before = recframe.load_policy(folder)
    people = People(best=0, second=5)
    with FeedbackStore.open(url) as store:
        people.visit(before, store, seed=2)

    (record,) = learn_in_rounds(settings(url, folder), train=spoilt)
    assert record["outcome"] == "kept aside"
    assert record["verdict"]["decision"] == "worse", record["reason"]
    assert recframe.load_policy(folder).version == before.version == record["old"]
    aside = folder.with_name("policy.rounds") / "aside"
    assert recframe.load_policy(aside / record["new"]).version == record["new"]
    assert (aside / f"{record['new']}.txt").read_text().startswith("worse: new - old is -0.")


@pytest.mark.evidence
@pytest.mark.parametrize(("best", "train", "least", "most"), [(3, train_run, 9, 10), (0, spoilt, 0, 0)])
def test_better_policies_are_let_in_and_worse_ones_are_not(artefact, tmp_path, best, train, least, most):
    """Whole rounds, with other people and another training for each seed: feedback, training, export, gate, and the exchange."""
    outcomes, values = [], []
    for seed in range(10):
        folder, url = shutil.copytree(artefact, tmp_path / f"{seed}" / "policy"), f"sqlite:///{tmp_path}/{seed}/feedback.db"
        before, people = recframe.load_policy(folder), People(best=best, second=5)
        with FeedbackStore.open(url) as store:
            people.visit(before, store, seed=100 + seed)
        (record,) = learn_in_rounds(settings(url, folder, overrides=(*QUICK, f"seed={seed}")), train=train)
        now = recframe.load_policy(folder)
        assert now.version == (record["new"] if record["outcome"] == "swapped in" else before.version)
        outcomes.append((record["outcome"], (record.get("verdict") or {}).get("decision")))
        values.append((people.value(before), people.value(now)))
    print(f"item {best} is best: {outcomes}; chances of a click before and after: {values}")
    assert least <= sum(outcome == "swapped in" for outcome, _ in outcomes) <= most
    # what is served is never worse than what was
    assert all(now >= old for old, now in values)


def test_a_round_waits_until_what_was_recommended_has_settled(url, folder, monkeypatch):
    now = [NOW + 1_000.0]
    monkeypatch.setattr("recframe.rounds.learn.time.time", lambda: now[0])
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(recframe.load_policy(folder), store, seed=3, people=40, turns=4)
        given = settings(url, folder, feedback=5, settle=900.0)
        rounds = Rounds(given, store, ServedFolder(folder, given.place))
        enough = store.feedback_about(0.0, NOW + 100)
        assert 5 <= enough < store.feedback_since(0)
        looks = []

        def look(seconds):
            # what is old enough grows with the time
            looks.append(store.feedback_about(0.0, now[0] - 900))
            now[0] += 40

        now[0] = NOW + 860.0
        monkeypatch.setattr("recframe.rounds.learn.threading.Event", lambda: SimpleNamespace(wait=look))
        wait_for_feedback(rounds, store, given)
        assert looks
        assert max(looks) < 5 <= store.feedback_about(0.0, now[0] - 900)


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
    # an exchange that was announced is finished
    make_round_folder(home / "round-0001")
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


def test_only_folders_that_learn_made_are_removed(url, folder):
    home = folder.with_name("policy.rounds")
    with FeedbackStore.open(url) as store:
        People(best=3, second=5).visit(recframe.load_policy(folder), store, seed=6, people=40, turns=2)
    for name in ("round-0001", "round-0007", "round-trip", "round-9"):
        (home / name).mkdir(parents=True)
        (home / name / "mine.txt").write_text("mine")
    # of names that no round has, and of a round that was killed
    (home / "round-trip" / MARKER).touch()
    make_round_folder(home / "round-0003")
    (home / "round-0003" / "run").mkdir()
    (record,) = learn_in_rounds(settings(url, folder), train=lambda *given: pytest.fail("no run is made"))
    assert record["outcome"] == "failed"
    assert "round-0001: is there, and recframe learn did not make it" in record["reason"]
    assert all((home / name / "mine.txt").exists() for name in ("round-0001", "round-0007", "round-trip", "round-9"))
    assert not (home / "round-0003").exists()


@pytest.mark.parametrize("other", ["notes.txt", "subfolder"])
def test_a_folder_with_other_files_than_the_artefacts_is_not_replaced(folder, tmp_path, other):
    (folder / "subfolder").mkdir() if other == "subfolder" else (folder / other).write_text("mine")
    with pytest.raises(ServedFolderError, match=f"has {other}, which is no file of the artefact"):
        ServedFolder(folder, tmp_path / "home").prepare()
    assert not folder.is_symlink()
    assert (folder / other).exists()


@pytest.mark.parametrize("name", ["mine.txt", "artefact.json"])
def test_a_folder_in_the_place_of_the_replaced_one_is_not_removed(folder, tmp_path, name):
    mine = tmp_path / "home" / "replaced" / name
    mine.parent.mkdir(parents=True)
    # another artefact, of which there is no copy
    mine.write_text((folder / "artefact.json").read_text().replace(recframe.load_policy(folder).version, "another"))
    with pytest.raises(ServedFolderError, match="recframe learn did not put there what is in it"):
        ServedFolder(folder, tmp_path / "home").prepare()
    assert mine.exists()
    assert not folder.is_symlink()


def test_a_folder_stays_if_the_copy_of_its_version_is_damaged(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "home" / "policies" / recframe.load_policy(folder).version)
    (copy / "policy.safetensors").write_bytes(b"")
    with pytest.raises(ArtefactError, match="is damaged"):
        ServedFolder(folder, tmp_path / "home").prepare()
    assert recframe.load_policy(folder)


def test_code_that_comes_with_a_model_is_not_run_without_the_flag(url, folder):
    manifest = json.loads((folder / "artefact.json").read_text())
    manifest["sections"]["encoder"] = {"name": "sentence_transformers", "trust_remote_code": True}
    (folder / "artefact.json").write_text(json.dumps(manifest))
    with FeedbackStore.open(url) as store:
        store.record_signals(["click"])
    with pytest.raises(ConfigError) as error:
        learn_in_rounds(settings(url, folder), train=lambda *given: pytest.fail("no run is made"))
    said = "encoder.trust_remote_code runs code that comes with a model: read it, and allow it with --trust-remote-code"
    assert error.value.problems == [said]
    assert not (folder.with_name("policy.rounds") / "rounds.jsonl").exists()
    # also where such a policy comes while rounds are made
    with pytest.raises(ConfigError, match="allow it with --trust-remote-code"):
        round_config(settings(url, folder), read_manifest(folder), folder, 0.0, 1)


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"overrides": ("agent.learning_rat=1", "logged.batches=none")}, "agent.learning_rat"),
        ({"signal": "purchase"}, "--signal purchase: the store has no such signal; it has: click"),
    ],
)
def test_what_no_round_can_be_made_with_is_told_before_anything_is_waited_for(url, folder, changes, said):
    with FeedbackStore.open(url) as store:
        store.record_signals(["click"])
    # there is no feedback to begin a round with
    with pytest.raises(UserError, match=said):
        learn_in_rounds(settings(url, folder, **changes), train=lambda *given: pytest.fail("no run is made"))
    assert not (folder.with_name("policy.rounds") / "rounds.jsonl").exists()


def test_an_address_with_a_password_is_told_before_anything_is_waited_for(postgres, folder):
    address = postgres.new_database()
    with FeedbackStore.open(address) as store:
        store.record_signals(["click"])
    with_password = address.replace("://", "://me:secret@", 1) if "@" not in address else address.replace("@", ":secret@", 1)
    with pytest.raises(ConfigError, match="an address with a password would be recorded") as error:
        learn_in_rounds(settings(with_password, folder))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("rows", "batch", "batches"), [(0, 64, 200), (3_000, 64, 469), (3_000, 256, 200), (10**6, 64, 2_000)])
def test_a_round_is_as_long_as_its_feedback_asks_for(rows, batch, batches):
    assert length_of_round(rows, batch) == {"logged.batches": batches, "logged.evaluate_every": -(-batches // 4)}


def test_the_length_of_a_round_can_be_given(url, folder):
    manifest = read_manifest(folder)
    rows = 25 * manifest.sections["agent"]["batch_size"]
    usual = round_config(settings(url, folder, overrides=()), manifest, folder, 0.0, 1, rows=rows)
    assert (usual.logged.batches, usual.logged.evaluate_every) == (250, 63)
    # the gate compares with the policy that it starts from, and no ranking of the log does
    assert usual.trainer.evaluate_start is False
    given = round_config(settings(url, folder), manifest, folder, 0.0, 1, rows=rows)
    assert (given.logged.batches, given.logged.evaluate_every) == (150, 75)


@pytest.mark.parametrize(("batch", "batches"), [(10, 1_000), (500, 200)])
def test_a_round_counts_in_batches_of_the_served_policy(url, folder, batch, batches):
    path = folder / "artefact.json"
    content = json.loads(path.read_text())
    content["sections"]["agent"]["batch_size"] = batch
    path.write_text(json.dumps(content))
    cfg = round_config(settings(url, folder, overrides=()), read_manifest(folder), folder, 0.0, 1, rows=1_000)
    assert (cfg.agent.batch_size, cfg.logged.batches) == (batch, batches)
    # a setting of the command line comes first, as everywhere
    given = settings(url, folder, overrides=("agent.batch_size=25",))
    assert round_config(given, read_manifest(folder), folder, 0.0, 1, rows=1_000).logged.batches == 400


def test_wrong_settings_are_refused_together(url, folder):
    with pytest.raises(ConfigError) as error:
        settings(url, folder, hold_out=1.0, margin=-1.0, feedback=0)
    assert [line.partition(":")[0] for line in error.value.problems] == ["--feedback", "--hold-out", "--margin"]


def test_a_round_has_the_encoder_of_the_artefact_also_where_it_is_not_the_usual_one(url, folder):
    path = folder / "artefact.json"
    content = json.loads(path.read_text())
    content["sections"]["encoder"]["dim"] += 3
    path.write_text(json.dumps(content))
    cfg = round_config(settings(url, folder), read_manifest(folder), folder, 0.0, 1)
    assert (cfg.encoder.dim, cfg.init) == (content["sections"]["encoder"]["dim"], str(folder))
