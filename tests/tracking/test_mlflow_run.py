"""What the MLflow logger writes is what MLflow's client reads back; runs of one process are separate and leave nothing behind."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

mlflow = pytest.importorskip("mlflow")

from recframe.built_in_loggers import MlflowLoggerConfig  # noqa: E402
from recframe.config import find_mistakes  # noqa: E402
from recframe.interfaces import FinalResults, RunDescription  # noqa: E402
from recframe.tracking.mlflow_run import MlflowRunLogger  # noqa: E402
from recframe.tracking.run_loggers import LoggerError, RunLoggers  # noqa: E402

POLICIES = {
    "trained": {"ndcg@10": {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 64}, "gini": {"mean": None, "low": None, "high": None, "n": 0}}
}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)


def description(folder, resume_at=None, **config):
    folder.mkdir(exist_ok=True)
    return RunDescription(
        folder, f"{folder.name} seed=3", "sweep-1", {"seed": 3, "agent": {"name": "dqn", "clip": None}, **config}, resume_at
    )


def read(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = mlflow.MlflowClient(tracking_uri=(folder / "mlflow").as_uri())
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    (run,) = client.search_runs([experiment.experiment_id])
    return experiment.name, run, lambda name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]


def artifact(run, name):
    return Path(run.info.artifact_uri.removeprefix("file://"), name).read_text()


def test_metrics_results_and_settings_are_recorded(tmp_path, monkeypatch):
    many = {f"option_{number}": number for number in range(120)}
    writing = MlflowRunLogger(
        MlflowLoggerConfig(experiment="mine", tags={"who": "me"}), description(tmp_path / "run", encoder=many, long="x" * 9_000)
    )
    writing.log_metrics({"env_steps": 128.0, "loss": 0.5, "epoch": 0}, step=7)
    writing.log_metrics({"env_steps": 256.0, "eval/ndcg@10": 0.25})
    writing.log_results(FinalResults({"final": POLICIES}, {"objective": 2.0, "missing": None}, [{"user": "u1", "recommended": ("a", "b")}]))
    writing.close(failed=False)
    experiment, run, history = read(tmp_path / "run", monkeypatch)
    assert (experiment, run.info.run_name, run.info.status) == ("mine", "run seed=3", "FINISHED")
    assert {"sweep": "sweep-1", "who": "me", "job": "train"}.items() <= run.data.tags.items()
    assert {"seed": "3", "agent.name": "dqn", "encoder.option_119": "119", "long": "x" * 6_000}.items() <= run.data.params.items()
    assert (history("loss"), history("eval/ndcg_10")) == ([(128, 0.5)], [(256, 0.25)])
    assert {name: run.data.metrics.get(name) for name in ("final/trained/ndcg_10", "final/trained/gini", "objective", "missing")} == {
        "final/trained/ndcg_10": 0.5,
        "final/trained/gini": None,
        "objective": 2.0,
        "missing": None,
    }
    assert json.loads(artifact(run, "policies/final.json")) == POLICIES
    assert "| trained | 0.5 [0.4, 0.6] | - |" in artifact(run, "policies/final.md")
    assert "u1" in artifact(run, "recommendations.json")


def test_a_resumed_run_is_the_same_run_and_has_each_point_once(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    first = MlflowRunLogger(MlflowLoggerConfig(), description(folder))
    for step in (10, 20, 30):
        first.log_metrics({"env_steps": step, "loss": float(step)})
    first.close(failed=True)
    assert read(folder, monkeypatch)[1].info.status == "FAILED"
    again = MlflowRunLogger(MlflowLoggerConfig(), description(folder, resume_at=20))
    assert read(folder, monkeypatch)[1].info.status == "RUNNING"
    for step in (30, 40):
        again.log_metrics({"env_steps": step, "loss": float(step)})
    again.close(failed=False)
    _, run, history = read(folder, monkeypatch)
    assert run.info.status == "FINISHED"
    assert history("loss") == [(10, 10.0), (20, 20.0), (30, 30.0), (40, 40.0)]


def test_two_runs_of_one_process_are_separate_and_leave_nothing_behind(tmp_path, monkeypatch):
    before = dict(os.environ)
    both = [MlflowRunLogger(MlflowLoggerConfig(), description(tmp_path / name)) for name in ("one", "two")]
    for number, logger in enumerate(both):
        logger.log_metrics({"env_steps": 1, "loss": float(number)})
    for logger in both:
        logger.close(failed=False)
    assert dict(os.environ) == before
    assert mlflow.active_run() is None
    assert [read(tmp_path / name, monkeypatch)[2]("loss") for name in ("one", "two")] == [[(1, 0.0)], [(1, 1.0)]]


def test_a_folder_of_several_runs_can_be_named(tmp_path):
    uri = (tmp_path / "all").as_uri()
    for name in ("one", "two"):
        MlflowRunLogger(MlflowLoggerConfig(tracking_uri=uri), description(tmp_path / name)).close(failed=False)
    assert len(list((tmp_path / "all").glob("*/*/meta.yaml"))) == 2


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("https://me:hunter2@host", "a URI with a user, a password or a query would be recorded"),
        ("https://host/?token=hunter2", "a URI with a user, a password or a query would be recorded"),
        ("sqlite:///runs.db", "'sqlite:///runs.db' does not begin with http://, https:// or file://"),
        ("https://host", None),
    ],
)
def test_a_uri_holds_no_secret_and_names_a_store_that_can_be_used(uri, complaint):
    problems = find_mistakes(["logger=[csv,mlflow]", f"logger.mlflow.tracking_uri='{uri}'"])
    assert [complaint in problem and "hunter2" not in problem for problem in problems] == ([True] if complaint else [])


def test_a_missing_package_is_said_with_the_command_that_installs_it(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(LoggerError, match=r"logger=mlflow: cannot be imported .*: run `pip install 'recframe\[mlflow\]'`, or leave it out"):
        RunLoggers({"mlflow": {}}, description(tmp_path / "run"))


def test_runs_that_start_at_the_same_time_share_one_experiment(tmp_path, monkeypatch):
    """The runs of a sweep, with one store for all."""
    store = tmp_path / "store"
    client = mlflow.MlflowClient
    original = client.get_experiment_by_name

    def slowly(self, name):
        found = original(self, name)
        waiting.wait(0.2)
        return found

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setattr(client, "get_experiment_by_name", slowly)
    waiting = Event()
    config = MlflowLoggerConfig(tracking_uri=store.as_uri())
    with ThreadPoolExecutor(3) as pool:
        writing = list(pool.map(lambda number: MlflowRunLogger(config, description(tmp_path / f"run{number}")), range(3)))
    for one in writing:
        one.close(failed=False)
    found = [one for one in client(store.as_uri()).search_experiments() if one.name == "recframe"]
    assert len(found) == 1
    assert len(client(store.as_uri()).search_runs([found[0].experiment_id])) == 3


def test_an_experiment_that_another_run_made_in_the_meantime_is_used(tmp_path, monkeypatch):
    """As a tracking server answers, which is not locked."""
    client = mlflow.MlflowClient
    original, answers = client.get_experiment_by_name, [None]
    monkeypatch.setattr(client, "get_experiment_by_name", lambda self, name: answers.pop() if answers else original(self, name))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = (tmp_path / "store").as_uri()
    made = client(store).create_experiment("recframe")
    writing = MlflowRunLogger(MlflowLoggerConfig(tracking_uri=store), description(tmp_path / "run"))
    writing.close(failed=False)
    assert client(store).get_run(writing.version).info.experiment_id == made
