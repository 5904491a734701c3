"""The scoring part as ONNX gives the items of torch, by what artefact.json says of its inputs, or says in one line why it cannot."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

import recframe
from recframe.errors import UserError
from recframe.serving import Question

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
PEOPLE, K = 1_000, 5
SMALL = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false"]
LOGGED = [*SMALL, "experiment=next_item", "dataset=movielens_format", "logged.batches=10", "evaluation.k=[5]"]
SIMULATED = [*SMALL, "dataset.num_items=40", "dataset.num_users=30", "environment.num_users=16", "trainer.env_steps=64"]


@pytest.fixture(scope="module")
def trained(folder, world, tmp_path_factory):
    """A run of each kind of agent: two that other tests have trained, and more from the same log and the same world."""
    runs = tmp_path_factory.mktemp("runs")

    def run(name):
        made = {"dqn": world, "dqn_on_log": folder}
        if name in made:
            return made[name]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RECFRAME_CACHE", str(runs / "cache"))
            settings = {
                "actor_critic": [*SIMULATED, "agent=actor_critic"],
                "sasrec": [*LOGGED, f"dataset.path={folder.parent}", "agent=sasrec"],
                "bert4rec": [*LOGGED, f"dataset.path={folder.parent}", "agent=bert4rec"],
                "gru4rec": [*LOGGED, f"dataset.path={folder.parent}", "agent=gru4rec"],
                "users": [*SIMULATED, "agent=actor_critic", "state_tracker.user_embeddings=true"],
                "popular": [*SIMULATED, "agent=popular"],
            }
            recframe.run(settings[name], folder=runs / name)
        return runs / name

    return run


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The artefact of a run, with its scoring part, exported once."""
    folders = {}

    def export(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("exported") / name
            recframe.export(trained(name), folders[name], onnx=True)
        return folders[name]

    return export


def answers(artefact, histories, signals, at):
    """The K best items of each person whose history does not hold them, as somebody computes who has the artefact's files alone."""
    entry = json.loads((artefact / "artefact.json").read_text())["onnx"]
    tensors = load_file(artefact / "vectors.safetensors")
    length = entry["inputs"]["history_items"]["shape"][1]
    items = np.full((len(histories), length), -1, np.int64)
    feedback = np.zeros((len(histories), length, len(signals)), np.float32)
    for person, history in enumerate(histories):
        for place, (item, done) in enumerate(history, length - len(history)):
            items[person, place] = item
            feedback[person, place] = [done.get(name, 0.0) for name in signals]
    given = {"history_items": items, "history_feedback": feedback}
    for name in entry["inputs"].keys() - given.keys():
        table = tensors[entry["inputs"][name]["is"].split()[2]]
        given[name] = table if name == "item_vectors" else table[at]
    session = onnxruntime.InferenceSession(artefact / entry["file"], providers=["CPUExecutionProvider"])
    scores = session.run(["scores"], {one.name: given[one.name] for one in session.get_inputs()})[0]
    for person, history in enumerate(histories):
        scores[person, [item for item, _ in history]] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :K], scores


LONGER = [pytest.param(name, marks=pytest.mark.evidence) for name in ("dqn_on_log", "gru4rec", "bert4rec")]


@pytest.mark.parametrize("name", ["dqn", "actor_critic", "sasrec", *LONGER])
def test_the_same_items_as_torch_for_a_thousand_people(exported, name):
    artefact = exported(name)
    policy = recframe.load_policy(artefact)
    signals, ids = policy.agent.spec.signals, pl.read_parquet(artefact / "items.parquet")["id"].to_list()
    rng = random.Random(0)
    length = min(policy.agent.spec.history_length, 8)
    rows = [rng.sample(range(len(ids)), rng.randint(0, length)) for _ in range(PEOPLE)]
    histories = [[(item, {signals[0]: 1.0, signals[-1]: float(rng.randint(0, 5))}) for item in row] for row in rows]
    asked = [[(ids[item], done) for item, done in history] for history in histories]
    users, contexts = policy.data.users, policy.data.contexts
    least = min([len(known) for known in (users, contexts and contexts.texts) if known] or [1])
    at = np.array([rng.randrange(least) for _ in range(PEOPLE)])
    who = [
        {"user": (users and policy.agent.spec.has_users and users.ids[row]) or None, "context": contexts and contexts.texts[row]}
        for row in at
    ]
    questions = [
        Question(history, **person, k=K, exclude=[item for item, _ in history]) for history, person in zip(asked, who, strict=True)
    ]
    found, scores = answers(artefact, histories, signals, at)
    shown = set()
    for person, answer in enumerate(policy.recommend_many(questions)):
        wanted = [ids.index(item) for item in answer.ids]
        shown.add(tuple(wanted))
        # another order only where scores differ by less than rounding
        assert np.allclose(scores[person, found[person]], scores[person, wanted], atol=1e-4 * np.ptp(scores[person, found[person]]) + 1e-6)
    assert len(shown) > 50


def test_the_version_is_that_of_the_weights(world, exported, tmp_path):
    plain = recframe.export(world, tmp_path / "plain")
    content = json.loads((tmp_path / "plain" / "artefact.json").read_text())
    assert content.pop("onnx") == {}
    (tmp_path / "plain" / "artefact.json").write_text(json.dumps(content))  # as it was written before there was ONNX
    copy = shutil.copytree(exported("dqn"), tmp_path / "copy")
    policy = recframe.load_policy(copy)
    assert policy.version == plain.version
    assert policy.recommend(["item-3"]) == recframe.load_policy(tmp_path / "plain").recommend(["item-3"])
    (copy / "policy.onnx").write_bytes(b"another graph")
    with pytest.raises(UserError, match=r"policy.onnx: is damaged or was changed"):
        recframe.load_policy(copy)


def test_any_items_are_scored_by_their_vectors_where_none_has_learned_one(exported):
    artefact = exported("dqn")
    session = onnxruntime.InferenceSession(artefact / "policy.onnx", providers=["CPUExecutionProvider"])
    table = load_file(artefact / "vectors.safetensors")["item.vectors"]
    shapes = {one.name: [1, *one.shape[1:]] for one in session.get_inputs()}
    asked = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()} | {"history_items": np.full(shapes["history_items"], -1)}

    def scores(vectors):
        return session.run(["scores"], {**asked, "item_vectors": vectors})[0][0]

    new = np.concatenate([table[[3, 7]], table[:1] * 0.5])
    assert scores(new)[:2] == pytest.approx(scores(table)[[3, 7]], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("users", "depend on more than histories and the vectors of texts"), ("popular", "orders items by something else than scores")],
)
def test_what_cannot_be_exported_is_said_in_one_line_and_leaves_nothing(trained, name, reason, tmp_path):
    with pytest.raises(UserError, match=reason) as caught:
        recframe.export(trained(name), tmp_path / "policy", onnx=True)
    assert "cannot be exported as ONNX" in caught.value.lines[0]
    assert len(caught.value.lines) == 1
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_said_before_anything_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr("recframe.serving.artefact.onnx.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"ONNX needs onnx, onnxscript, onnxruntime: pip install 'recframe\[onnx\]'"):
        recframe.export(tmp_path / "no run", tmp_path / "policy", onnx=True)
