"""recframe report, runs, compare and clean."""

import json
import os
import shutil
import time
from contextlib import ExitStack

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from recframe.cli.main import app
from recframe.reports import State, plan_cleaning, sweep_frame, watch_runs
from recframe.reports.listing import age_in_words, list_runs
from recframe.sweeps.sweep_file import locked
from recframe.tracking import RunFolder
from tests.reports.made_up import make_sweep


@pytest.fixture
def call():
    """Calls the command line in this process; returns what it has printed."""

    def run(*arguments, code=0):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert done.exit_code == code, done.output
        return done

    return run


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


@pytest.fixture
def trained(tmp_path):
    """Four finished runs and a stopped one, with checkpoints of 1,000 bytes."""
    make_sweep(tmp_path, ("dqn",), ("tfidf",), seeds=5, people=2, evaluations=1)
    for place in range(5):
        (tmp_path / str(place) / "checkpoints").mkdir()
        (tmp_path / str(place) / "checkpoints" / "last.ckpt").write_bytes(b"0" * 1000)
        result = tmp_path / str(place) / "result.json"
        result.write_text(json.dumps(json.loads(result.read_text()) | {"objective": [3.0, 5.0, None, 4.0, 1.0][place]}))
    (tmp_path / "4" / "result.json").unlink()
    return tmp_path


def kept(folder):
    return sorted(path.parent.name for path in folder.glob("*/checkpoints"))


def test_cleaning_says_what_it_would_remove_and_removes_nothing_but_checkpoints_of_finished_runs_that_are_not_best(call, trained):
    shown = call("clean", trained).stdout
    assert "kept: 1, the best by objective" in shown
    assert "kept: 4: stopped" in shown
    assert "kept: 2: has no objective" in shown
    assert f"would remove {trained / '0' / 'checkpoints'}, 0.0 MB (objective 3)" in shown
    assert "of 2 runs; remove them with --yes" in shown
    assert kept(trained) == ["0", "1", "2", "3", "4"]
    assert plan_cleaning(trained).size == 2000
    call("clean", trained, "--yes")
    assert kept(trained) == ["1", "2", "4"]
    assert len(list(trained.glob("*/result.json"))) == 4
    assert call("clean", trained, "--yes").stdout.endswith("nothing to remove\n")


def test_more_than_one_can_be_kept_and_low_objectives_can_be_better(trained):
    assert set(plan_cleaning(trained, keep=2).best) == {"1", "3"}
    for config in trained.glob("*/config.yaml"):
        config.write_text(f"{config.read_text()}trainer: {{monitor: loss, monitor_mode: min}}\n")
    assert plan_cleaning(trained).best == ("0",)


@pytest.mark.parametrize(
    ("section", "value", "kept_alone"),
    [
        ("dataset", {"name": "synthetic", "seed": 1}, True),
        ("reward", {"click": {"weight": 2.0}}, True),
        ("environment", {"drift": 0.5}, True),
        ("evaluation", {"people": "train"}, True),
        ("environment", {"num_users": 7, "group_size": 7}, False),
        # where the world has no encoder of its own, it reads with the agent's
        ("encoder", {"name": "random"}, True),
        ("agent", {"name": "ppo"}, False),
    ],
)
def test_a_run_with_settings_of_another_contest_is_not_compared_with_others(trained, section, value, kept_alone):
    config = trained / "0" / "config.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {section: value}))
    assert ("0" in plan_cleaning(trained).best) is kept_alone


def test_the_encoder_of_the_agent_alone_makes_no_other_contest(trained):
    for name in ("0", "1", "3"):
        config = trained / name / "config.yaml"
        own = {"world_encoder": {"name": "tfidf"}, "encoder": {"name": "id" if name == "0" else "random"}}
        config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | own))
    assert plan_cleaning(trained).best == ("1",)


@pytest.mark.parametrize(
    ("part", "kept_alone"), [("items", True), ("world_encoder", True), ("encoder", False), ("init", False), ("damaged", True)]
)
def test_a_run_on_other_data_is_not_compared_with_others(trained, part, kept_alone):
    file = trained / "0" / "data.json"
    entries = json.loads(file.read_text()) | {part: {"sha256": "0" * 64, "rows": None}}
    file.write_text("{" if part == "damaged" else json.dumps(entries))
    assert ("0" in plan_cleaning(trained).best) is kept_alone


def test_a_run_that_somebody_reads_keeps_its_checkpoints(call, trained):
    with RunFolder.open(trained / "3"):
        done = call("clean", trained, "--yes", code=2)
    assert "kept: 3: " in done.stdout
    assert "the checkpoints of 1 of 2 runs could not be removed" in done.stderr
    assert kept(trained) == ["1", "2", "3", "4"]


def test_checkpoints_behind_a_link_stay(trained, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "checkpoints"
    shutil.move(trained / "3" / "checkpoints", elsewhere)
    (trained / "3" / "checkpoints").symlink_to(elsewhere)
    plan = plan_cleaning(trained)
    assert "elsewhere" in plan.left["3"]
    assert [removal.run for removal in plan.removals] == ["0"]
    assert State.STOPPED in plan.left.values()
