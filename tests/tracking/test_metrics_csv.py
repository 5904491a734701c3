"""metrics.csv: one row for each call, readable at any time, and after resuming the same as without the stop."""

import csv
import math
import os
import tempfile
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.tracking.metrics_csv import CsvMetricsLogger, MetricsError

# many small files, and no test of the disk
NO_FSYNC = patch.object(os, "fsync", lambda _: None)
NAMES = ["loss", "eval/return", "epsilon", 'odd, "name"', "ä"]
VALUES = st.floats(allow_nan=False) | st.integers(-5, 5)
CALLS = st.lists(st.tuples(st.integers(0, 3), st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1)), max_size=12)


def with_env_steps(calls):
    """Calls at non-decreasing env_steps, some at equal ones."""
    env_steps, logged = 0, []
    for steps, metrics in calls:
        env_steps += steps
        logged.append({"env_steps": env_steps, **metrics})
    return logged


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def content(folder):
    path = Path(folder) / "metrics.csv"
    return path.read_bytes() if path.exists() else None


def test_env_steps_are_the_first_column_and_lightnings_counts_are_left_out(tmp_path):
    logger = CsvMetricsLogger(tmp_path)
    logger.log_metrics({"loss": 0.5, "epoch": 3, "step": 99, "env_steps": 128.0}, step=99)
    assert (tmp_path / "metrics.csv").read_text() == "env_steps,loss\n128,0.5\n"


def test_a_row_can_be_read_as_soon_as_the_call_returns(tmp_path):
    logger = CsvMetricsLogger(tmp_path)
    for env_steps in (1, 2, 3):
        logger.log_metrics({"env_steps": env_steps, "loss": torch.tensor(0.25)})
        assert pl.read_csv(tmp_path / "metrics.csv").rows()[-1] == (env_steps, 0.25)


def test_a_new_metric_adds_a_column(tmp_path):
    logger = CsvMetricsLogger(tmp_path)
    logger.log_metrics({"env_steps": 1, "loss": 1})
    logger.log_metrics({"env_steps": 2, "eval/return": 2})
    logger.log_metrics({"env_steps": 3, "loss": 3})
    assert (tmp_path / "metrics.csv").read_text() == "env_steps,loss,eval/return\n1,1.0,\n2,,2.0\n3,3.0,\n"


def test_no_row_is_lost_if_adding_a_column_fails(tmp_path, monkeypatch):
    logger = CsvMetricsLogger(tmp_path)
    logger.log_metrics({"env_steps": 1, "loss": 1})
    before = content(tmp_path)

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", disk_full)
    with pytest.raises(OSError, match="No space left"):
        logger.log_metrics({"env_steps": 2, "eval/return": 2})
    assert content(tmp_path) == before


def test_a_call_without_env_steps_gets_the_latest_ones(tmp_path):
    logger = CsvMetricsLogger(tmp_path)
    logger.log_metrics({"env_steps": 64, "loss": 1})
    logger.log_metrics({"lr-Adam": 0.1}, step=5)
    logger.log_metrics({"epoch": 1})
    assert [row["env_steps"] for row in rows(tmp_path / "metrics.csv")] == ["64", "64"]


def test_a_new_run_starts_a_new_file(tmp_path):
    CsvMetricsLogger(tmp_path).log_metrics({"env_steps": 1, "loss": 1})
    logger = CsvMetricsLogger(tmp_path)
    assert content(tmp_path) is None
    logger.log_metrics({"env_steps": 1, "other": 1})
    assert (tmp_path / "metrics.csv").read_text() == "env_steps,other\n1,1.0\n"


def test_an_incomplete_last_line_is_dropped(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("env_steps,loss,other\n10,1.0,2.0\n20,1.0,2.")
    CsvMetricsLogger(tmp_path, resume_at=20).log_metrics({"env_steps": 20, "loss": 1.0, "other": 2.5})
    assert path.read_text() == "env_steps,loss,other\n10,1.0,2.0\n20,1.0,2.5\n"


def test_a_row_at_the_checkpoint_that_the_stopped_run_has_logged_already_is_not_logged_twice(tmp_path):
    """As the evaluation of a stage's start: it follows the checkpoint of the stage before, and has its counter."""
    start = {"env_steps": 20, "eval/return": 2.5}
    logger = CsvMetricsLogger(tmp_path)
    for metrics in ({"env_steps": 20, "eval/ndcg@10": 0.1}, start, {"env_steps": 30, "loss": 1.0}):
        logger.log_metrics(metrics)
    again = CsvMetricsLogger(tmp_path, resume_at=20)
    for metrics in (start, start):
        again.log_metrics(metrics)
    # a row that is logged twice by one run is no repetition
    assert [row["eval/return"] for row in rows(tmp_path / "metrics.csv")] == ["", "2.5", "2.5"]


@pytest.mark.parametrize(
    ("text", "message"), [("a,b\n1,2\n", "line 1: the first column"), ("env_steps,b\n1,2\n3\n", "line 3: not a row of 2")]
)
def test_a_file_in_another_format_is_not_continued(tmp_path, text, message):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(MetricsError, match=message):
        CsvMetricsLogger(tmp_path, resume_at=5)
    assert (tmp_path / "metrics.csv").read_text() == text


@settings(deadline=None)
@given(CALLS)
def test_values_are_read_back_exactly(calls):
    logged = with_env_steps(calls)
    with tempfile.TemporaryDirectory() as folder, NO_FSYNC:
        logger = CsvMetricsLogger(folder)
        for metrics in logged:
            logger.log_metrics(metrics)
        path = Path(folder) / "metrics.csv"
        read = [{name: float(value) for name, value in row.items() if value} for row in (rows(path) if logged else [])]
        assert read == logged


@settings(deadline=None)
@given(CALLS, CALLS, st.data())
def test_a_resumed_file_equals_an_uninterrupted_one(calls, lost, data):
    """This holds for any rows after the checkpoint, even different ones, and wherever the kill cut the last line."""
    logged = with_env_steps(calls)
    checkpoint = data.draw(st.integers(0, logged[-1]["env_steps"] if logged else 0), label="checkpoint's env_steps")
    kept = [metrics for metrics in logged if metrics["env_steps"] <= checkpoint]
    after = [metrics | {"env_steps": metrics["env_steps"] + checkpoint + 1} for metrics in with_env_steps(lost)]
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as resumed, NO_FSYNC:
        uninterrupted = CsvMetricsLogger(whole)
        for metrics in logged:
            uninterrupted.log_metrics(metrics)
        killed = CsvMetricsLogger(resumed)
        for metrics in kept + after:
            killed.log_metrics(metrics)
        if after:
            written = content(resumed)
            last_line = len(written) - written.rstrip(b"\n").rfind(b"\n") - 1
            (Path(resumed) / "metrics.csv").write_bytes(written[: len(written) - data.draw(st.integers(0, last_line), label="bytes cut")])
        again = CsvMetricsLogger(resumed, resume_at=checkpoint)
        for metrics in logged[len(kept) :]:
            again.log_metrics(metrics)
        assert content(resumed) == content(whole)


def test_non_finite_values_are_kept(tmp_path):
    logger = CsvMetricsLogger(tmp_path)
    logger.log_metrics({"env_steps": 1, "loss": math.nan, "q": -math.inf})
    logger = CsvMetricsLogger(tmp_path, resume_at=1)
    (row,) = rows(tmp_path / "metrics.csv")
    assert math.isnan(float(row["loss"]))
    assert float(row["q"]) == -math.inf
