"""A run that fails leaves its cause in its folder, and names the plugin that raised the error."""

import json

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("constructor", "call", "error"),
    [
        ("1 / 0", "return transition.item_reward", "ZeroDivisionError: division by zero"),
        ("self.moods = []", "return self.moods[transition.slate.shape[0]]", "IndexError: list index out of range"),
    ],
    ids=["constructor", "call"],
)
def test_an_error_in_a_third_partys_component_is_one_line_and_its_traceback_is_on_disk(with_mood, tmp_path, constructor, call, error):
    recframe = with_mood(constructor, call)
    failed = recframe("train", "hydra.run.dir=run")
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    (line,) = failed.stderr.strip().splitlines()
    assert line.startswith(f"recframe: reward=mood of plugin 'mood' (mood 0.3) failed: {error} (")
    assert line.endswith("the traceback is in run/run.log") or line.endswith(f"the traceback is in {tmp_path / 'run' / 'run.log'}")
    log = (tmp_path / "run" / "run.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "mood_reward.py" in log
    recorded = json.loads((tmp_path / "run" / "failure.json").read_text())
    assert recorded["status"] == "failed"
    assert recorded["error"].startswith(f"reward=mood of plugin 'mood' (mood 0.3) failed: {error}")
    origin = {name: recorded[name] for name in ("component", "plugin", "distribution", "version")}
    assert origin == {"component": "reward=mood", "plugin": "mood", "distribution": "mood", "version": "0.3"}
    reported = recframe("report", "run")
    assert f"(mood 0.3) failed: {error}" in (reported.stdout + reported.stderr).replace("\n", " ")


@pytest.mark.slow
def test_a_run_that_goes_on_after_a_failure_has_no_record_of_it(with_mood, tmp_path):
    works_once = "return transition.item_reward * (1 if __import__('os').environ.get('MENDED') else self.moods)"
    recframe = with_mood("self.moods = None", works_once)
    assert recframe("train", "hydra.run.dir=run").returncode == 1
    assert (tmp_path / "run" / "failure.json").exists()
    recframe("train", "resume=run", MENDED="1", check=True)
    assert not (tmp_path / "run" / "failure.json").exists()
    assert (tmp_path / "run" / "result.json").exists()
