"""Runs with a prior over candidates: trained, stopped and resumed, evaluated again, and what is refused before anything is loaded."""

import csv

import pytest
from typer.testing import CliRunner

from recframe import runner
from recframe.cli.main import app
from recframe.config import ConfigError, compose_config, find_mistakes
from recframe.errors import Stop
from tests.tiny_models import tiny_gpt

QUICK = [
    "debug=smoke",
    "encoder=tfidf",
    "encoder.dim=16",
    "logger=[csv]",
    "trainer.progress_bar=false",
    "evaluation.references=false",
    "evaluation.sample_users=0",
]
SMALL = [
    "dataset.num_items=40",
    "dataset.num_users=100",
    "environment.num_candidates=6",
    "environment.num_users=4",
    "evaluation.num_users=4",
    "evaluation.periodic_users=4",
]
LENGTH = ["trainer.env_steps=96", "trainer.evaluate_every=32", "trainer.chunk_steps=4", "trainer.log_every=1", "evaluation.max_steps=3"]
AGENT = ["agent=dqn", "agent.learning_starts=16", "agent.batch_size=16", "agent.updates_per_chunk=2"]
PRIOR = ["prior.prompt_tokens=96", "prior.history_items=2", "prior.weight=0.3"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_gpt(tmp_path_factory.mktemp("model") / "gpt", positions=160)


def settings(model, *more):
    return [*QUICK, *SMALL, *LENGTH, *AGENT, *PRIOR, f"prior.model={model}", *more]


@pytest.fixture(scope="module")
def finished(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return runner.run(compose_config(settings(model)), folder), folder


def test_the_weight_is_learned_and_logged(finished):
    with (finished[1] / "metrics.csv").open() as file:
        weights = [float(row["agent/prior_weight/online"]) for row in csv.DictReader(file) if row["agent/prior_weight/online"]]
    assert weights[0] == pytest.approx(0.3, abs=0.05)
    assert len(set(weights)) > 2


def test_a_stopped_run_resumes_to_the_same_numbers(model, finished, tmp_path, monkeypatch):
    from recframe.training.checkpoints import RunCheckpoints

    save = RunCheckpoints.save

    def stop_after(self, trainer):
        save(self, trainer)
        raise Stop("stopped", 143)

    monkeypatch.setattr(RunCheckpoints, "save", stop_after)
    with pytest.raises(Stop):
        runner.run(compose_config(settings(model)), tmp_path / "run")
    monkeypatch.undo()
    again, whole = runner.resume(tmp_path / "run"), finished[0]
    assert again.policies == whole.policies
    assert again.objective == whole.objective


def test_it_is_evaluated_again_with_the_same_numbers(finished):
    result, folder = finished
    assert runner.evaluate(folder)["policies"]["trained"] == result.policies["trained"]


def test_a_policy_with_a_prior_is_not_served_and_not_loaded(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("recframe.serving.run_policy.trained_agent", lambda *_: pytest.fail("the run was loaded"))
    refused = CliRunner().invoke(app, ["export", str(finished[1]), str(tmp_path / "artefact")])
    assert refused.exit_code == 2
    assert "agent=dqn adds a prior over the simulator's candidates to its scores (prior.model=" in " ".join(refused.stderr.split())
    assert "which a policy that is served does not compute; train it with prior.model=null" in " ".join(refused.stderr.split())
    assert not (tmp_path / "artefact").exists()


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["environment.num_candidates=0"], "prior.model: the prior is over candidates, and environment=topic_world has none; set "),
        (["agent=random"], "prior.model: agent=random adds no prior to scores of items; use agent=actor_critic, "),
        (["agent=language_policy"], "prior.model: agent=language_policy adds no prior to scores of items"),
        (["prior.history_items=21"], "prior.history_items=21 is more than state_tracker.history_length=20"),
        (["prior.prompt='{story} Next:'"], "prior.prompt: there is no field {story}; the fields are"),
        (["prior.batch_tokens=0"], "prior.batch_tokens: 0 is not allowed; it must be >= 1"),
    ],
)
def test_mistakes_are_found_before_anything_is_loaded(overrides, line):
    base = [*QUICK, "environment.num_candidates=6", "prior.model=packaged:smollm2-135m-instruct"]
    assert any(one.startswith(line) for one in find_mistakes([*base, *overrides])), find_mistakes([*base, *overrides])


def test_a_log_has_no_candidates():
    logged = ["experiment=next_item", "agent=cql", "dataset=movielens_format", "dataset.path=/", "prior.model=some/model"]
    assert any(line.startswith("prior.model: a log has no candidates to have a prior over") for line in find_mistakes(logged))


def test_settings_of_a_prior_without_a_model_are_refused():
    assert find_mistakes(["prior.weight=2"]) == ["prior.weight is for a prior; leave it out, or set prior.model"]


def test_a_model_that_is_not_there_is_reported_before_the_data_is_read(tmp_path):
    cfg = compose_config(settings("packaged:smollm3"))
    with pytest.raises((ConfigError, ValueError), match=r"prior\.model=packaged:smollm3: no such packaged model"):
        runner.run(cfg, tmp_path / "run")
