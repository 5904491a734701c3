"""A search that goes on with other seeds or values: no finished job is run again, and every trial has the mean over the seeds wanted."""

from pathlib import Path

import optuna
import pytest
from omegaconf import DictConfig

from recframe.config import ConfigError
from recframe.errors import JobStopped, UserError
from recframe.sweeps.optuna import continuation
from recframe.sweeps.optuna.search import Objectives
from recframe.sweeps.optuna.study import open_storage
from recframe.sweeps.optuna.summary import Summary
from recframe.sweeps.optuna.sweeper import OptunaSweeper
from recframe.sweeps.optuna.trials import Trials
from recframe.sweeps.optuna.workers import Workers
from recframe.sweeps.plan import SweepPlan
from recframe.sweeps.sweep_file import SweepFile
from recframe.tracking import write_result

POLICIES = {"trained": {"return": {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 4}}}
SPACE = ["agent=a,b", "agent.rate=tag(log,interval(1e-3,1))", "agent.clip=interval(0.1,0.3)"]


class Killed(BaseException):
    """The end of the process, as far as the search can notice it."""


def value(cfg: DictConfig) -> float:
    # the option takes an integer in quotes, too
    return -abs(cfg.agent.rate - 0.1) + int(cfg.seed) ** 2 + cfg.x


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
        write_result(folder, objective=value(cfg), seed=int(cfg.seed), env_steps=0, seconds=0.0, policies=POLICIES)
        return value(cfg)

    def search(*arguments: str, **settings) -> dict:
        toy.calls.clear()
        return toy(*arguments, objective=objective, **{"startup_trials": 2, "hopeless": None, "retries": True, **settings})

    search.broken, search.stopped = set(), set()
    return search


def test_a_search_whose_folder_has_another_name_now_goes_on(jobs, toy, tmp_path):
    before = jobs("x=1,2", "seed=0", sampler="grid")
    toy.sweep = toy.sweep.rename(tmp_path / "renamed")
    after = jobs("x=1,2", "seed=0,1", sampler="grid")
    assert toy.calls == ["1_seed1", "0_seed1"]
    assert after["study"] == f"{before['study']} (2)"


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
    assert set(toy.changes) == {(*SPACE, "seed=0,1,2,3")}


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


@pytest.mark.parametrize(
    ("given", "seed", "results"),
    [
        (["seed=1_0"], 10, False),
        (["seed='3'"], 3, False),
        (["++seed=+4"], 4, False),
        (["seed=1", "seed=2"], 2, False),
        (["seed=${x}"], None, False),
        (["seed=${x}"], None, True),
    ],
)
def test_a_run_counts_for_no_seed_but_its_own(toy, jobs, given, seed, results):
    jobs("x=1,2", *given, sampler="grid")
    if not results:
        for number in range(2):
            (toy.sweep / str(number) / "result.json").unlink()
    study = jobs("x=1,2", "seed=0,1,2,3,4,10", sampler="grid")
    for number, trial in enumerate(study["trials"]):
        own = seed or (number + 1 if results else None)
        assert trial["seed_values"] == {str(one): [number + 1.0 + one**2] for one in (0, 1, 2, 3, 4, 10)}
        others = {f"{number}_seed{one}" for one in (0, 1, 2, 3, 4, 10) if one != own}
        assert {folder for folder in toy.calls if folder.startswith(f"{number}_")} == others


@pytest.mark.parametrize(("now", "seed"), [(["seed='3'"], 3), (["seed=1", "seed=2"], 2), (["++seed=1_0"], 10)])
def test_a_fixed_seed_is_the_only_one_of_a_search_with_several(toy, jobs, now, seed):
    jobs("x=1,2", "seed=0,1", sampler="grid")
    study = jobs("x=1,2", *now, sampler="grid")
    assert toy.calls == [f"0_seed{seed}", f"1_seed{seed}"]
    assert [trial["values"] for trial in study["trials"]] == [[1.0 + seed**2], [2.0 + seed**2]]


def test_a_trial_that_has_finished_is_not_judged_again(toy, jobs):
    own = {"sampler": "grid", "pruner": "median"}
    jobs("x=1,2", "seed=0,1", **own)
    assert toy.judged == ["0_seed0", "1_seed0"]
    toy.judged.clear()
    jobs("x=1,2,3", "seed=5,0,1", **own)
    assert toy.judged == ["2_seed5"]


@pytest.mark.parametrize(
    ("before", "now", "kept"), [("seed=0,1", "seed=5,0", False), ("seed=0,1", "seed=0,5", True), ("x=0", "seed=5,0", False)]
)
def test_a_running_trial_is_judged_by_the_learning_curve_of_one_seed(toy, before, now, kept):
    curves = []

    def objective(cfg: DictConfig) -> float:
        study = toy.search.trials.study
        (trial,) = study.get_trials()
        curves.append(trial.intermediate_values)
        if len(curves) == 1:
            study._storage.set_trial_intermediate_value(trial._trial_id, 1, 0.5)
            raise Killed
        return value(cfg)

    space = ["agent.rate=interval(0,1)", "x=0"]
    with pytest.raises(Killed):
        toy(*space, *([before] if before not in space else []), n_trials=1, objective=objective)
    toy(*space, now, n_trials=1, objective=objective)
    assert curves == [{}, {1: 0.5} if kept else {}, {1: 0.5} if kept else {}]
    assert toy.judged[1:] in (["0_seed5"], ["0_seed0"], ["0"])


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


def test_choices_that_are_equal_in_python_are_known_by_their_texts(toy, jobs):
    before = jobs("x=1,2", sampler="grid", n_trials=1)
    for values in ("x=1,2,true", "x=2,1.0", "x=1,2,true", "x=interval(0,2)"):
        study = jobs(values, sampler="grid" if "interval" not in values else "random", n_trials=1)
        assert toy.calls == []
        assert study["trials"][0]["settings"]["x"] in ("1", "1.0")
        assert study["trials"][0]["values"] == before["trials"][0]["values"]
    jobs("x=1,2,true", sampler="grid")
    assert [one["x"] for one in settings(toy.study)] == ["1", "2", "True"]
    with pytest.raises(ConfigError, match=r"^x: trial 2 of the study .* has True, which is no longer among the values"):
        jobs("x=1,2", sampler="grid")


def test_points_of_a_grid_that_never_ran_may_be_left_out(toy, jobs):
    jobs("x=1,2,3,4", sampler="grid", n_trials=2)
    study = jobs("x=1,2,4,5", sampler="grid")
    assert toy.calls == ["2", "3"]
    assert [one["x"] for one in settings(study)] == ["1", "2", "4", "5"]
    # those that ran may not, and those before one that ran keep their numbers
    with pytest.raises(ConfigError, match=r"^x: trial 3 of the study .* has 5, which is no longer among the values"):
        jobs("x=1,2,4", sampler="grid")


@pytest.mark.parametrize("n_trials", [None, 3])
def test_a_grid_goes_on_with_its_other_points_if_another_folder_takes_what_was_begun(toy, jobs, monkeypatch, n_trials):
    jobs("x=1,2,3", "seed=0", "agent=a,b", sampler="grid", n_trials=2)

    def claim(trials, trial, claim=Trials._claim):
        if "overrides" in trial.user_attrs:
            # the other folder is faster
            trials.study._storage.set_trial_state_values(trial._trial_id, optuna.trial.TrialState.RUNNING)
        return claim(trials, trial)

    monkeypatch.setattr(Trials, "_claim", claim)
    monkeypatch.setattr(Workers, "has_left", lambda *_: False)
    jobs("x=1,2,3", "seed=0,1", "agent=a,b", sampler="grid", n_trials=n_trials)
    assert toy.calls == [f"{number}_seed{seed}" for number in range(2, n_trials or 6) for seed in (0, 1)]


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
    with pytest.raises(UserError, match=r"the study 'both' has other seeds or values \(seed\), and other folders may work on it; repeat"):
        other("x=interval(0,1)", "seed=0", n_trials=2, may_change=(), **own)
    study = other("x=interval(0,1)", "seed=0,1,2", n_trials=2, **own)
    # the results of the other folder are known from the study
    assert other.calls == ["0_seed2", "1_seed2"]
    assert [len(trial["seed_values"]) for trial in study["trials"]] == [3, 3]
    assert toy("x=interval(0,1)", "seed=0,1,2", n_trials=2, may_change=(), **own)["study"] == "both (2)"


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


def test_a_folder_changes_nothing_that_its_person_has_not_typed_now(toy, tmp_path):
    other, both = other_folder(toy, tmp_path), {"storage": f"journal:{tmp_path / 'journal'}", "study_name": "both"}
    own = {**both, "objective": value, "hopeless": None, "n_trials": 1}
    for one in (toy, other):
        one("x=interval(0,1)", "seed=0,1", **own)
    toy("x=interval(0,1)", "seed=0,1,2", **own)
    # the seeds of before come along with what is typed
    for typed in ((), ("hydra.sweeper.n_trials",), ("x",)):
        with pytest.raises(UserError, match=r"the study 'both \(2\)' has other seeds or values \(seed"):
            other("x=interval(0,2)" if "x" in typed else "x=interval(0,1)", "seed=0,1", **{**own, "may_change": typed})
    # what is asked for and is so already is written down, so that it is no change when it is asked for again
    other.changes.clear()
    other("x=interval(0,1)", "seed=0,1,2", **{**own, "may_change": ("seed",)})
    assert other.changes == [("x=interval(0,1)", "seed=0,1,2")]


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ((), []),
        (("hydra.sweeper.n_trials=60",), ["hydra.sweeper.n_trials"]),
        # also what the folder had before: others may have changed it meanwhile
        (("+y=1,2,3", "seed=0,1", "hydra.sweeper.params.z=1"), ["y", "seed", "z"]),
        (("study=mine",), None),
        (("hydra.sweeper.params={z:1}",), None),
    ],
)
def test_what_a_person_types_beside_the_folder_may_change_a_shared_study(typed, keys):
    sweeper, file = OptunaSweeper(storage="journal:journal"), SweepFile(("seed=0,1", *typed))
    sweeper.plan = SweepPlan(file, resumed=True, typed=typed)
    assert sweeper._may_change() == keys


def test_texts_that_need_quotes_are_carried_before_they_were_begun(jobs, toy):
    jobs("+words='{a}: (b','c=d'", "seed=0", sampler="grid", n_trials=1)
    after = jobs("+words='{a}: (b','c=d'", "seed=0,1", sampler="grid", n_trials=2)
    assert toy.calls == ["0_seed1", "1_seed0", "1_seed1"]
    assert [one["state"] for one in after["trials"]] == ["finished"] * 2


def test_an_empty_study_of_others_with_other_directions_is_left_alone(toy, tmp_path):
    own = {"storage": f"journal:{tmp_path / 'journal'}", "study_name": "both"}
    optuna.create_study(study_name="both", storage=open_storage(own["storage"], tmp_path), direction="minimize")
    with pytest.raises(ConfigError, match="choose another"):
        toy("x=1,2", objective=value, **own)


@pytest.mark.parametrize("moment", ["before it looks", "before it tells", "before it creates"])
def test_of_two_folders_that_change_a_study_at_the_same_time_one_does(toy, tmp_path, monkeypatch, moment):
    other = other_folder(toy, tmp_path)
    own = {"storage": f"journal:{tmp_path / 'journal'}", "study_name": "both", "objective": value, "hopeless": None, "n_trials": 2}
    toy("x=interval(0,1)", "seed=0,1", **own)
    told = []

    def beside(at: str, name: str = "") -> None:
        if at == moment and not told:
            told.append(at)
            if at == "before it creates":
                # the other has told so, too, and is here first
                with pytest.MonkeyPatch.context() as patched:
                    patched.setattr(optuna.Study, "user_attrs", property(without_announcement))
                    other("x=interval(0,1)", "seed=0,1,2", **own)
            else:
                other("x=interval(0,1)", "seed=0,1,2", **own)

    attributes = optuna.Study.user_attrs.fget

    def without_announcement(study):
        found = dict(attributes(study))
        if (found.get("recframe followed by") or {}).get("sweep") == str(toy.sweep):
            del found["recframe followed by"]
        return found

    def names(storage, names=optuna.get_all_study_names):
        found = names(storage)
        beside("before it looks")
        return found

    def set_user_attr(study, key, value, set_user_attr=optuna.Study.set_user_attr):
        if key == "recframe followed by":
            beside("before it tells")
        set_user_attr(study, key, value)

    def create(storage, name, *rest, create=continuation.create_study, **more):
        if name == "both (2)" and more.get("must_be_new"):
            beside("before it creates")
        return create(storage, name, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(optuna, "get_all_study_names", names)
        patched.setattr(optuna.Study, "set_user_attr", set_user_attr)
        patched.setattr(continuation, "create_study", create)
        with pytest.raises(UserError, match=f"the study 'both' are just being changed from {other.sweep}; wait for it"):
            toy("x=interval(0,1)", "seed=0,1,3", **own)
    assert other.study["study"] == "both (2)"
    # which then goes on from what the other has made of it
    study = toy("x=interval(0,1)", "seed=0,1,3", **own)
    assert study["study"] == "both (3)"
    assert [len(trial["seed_values"]) for trial in study["trials"]] == [3, 3]
    assert optuna.get_all_study_names(toy.search.trials.study._storage) == ["both", "both (2)", "both (3)"]


@pytest.mark.parametrize("described", [True, False])
def test_a_study_of_that_name_that_follows_none_is_left_alone(toy, jobs, described):
    jobs("x=1,2", "seed=0,1", sampler="grid")
    study = toy.search.trials.study
    foreign = optuna.create_study(study_name="sweep (2)", storage=study._storage)
    foreign.set_user_attr("recframe search" if described else "mine", {"seeds": []})
    # as if a process had died before it could create its study
    study.set_user_attr("recframe followed by", {"study": "sweep (2)", "sweep": str(toy.sweep), "since": "2026-01-01T00:00:00"})
    assert jobs("x=1,2", "seed=0,1", sampler="grid")["study"] == "sweep"
    assert jobs("x=1,2", "seed=0,1,2", sampler="grid")["study"] == "sweep (3)"
    assert optuna.get_all_study_names(study._storage) == ["sweep", "sweep (2)", "sweep (3)"]


def test_a_study_whose_process_was_killed_at_once_is_taken_for_new(toy, jobs, monkeypatch):
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "set_user_attr", killed)
        with pytest.raises(Killed):
            jobs("x=1,2", sampler="grid", objectives=Objectives((), ("min",)))
    jobs("x=1,2", sampler="grid")
    assert toy.search.trials.study.directions == [optuna.study.StudyDirection.MAXIMIZE]
