"""result.json: its format, strict JSON, and atomic writing."""

import dataclasses
import json
import os
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from recframe.tracking import RESULT_SCHEMA, ResultError, read_result, versions, write_result
from recframe.tracking.result import PROMISED


class Interval(NamedTuple):
    mean: float
    low: float
    high: float
    n: int


POLICIES = {"trained": {"return": Interval(2.5, 2.0, 3.0, 64), "reward/click": {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 64}}}


def write(folder, **changes):
    return write_result(folder, **({"objective": 2.5, "seed": 3, "env_steps": 1000, "seconds": 1.5, "policies": POLICIES} | changes))


def test_the_entries_are_those_documented(tmp_path):
    written = write(tmp_path)
    on_disk = json.loads((tmp_path / "result.json").read_text())
    assert on_disk == written == read_result(tmp_path)
    assert list(on_disk) == ["schema", "status", "objective", "seed", "env_steps", "seconds", "versions", "policies"]
    assert {key: on_disk[key] for key in ("schema", "status", "objective", "seed", "env_steps", "seconds")} == {
        "schema": RESULT_SCHEMA,
        "status": "finished",
        "objective": 2.5,
        "seed": 3,
        "env_steps": 1000,
        "seconds": 1.5,
    }
    assert on_disk["policies"]["trained"] == {
        "return": {"mean": 2.5, "low": 2.0, "high": 3.0, "n": 64},
        "reward/click": {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 64},
    }


def test_versions_include_python_and_the_main_dependencies():
    found = versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"recframe", "torch", "pytorch-lightning", "hydra-core", "tensordict"} <= set(found)


def test_non_finite_numbers_become_null_and_the_file_is_strict_json(tmp_path):
    nan = {"trained": {"return": Interval(float("nan"), float("-inf"), np.float32("inf"), np.int64(5))}}
    write(tmp_path, objective=float("nan"), policies=nan, environment={"error": np.float64("nan"), "fit": np.float32(0.5)})

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    result = json.loads((tmp_path / "result.json").read_text(), parse_constant=refuse)
    assert result["objective"] is None
    assert result["policies"]["trained"]["return"] == {"mean": None, "low": None, "high": None, "n": 5}
    assert result["environment"] == {"error": None, "fit": 0.5}


def test_statistics_may_be_dataclasses(tmp_path):
    record = dataclasses.make_dataclass("Record", ["mean", "low", "high", "n"])
    assert write(tmp_path, policies={"random": {"gini": record(1, 2, 3, 4)}})["policies"]["random"]["gini"]["high"] == 3


def test_an_extra_entry_with_a_promised_name_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'status' is the name of a standard entry"):
        write(tmp_path, status="failed")
    assert not (tmp_path / "result.json").exists()


def test_a_statistic_without_its_interval_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"policies\.trained\.return must hold mean, low, high, n"):
        write(tmp_path, policies={"trained": {"return": {"mean": 1.0}}})
    with pytest.raises(ValueError, match=r"cold_items\.policies\.trained\.return must hold mean, low, high, n"):
        write(tmp_path, cold_items={"share": 0.1, "items": 3, "policies": {"trained": {"return": {"mean": 1.0}}}})
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        write(tmp_path, environment={"x": object()})
    assert not (tmp_path / "result.json").exists()


def test_an_interrupted_write_keeps_the_old_result(tmp_path, monkeypatch):
    old = write(tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, seed=4)
    assert read_result(tmp_path) == old
    assert os.listdir(tmp_path) == ["result.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no result.json: the run has not finished"),
        ('{"schema": 1, "sta', "not JSON"),
        ("[]", "recframe did not write it"),
        ('{"schema": 3}', "has schema 3, this recframe reads 1 and 2"),
        ('{"schema": 1, "status": "failed"}', "has status 'failed', not 'finished'"),
        ('{"schema": 1, "status": "finished", "objective": 1}', "lacks 'seed'"),
        (
            json.dumps(dict.fromkeys(PROMISED, 1) | {"status": "finished"}),
            "its tables are damaged.*remove it and run: recframe train resume=",
        ),
    ],
)
def test_the_error_for_an_unreadable_result_is_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    with pytest.raises(ResultError, match=message) as caught:
        read_result(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_error_for_a_missing_folder_says_so(tmp_path):
    with pytest.raises(ResultError, match="there is no such folder"):
        read_result(tmp_path / "gone")


def test_tracking_and_sweeps_import_no_torch():
    code = "import sys, recframe.tracking, recframe.reports; print({'torch', 'pytorch_lightning', 'wandb'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
