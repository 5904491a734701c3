"""Policies that could ask are served without their questions: they score items as before, and ask nothing."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import recframe
from recframe.config import Consent
from recframe.errors import UserError
from recframe.interfaces import PAD, Observation
from recframe.runner.trained import trained_agent
from recframe.serving.without_questions import served_without_questions
from recframe.testing import toy_data, toy_spec
from recframe.tracking import RunFolder, recorded_config

SMALL = ["dataset.num_items=40", "dataset.num_users=30", "environment.num_users=16", "trainer.env_steps=64"]
FAST = [
    "debug=smoke",
    "encoder=tfidf",
    "logger=[csv]",
    "evaluation.references=false",
    "evaluation.num_users=4",
    "evaluation.sample_users=1",
]
ASKING = ["dataset.utterances=1", "environment.questions=[attributes,free]", "reward=[click,question_cost]"]
QUESTIONS, PAID = 16, 5


def run(tmp_path, *settings):
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(tmp_path / "cache"))
        recframe.run([*FAST, *SMALL, *ASKING, *settings], folder=folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run whose policy is paid for asking, so that it asks, and has learned something about each item."""
    paid = f"reward.question_cost.weight=-{PAID}"
    return run(tmp_path_factory.mktemp("asking"), "state_tracker.id_embeddings=true", "agent.learning_starts=32", paid)


def test_a_run_measures_how_often_is_asked(folder):
    measured = json.loads((folder / "result.json").read_text())["policies"]["trained"]
    asked, turns = measured["asked"]["mean"], measured["length"]["mean"]
    assert asked > 0.5
    assert measured["reward/question_cost"]["mean"] == pytest.approx(PAID * asked * turns)


def test_a_served_policy_has_items_alone_and_scores_them_as_before(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("RECFRAME_CACHE", str(folder.parent / "cache"))
    policy = recframe.load_policy(folder)
    recframe.export(folder, tmp_path / "artefact")
    exported = recframe.load_policy(tmp_path / "artefact")
    assert len(policy.data.catalog) == len(exported.data.catalog) == 40
    assert policy.agent.spec.num_questions == 0
    context = "(says nothing)"
    answers = [one.recommend(["item-3"], user="user-1", context=context, k=50) for one in (policy, exported)]
    assert [item.id for item in answers[0]] == [item.id for item in answers[1]]
    assert len(answers[0]) == 40
    assert all(item.id.startswith("item-") for item in answers[0])
    with pytest.raises(UserError, match="no item of the run's data has the id 'question'"):
        policy.recommend(["question"], context=context)
    weights = policy.agent.state_dict()
    assert any(value.shape[:1] == (40,) for value in weights.values() if isinstance(value, torch.Tensor))
    assert not any(40 + QUESTIONS in value.shape for value in weights.values() if isinstance(value, torch.Tensor))


def test_its_scores_are_those_of_the_policy_with_questions(folder, monkeypatch):
    monkeypatch.setenv("RECFRAME_CACHE", str(folder.parent / "cache"))
    policy = recframe.load_policy(folder)
    with RunFolder.open_to_read(folder) as claimed:
        cfg = recorded_config(claimed, "cpu", "the test uses the CPU", Consent(False, None, "python"))
    agent = trained_agent(folder, cfg, False, "").agent.eval()
    assert agent.spec.num_questions == QUESTIONS
    seen = Observation(
        user=torch.tensor([1]),
        history_items=torch.full((1, agent.spec.history_length), PAD),
        history_feedback=torch.zeros(1, agent.spec.history_length, len(agent.spec.signals)),
        context=torch.tensor([0]),
        batch_size=[1],
    )
    scores = []
    for one in (policy.agent, agent):
        one.prepare_to_act()
        with torch.no_grad():
            scores.append(one.scores_of_all(seen))
    torch.testing.assert_close(scores[0], scores[1][:, :40])


def test_a_language_policy_writes_the_codes_of_items_alone(tmp_path):
    codes = ["agent.codes.size=4", "agent.codes.levels=3", "agent.batch_size=8", "agent.width=16", "agent.layers=1"]
    policy = recframe.load_policy(run(tmp_path, "agent=language_policy", *codes))
    found = policy.recommend(["item-3"], context="(says nothing)", k=50)
    assert len(found) == len({item.id for item in found}) == 40


class Codes(nn.Module):
    """Codes of items, and vectors of codes, which happen to be as many as there are items and questions."""

    learns_shapes = True

    def __init__(self, num_items):
        super().__init__()
        self.register_buffer("codes", torch.arange(num_items)[:, None])
        self.register_buffer("vectors", torch.arange(42.0)[:, None])


class Coded(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.spec, self.book = spec, Codes(spec.num_items)


def test_only_rows_that_belong_to_items_are_left_out():
    data = toy_data().with_questions({"question:jazz": "Do you feel like jazz?", "question": "What would you like now?"})
    agent = Coded(replace(toy_spec(data), num_questions=2))
    smaller = served_without_questions(agent, data, {}, lambda spec, known: Coded(spec), "agent=coded").agent
    assert torch.equal(smaller.book.codes, torch.arange(40)[:, None])
    assert torch.equal(smaller.book.vectors, torch.arange(42.0)[:, None])


def test_weights_that_mix_the_rows_of_items_and_questions_are_refused_in_one_line(tmp_path):
    folder = run(tmp_path, "agent=q_learning", "agent.learning_starts=32", "state_tracker.id_embeddings=false")
    with pytest.raises(UserError, match=r"agent=q_learning cannot be served without its questions: its weights \w+ do not have a row"):
        recframe.load_policy(folder)
