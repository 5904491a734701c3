"""recframe report, runs and compare."""

import json
import os
import time
from contextlib import ExitStack

import polars as pl
import pytest

from recframe.reports import sweep_frame, watch_runs
from recframe.reports.listing import age_in_words, list_runs
from recframe.sweeps.sweep_file import locked
from recframe.tracking import RunFolder


def test_a_report_is_a_table_a_page_and_files_for_other_programs(call, sweep_folder, tmp_path):
    paths = {name: tmp_path / f"results.{name}" for name in ("html", "csv", "parquet")}
    done = call("report", sweep_folder, "--page", paths["html"], "--csv", paths["csv"], "--parquet", paths["parquet"])
    assert "12 finished runs" in done.stdout
    assert f"page with charts: {paths['html']}" in done.stderr
    frame = sweep_frame(sweep_folder)
    assert pl.read_parquet(paths["parquet"]).equals(frame)
    assert pl.read_csv(paths["csv"]).shape == frame.shape
    assert paths["html"].read_text().startswith("<!doctype html>")


def test_markdown_is_all_of_the_standard_output(call, make_run, tmp_path):
    make_run("0", 0, 1.0)
    done = call("report", tmp_path, "--markdown")
    assert done.stdout.startswith("# ")
    assert "page" not in done.stdout
    assert (tmp_path / "report.html").is_file()


def test_a_page_that_cannot_be_written_costs_no_table(call, make_run, tmp_path, caplog):
    make_run("0", 0, 1.0)
    (tmp_path / "report.html").mkdir()
    assert "1 finished run" in call("report", tmp_path).stdout
    assert "report.html was not written (WriteError: " in caplog.text
    assert "cannot be written" in call("report", tmp_path, "--page", tmp_path / "no" / "page.html", code=1).stderr


class Clock:
    """A clock that goes on when somebody sleeps, and then does something."""

    def __init__(self, *events):
        self.now, self.events, self.slept = 0.0, list(events), []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)
        if self.events:
            self.events.pop(0)()


def test_a_watched_page_loads_itself_again_until_nothing_runs(make_run, tmp_path):
    make_run("0", 0, 1.0)
    running = RunFolder.open(make_run("1", 1, None))
    pages, told = [], []

    def look():
        pages.append((tmp_path / "report.html").read_text())

    def stop():
        look()
        running.release()

    clock = Clock(look, stop)
    assert watch_runs(tmp_path, None, 30.0, told.append, clock.sleep, clock) == tmp_path / "report.html"
    assert told == ["1 finished, 1 running", "1 finished, 1 stopped"]
    assert all('data-reload="30"' in page for page in pages)
    assert clock.slept == [30.0] * 3  # the last two of them without a run
    assert 'data-reload=""' in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("mean", [1.0, None])
def test_watching_goes_on_while_a_sweep_does_though_none_of_its_jobs_runs(make_run, tmp_path, mean):
    make_run("sweep/0", 0, mean)
    (tmp_path / "sweep" / "sweep.json").write_text('{"jobs": []}')
    sweep = ExitStack()
    sweep.enter_context(locked(tmp_path / "sweep"))
    clock = Clock(lambda: None, lambda: None, lambda: None, lambda: None, sweep.close)
    with sweep:
        watch_runs(tmp_path, None, 30.0, [].append, clock.sleep, clock)
    # what is left unfinished may start again within a minute
    assert clock.slept == [30.0] * (5 if mean else 6)


def test_what_a_watched_page_has_no_use_for_is_refused(call, sweep_folder, tmp_path):
    done = call("report", sweep_folder, "--watch", "--csv", tmp_path / "x.csv", "--metric", "return", code=2)
    assert "--watch writes the page alone: leave out --metric, --csv" in " ".join(done.stderr.split())
    assert not (tmp_path / "x.csv").exists()


def test_watching_waits_for_the_first_run_and_ends_with_ctrl_c(make_run, tmp_path):
    told = []

    def interrupt():
        raise KeyboardInterrupt

    clock = Clock(lambda: make_run("0", 0, None), interrupt)
    watch_runs(tmp_path, None, 5.0, told.append, clock.sleep, clock)
    assert told[0].startswith("no run yet: ")
    assert told[1:] == ["1 stopped", "watching has ended"]


def test_the_best_objective_comes_first_in_the_direction_of_its_metric(make_run, tmp_path):
    for seed, mean in enumerate((2.0, 1.0, 3.0)):
        make_run(f"max/{seed}", seed, mean)
        make_run(f"min/{seed}", seed, mean, config={"trainer.monitor": "nll", "trainer.monitor_mode": "min"})
    assert [run.objective for run in list_runs([tmp_path / "max"], sort="objective")] == [3.0, 2.0, 1.0]
    assert [run.objective for run in list_runs([tmp_path / "min"], sort="objective")] == [1.0, 2.0, 3.0]


def test_runs_are_listed_filtered_and_sorted(call, sweep_folder, make_run, tmp_path):
    listed = list_runs([sweep_folder], where=["agent=ppo", "encoder=id"], sort="objective")
    assert [run.name for run in listed] == ["agent=ppo encoder=id"] * 3
    assert [run.objective for run in listed] == sorted((run.objective for run in listed), reverse=True)
    assert [run.seed for run in list_runs([sweep_folder], where=["seed=1"])] == ["1"] * 4
    make_run("0", 0, 1.0, config={"name": "mine"})
    make_run("1", 4, None)
    assert json.loads(call("runs", tmp_path, "--state", "stopped", "--json").stdout)[0]["run"] == "1"
    lines = call("runs", tmp_path, "--sort", "state").stdout.splitlines()
    assert lines[0].split() == ["run", "state", "name", "seed", "objective", "age"]
    assert lines[2].split()[:5] == ["0", "finished", "mine", "0", "1"]


def test_jobs_that_have_not_started_are_listed_last_by_age_and_found_by_their_overrides(call, make_run, tmp_path):
    for place, age in (("0", 300), ("1", 100), ("4", 200)):
        run = make_run(place, 0, 1.0, ["agent=ppo"], {"agent.name": "ppo"})
        for file in run.iterdir():
            os.utime(file, (time.time() - age,) * 2)
    jobs = [{"number": number, "folder": str(number), "overrides": ["agent=ppo", f"seed={number}"]} for number in range(5)]
    (tmp_path / "sweep.json").write_text(json.dumps({"schema": 1, "command": [], "jobs": jobs}))
    listed = json.loads(call("runs", tmp_path, "--json", "--where", "agent=ppo", "--sort", "age").stdout, parse_constant=pytest.fail)
    assert [run["run"] for run in listed] == ["1", "4", "0", "2", "3"]
    assert [run["age"] for run in listed[3:]] == [None, None]
    assert [run.run for run in list_runs([tmp_path], where=["agent=ppo"], sort="state")] == ["1", "4", "0", "2", "3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--state", "done"], "--state done: must be one of finished, running"),
        (["--sort", "size"], "--sort size: must be one of age"),
        (["--where", "ppo"], "--where ppo: must be a setting and its value"),
    ],
)
def test_a_mistake_in_a_list_is_one_line(call, sweep_folder, arguments, message):
    assert message in call("runs", sweep_folder, *arguments, code=2).stderr


def test_ages_are_in_words():
    assert [age_in_words(seconds) for seconds in (5, 130, 7300, 200_000, float("nan"))] == ["5 s", "2 min", "2 h", "2 d", "-"]


def test_two_runs_are_compared_person_by_person(call, sweep_folder):
    found = json.loads(call("compare", sweep_folder / "0", sweep_folder / "6", "--json").stdout)
    assert found["settings"] == {"agent": ["dqn", "ppo"], "agent.name": ["dqn", "ppo"]}
    one = found["metrics"]["return"]
    assert one["difference"] == pytest.approx(one["first"] - one["second"])
    assert one["low"] < one["difference"] < one["high"]
    assert found["metrics"]["coverage"]["low"] is None
    table = call("compare", sweep_folder / "0", sweep_folder / "6").stdout
    assert "A - B is paired" in table
    assert "versions: the same" in table


def test_only_two_finished_runs_are_compared(call, sweep_folder, make_run):
    assert "holds 12 runs; name one of them" in call("compare", sweep_folder, sweep_folder / "1", code=2).stderr
    stopped = make_run("0", 0, None)
    assert "only finished runs can be compared" in call("compare", stopped, sweep_folder / "1", code=2).stderr
