"""Whole runs with TensorBoard and MLflow: two jobs of one process are two runs, and a failed run is recorded as failed."""

import os

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

mlflow = pytest.importorskip("mlflow")

QUICK = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent.learning_starts=64", "evaluation.references=false"]


def mlflow_run(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = mlflow.MlflowClient(tracking_uri=(folder / "mlflow").as_uri())
    run = client.get_run((folder / "mlflow" / "run_id").read_text().strip())
    return run, lambda name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]


def test_two_jobs_of_one_process_are_recorded_separately(warm_recframe, tmp_path, monkeypatch):
    warm_recframe("train", "-m", *QUICK, "logger=[csv,tensorboard,mlflow]", "seed=0,1", "hydra.sweep.dir=sweep", check=True)
    for seed in (0, 1):
        folder = tmp_path / "sweep" / str(seed)
        header, *rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
        column = header.index("eval/return")
        expected = [(int(row[0]), pytest.approx(float(row[column]))) for row in rows if row[column]]
        assert len(expected) == 2
        found = EventAccumulator(str(folder / "tensorboard"))
        found.Reload()
        assert [(event.step, event.value) for event in found.Scalars("eval/return")] == expected
        assert "final/trained/return" in found.Tags()["scalars"]
        run, history = mlflow_run(folder, monkeypatch)
        assert history("eval/return") == expected
        assert (run.info.status, run.info.run_name.endswith(f"logger=[csv,tensorboard,mlflow] seed={seed}")) == ("FINISHED", True)
        assert (run.data.tags["sweep"], run.data.params["seed"]) == ("sweep", str(seed))
        assert "final/trained/return" in run.data.metrics


def test_a_run_that_fails_is_recorded_as_failed(warm_recframe, tmp_path, monkeypatch):
    # the sum over several people is no number any more
    broken = ["reward.click.weight=3e38", "trainer.gradient_clip=null"]
    done = warm_recframe("train", *QUICK, *broken, "logger=[mlflow]", "hydra.run.dir=run")
    assert done.returncode != 0
    assert "its value is NaN or infinite" in done.stderr
    assert mlflow_run(tmp_path / "run", monkeypatch)[0].info.status == "FAILED"
    assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ
