"""A policy as a folder of its own: the same answers as its run, without the run and its data, and nothing damaged is loaded."""

from __future__ import annotations

import json
import random
import shutil

import pytest
from safetensors.torch import load_file, save_file

import recframe
from recframe.errors import UserError
from recframe.files import file_sha256
from tests.serving.conftest import FILMS


@pytest.fixture(scope="module")
def exported(world, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "policy"
    recframe.export(world, path)
    return path


@pytest.fixture
def copy(artefact, tmp_path):
    """A copy of the artefact, which a test may damage."""
    return shutil.copytree(artefact, tmp_path / "copy")


def test_run_and_artefact_answer_alike(folder, artefact):
    run, policy = recframe.load_policy(folder), recframe.load_policy(artefact)
    rng = random.Random(0)
    answers = set()
    for _ in range(100):
        history = [(str(rng.randrange(FILMS)), {"click": 1.0, "rating": rng.randint(1, 5)}) for _ in range(rng.randrange(8))]
        assert policy.recommend(history, k=7) == run.recommend(history, k=7)
        answers.add(tuple(policy.recommend(history, k=7).ids))
    assert len(answers) > 50


def test_it_needs_neither_the_run_nor_its_data(world, exported, tmp_path, monkeypatch):
    before = recframe.load_policy(world).recommend(["item-3"], profile="A reader of long books.", context="Something short, please.")
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "none"))
    moved = shutil.copytree(exported, tmp_path / "elsewhere")
    hidden = world.parent / "hidden"
    world.rename(hidden)
    try:
        policy = recframe.load_policy(moved)
        assert policy.recommend(["item-3"], profile="A reader of long books.", context="Something short, please.") == before
    finally:
        hidden.rename(world)


def test_words_of_a_new_person_matter_and_leave_no_trace(exported):
    policy = recframe.load_policy(exported)
    profiles = ("I like music and concerts.", "I read about travel and mountains.", "Sports, football and cycling.", "Cooking at home.")
    silent = policy.recommend(["item-1"], k=5)
    spoken = [[item.score for item in policy.recommend(["item-1"], profile=text, k=5)] for text in profiles]
    said = [[item.score for item in policy.recommend(["item-1"], context=text, k=5)] for text in policy.data.contexts.texts[:4]]
    assert len({tuple(scores) for scores in spoken}) > 1
    assert len({tuple(scores) for scores in said}) > 1
    assert policy.recommend(["item-1"], k=5) == silent


def test_a_profile_of_the_data_given_as_text_is_that_of_its_user(world):
    policy = recframe.load_policy(world)
    users = policy.data.users
    for row in range(3):
        as_text = policy.recommend(["item-2"], profile=users.profiles.texts[row], context=policy.data.contexts.texts[0], k=5)
        as_user = policy.recommend(["item-2"], user=users.ids[row], context=policy.data.contexts.texts[0], k=5)
        assert as_text.ids == as_user.ids
        assert [item.score for item in as_text] == pytest.approx([item.score for item in as_user], rel=1e-4)


def test_the_folder_holds_data_alone_and_a_card_with_the_results(exported):
    assert {path.suffix for path in exported.iterdir()} == {".json", ".md", ".parquet", ".safetensors"}
    card = (exported / "README.md").read_text()
    assert "| trained |" in card
    assert json.loads((exported / "artefact.json").read_text())["version"] in card


def test_what_users_wrote_of_themselves_is_not_in_it(exported, world):
    texts = recframe.load_policy(world).data.users.profiles.texts
    assert all(text == "" for text in recframe.load_policy(exported).data.users.profiles.texts)
    assert texts[0]


def test_the_same_run_has_the_same_version(folder, artefact, tmp_path):
    again = recframe.export(folder, tmp_path / "again")
    assert again.version == json.loads((artefact / "artefact.json").read_text())["version"]


@pytest.mark.parametrize("name", ["policy.safetensors", "items.parquet", "vectors.safetensors", "users.parquet"])
def test_a_flipped_bit_is_found(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}: is damaged or was changed"):
        recframe.load_policy(copy)


def edited(path, **changes):
    content = json.loads((path / "artefact.json").read_text())
    (path / "artefact.json").write_text(json.dumps({**content, **changes}))


def test_damaged_artefacts_are_refused_in_one_line(copy):
    original = json.loads((copy / "artefact.json").read_text())
    cases = {
        "artefacts of format 9 cannot be read": {"artefact": 9},
        r"'\.\./secret' is no file of an artefact": {"files": {**original["files"], "../secret": "0"}},
        "recframe did not write it": {"files": 3},
        "no agent is called 'dqm'|dqm": {"sections": {**original["sections"], "agent": {"name": "dqm"}}},
        "agent.gama: there is no such setting": {
            "sections": {**original["sections"], "agent": {**original["sections"]["agent"], "gama": 0.5}}
        },
        "agent.gamma": {"sections": {**original["sections"], "agent": {**original["sections"]["agent"], "gamma": 7}}},
    }
    for message, changes in cases.items():
        edited(copy, **changes)
        with pytest.raises(UserError, match=message) as caught:
            recframe.load_policy(copy)
        assert len(caught.value.lines) == 1
        (copy / "artefact.json").write_text(json.dumps(original))
    (copy / "artefact.json").write_text("[1, 2")
    with pytest.raises(UserError, match="recframe did not write it"):
        recframe.load_policy(copy)
    (copy / "policy.safetensors").unlink()
    edited_back = json.dumps(original)
    (copy / "artefact.json").write_text(edited_back)
    with pytest.raises(UserError, match=r"policy.safetensors: cannot be read \(No such file or directory\)"):
        recframe.load_policy(copy)


def test_weights_of_another_network_are_refused(copy):
    weights = load_file(copy / "policy.safetensors")
    name = next(iter(weights))
    del weights[name]
    save_file(weights, copy / "policy.safetensors")
    files = json.loads((copy / "artefact.json").read_text())["files"]
    edited(copy, files={**files, "policy.safetensors": file_sha256(copy / "policy.safetensors")})
    with pytest.raises(UserError, match="holds the weights of another network"):
        recframe.load_policy(copy)


def test_a_model_that_runs_code_needs_consent(copy):
    sections = json.loads((copy / "artefact.json").read_text())["sections"]
    edited(copy, sections={**sections, "encoder": {"name": "bert", "model": "some/model", "trust_remote_code": True}})
    with pytest.raises(UserError, match=r"encoder\.trust_remote_code runs code that comes with a model"):
        recframe.load_policy(copy)


def test_a_folder_that_exists_is_kept(folder, copy, tmp_path):
    with pytest.raises(UserError, match="exists already; choose another folder"):
        recframe.export(folder, copy)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        recframe.export(folder, file)
    assert file.read_text() == "mine"


def test_a_failed_export_leaves_nothing(folder, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recframe.serving.artefact.write.model_card", full)
    with pytest.raises(UserError, match="cannot be written"):
        recframe.export(folder, tmp_path / "new")
    assert not list(tmp_path.iterdir())
