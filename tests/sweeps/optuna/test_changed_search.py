"""A search that goes on with other seeds or values: no finished job is run again, and every trial has the mean over the seeds wanted."""

from pathlib import Path

import optuna
import pytest
from omegaconf import DictConfig

from recframe.config import ConfigError
from recframe.errors import JobStopped, UserError
from recframe.sweeps.optuna.search import Objectives
from recframe.sweeps.optuna.summary import Summary
from recframe.sweeps.optuna.workers import Workers
from recframe.tracking import write_result

POLICIES = {"trained": {"return": {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 4}}}
SPACE = ["agent=a,b", "agent.rate=tag(log,interval(1e-3,1))", "agent.clip=interval(0.1,0.3)"]


class Killed(BaseException):
    """The end of the process, as far as the search can notice it."""


def value(cfg: DictConfig) -> float:
    return -abs(cfg.agent.rate - 0.1) + cfg.seed**2 + cfg.x


@pytest.fixture
def jobs(toy):
    """Searches with jobs that write a result, once only; those in `broken` (folders) fail, and in `stopped` they are interrupted."""

    def objective(cfg: DictConfig) -> float:
        folder = toy.sweep / toy.calls[-1]
        folder.mkdir(exist_ok=True)
        assert not (folder / "result.json").exists(), "a finished job is run again"
        if folder.name in search.broken:
            raise ValueError("no memory")
        if folder.name in search.stopped:
            raise JobStopped("stopped by SIGTERM")
        write_result(folder, objective=value(cfg), seed=cfg.seed, env_steps=0, seconds=0.0, policies=POLICIES)
        return value(cfg)

    def search(*arguments: str, **settings) -> dict:
        toy.calls.clear()
        return toy(*arguments, objective=objective, **{"startup_trials": 2, "hopeless": None, "retries": True, **settings})

    search.broken, search.stopped = set(), set()
    return search


def settings(study: dict) -> list[dict]:
    return [trial["settings"] for trial in study["trials"]]


def rates(study: dict) -> list[float]:
    return [-abs(float(one["agent.rate"]) - 0.1) for one in settings(study)]


@pytest.mark.parametrize(("sampler", "storage"), [("tpe", "sqlite"), ("nsgaii", "journal")])
def test_seeds_that_are_added_are_all_that_is_run_of_the_trials_before(toy, jobs, tmp_path, sampler, storage):
    own = {"sampler": sampler, "population_size": 2, "storage": None if storage == "sqlite" else f"journal:{tmp_path / 'journal'}"}
    before = jobs(*SPACE, "seed=0,1", n_trials=4, **own)
    study = jobs(*SPACE, "seed=0,1,2,3", n_trials=6, **own)
    assert sorted(toy.calls[:8]) == [f"{n}_seed{seed}" for n in range(4) for seed in (2, 3)]
    assert toy.calls[8:] == [f"{n}_seed{seed}" for n in (4, 5) for seed in range(4)]
    assert settings(study)[:4] == settings(before)
    assert [trial["values"][0] for trial in study["trials"]] == pytest.approx([rate + 14 / 4 for rate in rates(study)])
    assert (before["study"], study["study"]) == ("sweep", "sweep (2)")
    assert set(toy.studies.values()) == {"sweep", "sweep (2)"}
    assert toy.studies["3_seed3"] == "sweep (2)"
    # the same once more has nothing to do, and changes nothing
    assert jobs(*SPACE, "seed=0,1,2,3", n_trials=6, **own) == study
    assert toy.calls == []
    assert toy.changes == [(*SPACE, "seed=0,1,2,3")]


def test_a_search_without_seeds_goes_on_with_several(toy, jobs):
    jobs.broken, jobs.stopped = {"1"}, {"2"}
    jobs("x=1,2,3", sampler="grid", retries=False)
    assert [trial["state"] for trial in toy.study["trials"]] == ["finished", "failed", "running"]
    jobs.broken, jobs.stopped = set(), set()
    study = jobs("x=1,2,3", "seed=0,1,2", sampler="grid")
    # what was begun goes on in its own folder; its seed is the one of its config
    assert sorted(toy.calls) == ["0_seed1", "0_seed2", "1", "1_seed1", "1_seed2", "2", "2_seed1", "2_seed2"]
    ended = {trial["settings"]["x"]: trial["values"][0] for trial in study["trials"] if trial["state"] == "finished"}
    assert ended == pytest.approx({x: float(x) + 5 / 3 for x in ("1", "2", "3")})


def test_the_seed_of_a_run_may_have_been_given(toy, jobs):
    jobs("x=1,2", "seed=2", sampler="grid")
    study = jobs("x=1,2", "seed=1,2,3", sampler="grid")
    assert sorted(toy.calls) == ["0_seed1", "0_seed3", "1_seed1", "1_seed3"]
    assert study["trials"][0]["seed_values"] == {"2": [5.0], "1": [2.0], "3": [10.0]}


def test_with_fewer_seeds_the_mean_is_over_these_and_the_runs_stay(toy, jobs):
    jobs("x=1,2", "seed=0,1,2", sampler="grid")
    for seeds, mean, folders in (("seed=0,2", 2.0, []), ("seed=2", 4.0, []), ("seed=0,1,2,3", 3.5, ["0_seed3", "1_seed3"])):
        study = jobs("x=1,2", seeds, sampler="grid")
        assert [trial["values"] for trial in study["trials"]] == [[1 + mean], [2 + mean]]
        assert [len(trial["seed_values"]) for trial in study["trials"]] == [seeds.count(",") + 1] * 2
        assert sorted(toy.calls) == folders
    assert study["study"] == "sweep (4)"


def test_a_wider_interval_and_more_choices_keep_the_trials(toy, jobs):
    before = jobs("agent=a,b", "agent.rate=0.1,0.2", "x=interval(0,0.1)", n_trials=3)
    study = jobs("agent=b,a", "agent.rate=interval(0.05,0.5)", "x=interval(0,1)", n_trials=8)
    assert toy.calls == ["3", "4", "5", "6", "7"]
    assert [trial["values"] for trial in study["trials"][:3]] == [trial["values"] for trial in before["trials"]]
    assert {one["agent.rate"] for one in settings(study)[3:]}.isdisjoint({"0.1", "0.2"})
    # the model learns from all trials, as all have the same values to choose from now
    trials = toy.search.summary.study.get_trials()
    assert {trial.distributions["x"] for trial in trials} == {optuna.distributions.FloatDistribution(0, 1)}


def test_a_grid_gets_the_combinations_that_it_lacks(toy, jobs):
    jobs("x=1,2", "agent.rate=0.1,0.2", sampler="grid", n_trials=3)
    study = jobs("x=1,2,3", "agent.rate=0.1,0.2", sampler="grid", n_trials=6)
    assert toy.calls == ["3", "4", "5"]
    assert len({tuple(one.values()) for one in settings(study)}) == 6


def test_trials_that_were_given_up_stay_so_unless_nothing_is_given_up_any_more(toy, jobs):
    space, own = ("agent.rate=0.1,0.9",), {"sampler": "grid", "hopeless": 0.05}
    before = jobs(*space, "seed=0,1,2", **own)
    assert [trial.get("stopped_after_seeds") for trial in before["trials"]] == [None, 2]
    study = jobs(*space, "seed=range(5)", **own)
    assert toy.calls == ["0_seed3", "0_seed4"]
    assert study["trials"][1] == before["trials"][1]
    study = jobs(*space, "seed=range(6)", sampler="grid", hopeless=None)
    assert toy.calls == ["0_seed5", "1_seed2", "1_seed3", "1_seed4", "1_seed5"]
    assert [len(trial["seed_values"]) for trial in study["trials"]] == [6, 6]


def test_the_best_trial_goes_on_first_so_that_others_can_be_given_up(toy, jobs):
    own = {"sampler": "grid", "hopeless": 0.05}
    jobs("agent.rate=0.9,0.5,0.1", "seed=0,1", **{**own, "hopeless": None})
    study = jobs("agent.rate=0.9,0.5,0.1", "seed=range(5)", **own)
    assert toy.calls == ["2_seed2", "2_seed3", "2_seed4"]
    assert [trial.get("stopped_after_seeds") for trial in study["trials"]] == [2, 2, None]


def test_a_failed_trial_stays_failed_and_is_tried_again_with_the_new_seeds(toy, jobs):
    jobs.broken = {"1_seed1"}
    jobs("x=1,2,3", "seed=0,1", sampler="grid", n_trials=2)
    jobs.broken = set()
    study = jobs("x=1,2,3", "seed=0,1,2", sampler="grid", n_trials=2)
    # n_trials is that of the grid's own trials: the third combination is not run
    assert sorted(toy.calls) == ["0_seed2", "1_seed1", "1_seed2"]
    assert [trial["state"] for trial in study["trials"]] == ["finished", "failed", "waiting", "finished"]
    assert study["trials"][3]["retry_of"] == 1


def test_two_objectives_keep_their_values_by_seed(toy, jobs, tmp_path):
    two = Objectives(("return", "coverage"), ("max", "min"))

    def objective(cfg: DictConfig) -> float:
        folder = toy.sweep / toy.calls[-1]
        folder.mkdir()
        measured = {"return": cfg.x + cfg.seed, "coverage": cfg.x - cfg.seed}
        write_result(folder, objective=0.0, seed=cfg.seed, env_steps=0, seconds=0.0, policies=POLICIES, objectives=measured)
        return 0.0

    toy("x=1.0,2.0", sampler="grid", objective=objective, objectives=two)
    study = toy("x=1.0,2.0", "seed=0,1", sampler="grid", objective=objective, objectives=two)
    assert [trial["values"] for trial in study["trials"]] == [[1.5, 0.5], [2.5, 1.5]]


@pytest.mark.parametrize("moment", ["announced", "made", 2, "whole"])
def test_a_change_that_is_killed_is_made_at_the_next_start(toy, jobs, monkeypatch, moment):
    before = jobs(*SPACE, "seed=0,1", n_trials=4)
    added, told = [], optuna.Study.set_user_attr

    def add_trial(study, trial, add=optuna.Study.add_trial):
        if len(added) == moment:
            raise Killed
        added.append(trial)
        add(study, trial)

    def set_user_attr(study, key, value):
        if key == "recframe search" and moment == "whole":
            raise Killed
        told(study, key, value)
        if {"recframe followed by": "announced", "recframe follows": "made"}.get(key) == moment:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "add_trial", add_trial)
        patched.setattr(optuna.Study, "set_user_attr", set_user_attr)
        with pytest.raises(Killed):
            jobs(*SPACE, "seed=0,1,2", n_trials=5)
    if moment == 2:
        # the command of before goes on with the study of before
        assert jobs(*SPACE, "seed=0,1", n_trials=4) == before
    study = jobs(*SPACE, "seed=0,1,2", n_trials=5)
    assert sorted(toy.calls) == ["0_seed2", "1_seed2", "2_seed2", "3_seed2", "4_seed0", "4_seed1", "4_seed2"]
    assert settings(study)[:4] == settings(before)
    assert optuna.get_all_study_names(f"sqlite:///{toy.sweep / 'study.db'}") == ["sweep", "sweep (2)"]


def test_a_changed_search_that_is_killed_goes_on_as_an_undisturbed_one(toy, tmp_path):
    started = []
    whole = type(toy)(tmp_path / "whole" / "sweep")

    def killed(cfg: DictConfig) -> float:
        started.append(cfg)
        if len(started) in (2, 5, 9):
            raise Killed
        return value(cfg)

    own = {"startup_trials": 2, "hopeless": None}
    for one in (toy, whole):
        one(*SPACE, "seed=0,1", n_trials=4, objective=value, **own)
    for _ in range(3):
        with pytest.raises(Killed):
            toy(*SPACE, "seed=0,1,2", n_trials=7, objective=killed, **own)
    assert toy(*SPACE, "seed=0,1,2", n_trials=7, objective=killed, **own) == whole(*SPACE, "seed=0,1,2", n_trials=7, objective=value, **own)


@pytest.mark.parametrize(
    ("now", "objectives", "line"),
    [
        (
            ["x=interval(0,0.5)"],
            None,
            r"^x: trial 0 of the study 'sweep' has 0\.5\d*, which is no longer among the values; include it, or ",
        ),
        (["x=0.1,0.2"], None, "^x: trial 0 of the study 'sweep' has 0.5"),
        (["x=interval(0,1)", "agent=a,b"], None, "^agent: not given in the trials of the study 'sweep', and now searched; repeat what it "),
        (["agent.rate=0.1,0.2"], None, "x: searched in the trials of the study 'sweep', and now not given; repeat what it was, or search "),
        (["x=interval(0,1)", "agent.rate=3"], None, "^agent.rate: not given in the trials of the study 'sweep', and now 3"),
        (
            ["x=interval(0,1)"],
            Objectives((), ("min",)),
            r"is judged by what its runs monitor \(max\), and not by what its runs monitor \(min",
        ),
        (["x=interval(0,1)", "seed=3"], None, "^seed: not given in the trials of the study 'sweep', and now 3"),
    ],
)
def test_what_cannot_be_taken_over_is_said_in_one_line(searched, now, objectives, line):
    with pytest.raises(ConfigError, match=line) as refused:
        searched(*now, n_trials=1, objective=value, objectives=objectives)
    assert all("in another folder with hydra.sweep.dir=" in problem for problem in refused.value.problems)
    # which leaves everything as it was
    assert searched.changes == []
    assert searched("x=interval(0,1)", n_trials=1, objective=value)["study"] == "sweep"


def test_seeds_cannot_be_left_out(toy):
    toy("x=1,2", "seed=0,1", sampler="grid", objective=value)
    with pytest.raises(ConfigError, match=r"^seed: the trials of the study 'sweep' were run with the seeds 0,1; say with which now, as in"):
        toy("x=1,2", sampler="grid", objective=value)


def test_nothing_is_changed_while_another_process_works_on_the_search(toy):
    toy("x=1,2", "seed=0,1", sampler="grid", objective=value)
    with Workers(toy.sweep).working(), pytest.raises(UserError, match="another process works on this search with other seeds or values"):
        toy("x=1,2", "seed=0,1,2", sampler="grid", objective=value)
    assert len(toy("x=1,2", "seed=0,1,2", sampler="grid", objective=value)["trials"][1]["seed_values"]) == 3


def other_folder(toy, tmp_path: Path):
    return type(toy)(tmp_path / "other" / "sweep")


def test_a_study_of_several_folders_is_changed_only_by_a_person_who_says_so(toy, tmp_path):
    other = other_folder(toy, tmp_path)
    own = {"storage": f"journal:{tmp_path / 'journal'}", "study_name": "both", "objective": value, "hopeless": None}
    toy("x=interval(0,1)", "seed=0,1", n_trials=2, **own)
    with pytest.raises(UserError, match="the study 'both' has other seeds or values, and other folders may work on it; repeat them, or "):
        other("x=interval(0,1)", "seed=0", n_trials=2, may_change=False, **own)
    study = other("x=interval(0,1)", "seed=0,1,2", n_trials=2, **own)
    # the results of the other folder are known from the study
    assert other.calls == ["0_seed2", "1_seed2"]
    assert [len(trial["seed_values"]) for trial in study["trials"]] == [3, 3]
    assert toy("x=interval(0,1)", "seed=0,1,2", n_trials=2, may_change=False, **own)["study"] == "both (2)"


def test_a_study_is_changed_by_one_folder_at_a_time(toy, tmp_path, monkeypatch):
    other = other_folder(toy, tmp_path)
    own = {"storage": f"journal:{tmp_path / 'journal'}", "study_name": "both", "objective": value, "hopeless": None}
    toy("x=interval(0,1)", "seed=0,1", n_trials=1, **own)
    added = []

    def add_trial(study, trial, add=optuna.Study.add_trial):
        added.append(trial)
        line = f"the seeds or values of the study 'both' are just being changed from {toy.sweep}; wait for it, or, if its process died, 10 "
        with pytest.raises(UserError, match=line):
            other("x=interval(0,1)", "seed=0,1,3", n_trials=1, **own)
        add(study, trial)

    monkeypatch.setattr(optuna.Study, "add_trial", add_trial)
    study = toy("x=interval(0,1)", "seed=0,1,2", n_trials=1, **own)
    assert (len(added), study["study"], len(study["trials"][0]["seed_values"])) == (1, "both (2)", 3)


def test_a_study_is_not_changed_under_a_folder_that_works_on_it(toy, tmp_path, monkeypatch):
    other, own = other_folder(toy, tmp_path), {"storage": f"journal:{tmp_path / 'journal'}", "study_name": "both"}
    ended = []

    def change() -> None:
        other("x=interval(0,1)", "seed=0,1,2", n_trials=3, objective=value, **own)

    def in_a_trial(cfg: DictConfig) -> float:
        if len(toy.calls) == 1:
            with pytest.raises(UserError, match=f"trial 0 of the study 'both' runs in another folder, {toy.sweep}; wait until"):
                change()
        return value(cfg)

    def between_trials(summary: Summary, write=Summary.write) -> None:
        write(summary)
        if summary.path.parent == toy.sweep and len(toy.calls) == 4 and not ended:
            ended.append(True)
            change()

    monkeypatch.setattr(Summary, "write", between_trials)
    line = rf"the study 'both' goes on as 'both \(2\)', with other seeds or values, which {other.sweep} has given it; repeat them here with"
    with pytest.raises(UserError, match=line):
        toy("x=interval(0,1)", "seed=0,1", n_trials=3, objective=in_a_trial, **own)
    assert [trial["state"] for trial in other.study["trials"]] == ["finished"] * 3
    assert toy.calls == ["0_seed0", "0_seed1", "1_seed0", "1_seed1"]
