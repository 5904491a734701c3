"""A folder goes on with its own run and is refused to another; a config that was edited is no longer the run's."""

import json
import os

import pytest
import yaml

from recframe.config import ConfigError, Consent, compose_config, validate
from recframe.tracking import RunFolder, RunFolderError, claim_folder, recorded_config, run_identity


@pytest.fixture(scope="module")
def config():
    return validate(compose_config(["debug=smoke", "encoder=tfidf", "logger=[csv]"]))


@pytest.fixture
def run(config, tmp_path):
    """The folder of a run that has started."""
    identity = run_identity(config)
    with claim_folder(tmp_path / "run", identity) as folder:
        assert not folder.holds_run
        identity.write(folder.path)
        folder.write_config(config, ["debug=smoke"])
        folder.checkpoints.mkdir()
    return tmp_path / "run"


def edit(run, **values):
    path = run / "config.yaml"
    content = yaml.safe_load(path.read_text())
    for key, value in values.items():
        *above, last = key.split("__")
        section = content
        for part in above:
            section = section[part]
        section[last] = value
    path.write_text(yaml.safe_dump(content))


def test_a_folder_is_claimed_again_for_its_own_run_only(config, run):
    with claim_folder(run, run_identity(config)) as folder:
        assert folder.holds_run
        with pytest.raises(RunFolderError, match="is being written by another process"):
            claim_folder(run, run_identity(config))
    other = config.copy()
    other.agent.gamma, other.seed, other.name = 0.5, 3, "a name makes no other run"
    with pytest.raises(RunFolderError) as caught:
        claim_folder(run, run_identity(other))
    assert str(caught.value) == (
        f"{run}: already holds another run (agent.gamma: 0.97 then, 0.5 now; seed: 0 then, 3 now); continue that one with resume={run}, "
        "or choose another folder with hydra.run.dir="
    )
    RunFolder.open(run).release()  # the refusals kept no lock


def test_another_version_is_named(config, run):
    path = run / "identity.json"
    content = json.loads(path.read_text())
    content["versions"]["torch"], content["key"] = "1.13.0", "of an older torch"
    path.write_text(json.dumps(content))
    with pytest.raises(RunFolderError, match=r"already holds another run \(torch: 1\.13\.0 then, "):
        claim_folder(run, run_identity(config))


def test_a_run_without_an_identity_is_not_continued_by_its_command(config, run):
    (run / "identity.json").unlink()
    with pytest.raises(RunFolderError, match="already holds a run of which it is not known what it was started with"):
        claim_folder(run, run_identity(config))


def test_a_run_that_has_not_started_leaves_nothing_to_the_next(config, run):
    for name in ("machine.json", "launch.json", "choices.yaml", "data.json"):
        (run / name).write_text("{}")
    (run / "checkpoints").rmdir()
    other = config.copy()
    other.seed = 3
    with claim_folder(run, run_identity(other)) as folder:
        assert not folder.holds_run
        assert [path.name for path in run.iterdir()] == ["run.lock"]


def test_an_edited_setting_that_determines_the_result_is_refused_and_can_be_accepted(run):
    edit(run, agent__gamma=0.5, trainer__env_steps=1500)
    with RunFolder.open(run) as folder:
        with pytest.raises(ConfigError) as caught:
            recorded_config(folder, None, "", Consent(), "accept it")
        assert str(caught.value) == (
            f"{run}/config.yaml: not as the run was started: agent.gamma: 0.97 then, 0.5 now; trainer.env_steps: 2048 then, 1500 now. "
            "Put it back, or accept it"
        )
        assert recorded_config(folder, None, "", Consent(), None).agent.gamma == 0.5


def test_settings_that_determine_no_result_and_the_device_may_be_edited(run, tmp_path):
    edit(run, name="renamed", trainer__progress_bar=True, embeddings__cache=str(tmp_path / "moved"), device="auto")
    with RunFolder.open(run) as folder:
        assert recorded_config(folder, None, "", Consent()).name == "renamed"
        assert recorded_config(folder, "cpu", "", Consent()).device == "cpu"


def test_a_run_of_an_earlier_release_may_lack_settings_of_this_one(run):
    path, content = run / "identity.json", json.loads((run / "identity.json").read_text())
    del content["config"]["trainer"]["weight_average"]
    path.write_text(json.dumps(content))
    config = yaml.safe_load((run / "config.yaml").read_text())
    del config["trainer"]["weight_average"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    with RunFolder.open(run) as folder:
        assert recorded_config(folder, None, "", Consent()).trainer.weight_average is None


def test_the_command_line_refuses_an_edited_config_and_evaluates_it_if_asked_to(run, warm_recframe):
    edit(run, agent__gamma=0.5)
    for command in (("evaluate", "run"), ("train", "resume=run")):
        done = warm_recframe(*command)
        assert done.returncode == 2
        assert "run/config.yaml: not as the run was started: agent.gamma: 0.97 then, 0.5 now. Put it back, or " in done.stderr
    done = warm_recframe("evaluate", "run", "--other-config")
    assert done.returncode == 2
    assert "no weights were found" in done.stderr


def test_the_store_of_a_run_is_used_where_it_can_be_read_or_made(run, tmp_path, make_read_only, monkeypatch):
    def used(store):
        edit(run, embeddings__cache=str(store))
        with RunFolder.open(run) as folder:
            return recorded_config(folder, None, "", Consent()).embeddings.cache

    own = tmp_path / "own"
    monkeypatch.setenv("RECFRAME_CACHE", str(own))
    for name in ("store", "of another user"):
        (tmp_path / "fixed" / name).mkdir(parents=True)
    make_read_only(tmp_path / "fixed")
    read_only, unreadable = tmp_path / "fixed" / "store", tmp_path / "fixed" / "of another user"
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(unreadable) and access(path, mode))  # root may read every folder
    for store in (read_only, tmp_path / "new"):
        assert used(store) == str(store)
    for store in (unreadable, tmp_path / "fixed" / "missing"):
        assert used(store).startswith(str(own))
