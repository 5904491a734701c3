"""The objectives of a run are what training has measured of its final weights, and what another evaluation of these gives."""

import copy
import json

import pytest
import torch
from pytorch_lightning.callbacks import Callback

import recframe
from recframe import runner
from recframe.config import compose_config, validate
from recframe.runner import stages
from recframe.runner.final_evaluation import periodic_evaluation
from recframe.runner.ranking import periodic_ranking
from recframe.runner.trained import trained_agent
from recframe.tracking import RunFolder
from recframe.training import FINAL, LAST
from recframe.training.checkpoint_file import read_checkpoint

QUICK = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false", "evaluation.sample_users=0"]
QUICK += ["evaluation.num_users=16", "evaluation.periodic_users=16", "evaluation.bootstrap_samples=100"]
SMALL = ["dataset.num_items=60", "dataset.num_users=80", "environment.num_users=32", "trainer.env_steps=384", "trainer.evaluate_every=128"]
SIMULATED = [*QUICK, *SMALL, "agent=dqn", "agent.learning_starts=64"]
LOGGED = [*QUICK, "experiment=next_item", "agent=dqn", "evaluation.k=[5,10]"]
PERIODIC = {"simulated": "periodic_evaluation", "logged": "periodic_ranking"}


@pytest.fixture
def evaluations(monkeypatch):
    """What every evaluation in training has measured, one after the other."""
    measured = []

    def counted(made):
        def make(parts, agent):
            evaluate = made(parts, agent)

            def evaluate_agent():
                measured.append(evaluate())
                return measured[-1]

            return evaluate_agent

        return make

    for name in PERIODIC.values():
        monkeypatch.setattr(stages, name, counted(getattr(stages, name)))
    return measured


@pytest.fixture(scope="module")
def log_data(tmp_path_factory):
    """A small log in the layout of MovieLens."""
    folder = tmp_path_factory.mktemp("log")
    films = "".join(f"{film},Film {film} (1999),{'Drama' if film % 2 else 'Comedy'}\n" for film in range(30))
    rows = "".join(f"{person},{(person * 7 + k) % 30},{1 + k % 5},{100 * person + k}\n" for person in range(40) for k in range(8))
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{films}")
    (folder / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}")
    return ["dataset=movielens_format", f"dataset.path={folder}"]


@pytest.fixture(scope="module")
def composed():
    """A config of a small simulated run; composing takes as long as the run."""
    return compose_config(SIMULATED)


def changed(cfg, **trainer):
    own = copy.deepcopy(cfg)
    own.trainer.update(trainer)
    return own


def objectives_of(folder):
    return json.loads((folder / "result.json").read_text())["objectives"]


def evaluated_again(folder):
    """The metrics of the final weights of a run, as the last stage of a new process would evaluate them."""
    with RunFolder.open(folder) as claimed:
        cfg = validate(claimed.read_config())
        agent, parts, _, _ = trained_agent(folder, cfg, False, "")
        return (periodic_ranking if cfg.stages[-1] == "logged" else periodic_evaluation)(parts, agent)()


@pytest.mark.parametrize(
    ("trainer", "monitored"),
    [
        ({}, "return"),
        ({"final_weights": "last", "weight_average": 0.9}, "return"),
        ({"selection_window": 2, "monitor": "gini", "monitor_mode": "min"}, "gini"),
        ({}, "ndcg@10"),
    ],
    ids=["best", "last", "window", "logged"],
)
def test_objectives_are_measured_in_training_and_not_again(evaluations, composed, log_data, tmp_path, trainer, monitored):
    cfg = compose_config([*LOGGED, *log_data]) if monitored == "ndcg@10" else changed(composed, **trainer)
    result = runner.run(cfg, tmp_path / "run")
    rows = [line for line in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1:] if line]
    expected = sum(any(cells.split(",")[place] for place in _evaluated(tmp_path / "run")) for cells in rows)
    assert len(evaluations) == expected >= 2
    objectives = objectives_of(tmp_path / "run")
    assert objectives in evaluations
    assert objectives == evaluated_again(tmp_path / "run")
    assert result.objectives == objectives
    assert result.objective == objectives[monitored]


def test_a_callback_that_only_watches_leaves_what_was_measured(evaluations, composed, tmp_path):
    class Watching(Callback):
        only_watches = True

    runner.run(composed, tmp_path / "run", callbacks=[Watching()])
    watched = len(evaluations)
    runner.run(composed, tmp_path / "other", callbacks=[Callback()])
    assert len(evaluations) - watched == watched + 1


def _evaluated(folder):
    header = (folder / "metrics.csv").read_text().splitlines()[0].split(",")
    return [place for place, name in enumerate(header) if name.startswith("eval/")]


def test_an_agent_that_learns_nothing_is_evaluated_once(evaluations, tmp_path):
    result = runner.run(compose_config([*QUICK, *SMALL, "agent=popular"]), tmp_path / "run")
    assert evaluations == [result.objectives]


def test_a_run_that_is_done_is_read_and_one_that_was_killed_after_training_keeps_what_it_measured(evaluations, composed, tmp_path):
    first = recframe.run(composed, folder=tmp_path / "run")
    count = len(evaluations)
    again = recframe.run(composed, folder=tmp_path / "run")
    assert again.objectives == first.objectives == objectives_of(tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    (tmp_path / "run" / "checkpoints" / FINAL).unlink()
    assert recframe.resume(tmp_path / "run").objectives == first.objectives
    assert len(evaluations) == count
    # of a checkpoint of an earlier release, nothing else is known
    (tmp_path / "run" / "result.json").unlink()
    file = tmp_path / "run" / "checkpoints" / LAST
    saved = read_checkpoint(file)
    for state in saved["callbacks"].values():
        state.pop("measured", None)
    torch.save(saved, file)
    assert recframe.resume(tmp_path / "run").objectives == first.objectives
    assert len(evaluations) == count + 1


def turn(module):
    with torch.no_grad():
        for parameter in module.agent.parameters():
            parameter.mul_(-1.0)


class AtEnd(Callback):
    """Changes the weights when training is over, as averaging callbacks do."""

    def on_train_end(self, trainer, module):
        turn(module)


class AfterEvaluation(Callback):
    """Changes the weights after they were evaluated, and before they are saved: Lightning calls whatever saves last."""

    def on_train_epoch_end(self, trainer, module):
        turn(module)


@pytest.mark.parametrize(("final", "callback"), [("last", AtEnd()), ("best", AfterEvaluation()), ("last", AfterEvaluation())])
def test_weights_that_a_callback_changes_are_evaluated_anew(evaluations, composed, tmp_path, final, callback):
    cfg = changed(composed, final_weights=final)
    result = runner.run(cfg, tmp_path / "run", callbacks=[callback])
    assert len(evaluations) == 4
    assert result.objectives == evaluations[-1] == evaluated_again(tmp_path / "run")
    assert evaluations[-1] not in evaluations[:-1]
    # also by a process that finds the training complete
    (tmp_path / "run" / "result.json").unlink()
    if not isinstance(callback, AtEnd):  # what it changes is in no checkpoint
        (tmp_path / "run" / "checkpoints" / FINAL).unlink()
        again = runner.run(cfg, tmp_path / "run", callbacks=[callback])
        assert again.objectives == result.objectives == evaluated_again(tmp_path / "run")
