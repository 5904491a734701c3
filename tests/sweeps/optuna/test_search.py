"""A search of settings: which trials there are, what becomes of them, and how it goes on after it was stopped."""

import pytest
from omegaconf import DictConfig

from recframe.config import ConfigError
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import JobStopped, Pruned
from recframe.sweeps.optuna.search import Objectives
from recframe.sweeps.optuna.together import jobs_together
from recframe.sweeps.sweep_file import SweepFile
from recframe.tracking import write_result

SPACE = ["agent=a,b", "agent.rate=tag(log,interval(1e-4,1))", "agent.clip=interval(0.1,0.3)"]

POLICIES = {"trained": {"return": {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 4}}}


def near(cfg: DictConfig) -> float:
    """Largest for a rate of 0.1."""
    return -abs(cfg.agent.rate - 0.1)


def settings(study: dict) -> list[dict]:
    return [trial["settings"] for trial in study["trials"]]


def test_a_setting_that_one_choice_lacks_is_searched_only_for_the_others(toy):
    study = toy(*SPACE, "x=7", n_trials=8, objective=near)
    chosen = settings(study)
    assert {one["agent"] for one in chosen} == {"a", "b"}
    assert all(("agent.clip" in one) == (one["agent"] == "a") for one in chosen)
    given = [[text.partition("=")[0] for text in trial["overrides"]] for trial in study["trials"]]
    assert all(("agent.clip" in keys) == ("agent.clip" in one) and "x" in keys for keys, one in zip(given, chosen, strict=True))


def test_a_grid_has_every_combination_once(toy):
    study = toy("agent=a,b", "agent.rate=0.1,0.2", "agent.clip=range(1,4)", sampler="grid", objective=near)
    points = {tuple(sorted(one.items())) for one in settings(study)}
    assert len(study["trials"]) == len(points) == 2 * 3 + 2
    assert study["best"] == [0]


@pytest.mark.parametrize(("direction", "best"), [("max", "0.4"), ("min", "0.2")])
def test_the_best_trial_is_that_of_the_direction(toy, direction, best):
    study = toy("x=0.2,0.4,0.3", sampler="grid", objective=lambda cfg: cfg.x, objectives=Objectives((), (direction,)))
    assert settings(study)[study["best"][0]]["x"] == best


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_model_comes_closer_than_random_settings(toy, sampler):
    study = toy("agent.rate=tag(log,interval(1e-5,1))", sampler=sampler, n_trials=14, startup_trials=8, objective=near)
    errors = [-trial["values"][0] for trial in study["trials"]]
    assert min(errors[8:]) < min(errors[:8]) / 2


def test_a_failed_trial_has_its_reason_and_the_others_go_on(toy):
    def objective(cfg: DictConfig) -> float:
        if cfg.x == 2:
            raise ValueError("two is too much")
        return float("nan") if cfg.x == 3 else cfg.x

    study = toy("x=1,2,3,4", sampler="grid", objective=objective)
    assert [trial["state"] for trial in study["trials"]] == ["finished", "failed", "failed", "finished"]
    assert [trial.get("reason") for trial in study["trials"]] == [None, "two is too much", "the objective has no value (nan)", None]
    assert study["best"] == [3]


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_a_failed_trial_is_tried_again_in_its_folder_when_the_search_is_resumed(toy, sampler):
    broken = {1}

    def objective(cfg: DictConfig) -> float:
        if cfg.seed in broken and cfg.x > 1:
            raise ValueError("no memory")
        return cfg.x + cfg.seed

    space = ["x=1,2" if sampler == "grid" else "x=interval(1.5,2)", "seed=0,1"]
    own = {"sampler": sampler, "n_trials": 2, "objective": objective}
    before = toy(*space, **own)
    failed = [trial["trial"] for trial in before["trials"] if trial["state"] == "failed"]
    assert failed == ([1] if sampler == "grid" else [0, 1])
    assert toy(*space, **own) == before
    toy.calls.clear()
    for fails in (True, False):
        broken = broken if fails else set()
        study = toy(*space, retries=True, **own)
    # the seeds that were done are not run again, and no other trials are added
    assert toy.calls == [f"{number}_seed1" for number in failed] * 2
    assert len(study["trials"]) == 2 + 2 * len(failed)
    last = study["trials"][-len(failed) :]
    assert [trial["settings"] for trial in last] == [before["trials"][number]["settings"] for number in failed]
    assert [(trial["state"], len(trial["seed_values"])) for trial in last] == [("finished", 2)] * len(failed)
    assert not toy.summary.lacking
    assert f"{2 * len(failed)} tried again" in toy.summary.text()


@pytest.mark.parametrize(("sampler", "said"), [("gp", True), ("nsgaii", True), ("tpe", False)])
def test_samplers_that_know_only_what_all_trials_have_say_so(toy, caplog, sampler, said):
    toy(*SPACE, sampler=sampler, n_trials=1, objective=near)
    assert ("those that only some choices have (agent.clip) are drawn at random" in caplog.text) == said


RAY = {"max_jobs": None, "ray": {"init": {"address": None, "num_cpus": None}, "remote": {"num_cpus": 1}}}
SLURM = {"array_parallelism": 256, "max_num_timeout": 10, "cpus_per_task": 4}


@pytest.mark.parametrize(
    ("launcher", "own", "together"),
    [
        ({}, {}, 1),
        ({"n_jobs": 3}, {}, 3),
        ({"n_jobs": -1}, {}, 8),
        ({"n_jobs": 3}, {"n_jobs": 2}, 2),
        (RAY, {}, 8),
        ({**RAY, "max_jobs": 5}, {}, 5),
        ({**RAY, "ray": {"init": {"num_cpus": 6}, "remote": {"num_cpus": 2}}}, {}, 3),
        ({**RAY, "ray": {"init": {"address": "auto"}, "remote": {"num_cpus": 1}}}, {}, 1),
        ({"_target_": "hydra_plugins.recframe.LocalLauncher", "array_parallelism": 4, "cpus_per_task": 2}, {}, 4),
        (SLURM, {}, 10),
        (SLURM, {"sampler": "nsgaii"}, 16),
        (SLURM, {"sampler": "grid"}, 256),
    ],
)
def test_as_many_trials_are_run_together_as_the_launcher_runs(launcher, own, together):
    assert jobs_together(OptunaSweeperConfig(**own), launcher, cores=8) == together


def test_a_pruned_trial_has_not_failed(toy):
    def objective(cfg: DictConfig) -> float:
        if cfg.x < 3:
            raise Pruned("median ended it")
        return cfg.x

    study = toy("x=1,2,3", sampler="grid", objective=objective)
    ended = [(trial["state"], trial.get("reason")) for trial in study["trials"]]
    assert ended == [("pruned", "median ended it"), ("pruned", "median ended it"), ("finished", None)]


class Killed(BaseException):
    """The end of the process, as far as the sweeper can notice it."""


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii", "grid"])
def test_a_stopped_search_goes_on_with_the_trials_of_an_undisturbed_one(toy, tmp_path, sampler):
    space = ["agent=a,b", "agent.clip=0.1,0.2,0.3", "agent.rate=0.1,0.2"] if sampler == "grid" else SPACE
    own = {"sampler": sampler, "startup_trials": 3, "population_size": 3, "n_trials": 7, "hopeless": None}
    started = []

    def objective(cfg: DictConfig) -> float:
        return near(cfg) + cfg.seed

    def killed(cfg: DictConfig) -> float:
        started.append(cfg)
        if len(started) in (3, 8, 10):
            raise Killed
        return objective(cfg)

    whole = type(toy)(tmp_path / "whole" / "sweep")(*space, "seed=0,1", objective=objective, **own)
    for _ in range(3):
        with pytest.raises(Killed):
            toy(*space, "seed=0,1", objective=killed, **own)
    assert toy(*space, "seed=0,1", objective=killed, **own) == whole
    # each stopped job was started again in its own folder, and no other
    assert len(set(toy.calls)) == 14
    assert [toy.calls.count(folder) for folder in dict.fromkeys(toy.calls) if toy.calls.count(folder) > 1] == [2, 2, 2]


def test_jobs_that_are_stopped_with_the_sweep_go_on_with_it(toy):
    stopped = {2, 3}

    def objective(cfg: DictConfig) -> float:
        if cfg.x in stopped:
            raise JobStopped("stopped by SIGTERM")
        return cfg.x

    toy("x=1,2,3,4", sampler="grid", most=3, objective=objective)
    assert [trial["state"] for trial in toy.study["trials"]] == ["finished", "running", "running", "waiting"]
    stopped.clear()
    study = toy("x=1,2,3,4", sampler="grid", most=3, objective=objective)
    assert [trial["values"] for trial in study["trials"]] == [[1.0], [2.0], [3.0], [4.0]]
    assert toy.calls == ["0", "1", "2", "1", "2", "3"]


def test_a_job_that_is_stopped_at_a_limit_has_its_reason_and_goes_on_when_the_search_does(toy):
    limit = "it reached sweep.job_timeout=1 (seconds)"
    stopped = {2}

    def objective(cfg: DictConfig) -> float:
        if cfg.x in stopped:
            raise JobStopped(limit)
        return cfg.x

    study = toy("x=1,2,3", sampler="grid", objective=objective)
    assert [(trial["state"], trial.get("reason")) for trial in study["trials"]] == [
        ("finished", None),
        ("stopped", limit),
        ("finished", None),
    ]
    # for which the sweep ends with an error
    assert [trial.number for trial in toy.summary.lacking] == [1]
    assert f"2 finished, 1 stopped. All of them are in study.json\n  stopped: trial 1: {limit}" in toy.summary.text()
    assert "Go on with: recframe train -m sweep.resume=" in toy.summary.text()
    stopped.clear()
    study = toy("x=1,2,3", sampler="grid", objective=objective)
    assert [(trial["state"], trial.get("reason")) for trial in study["trials"]] == [("finished", None)] * 3
    assert toy.calls == ["0", "1", "2", "1"]
    assert not toy.summary.lacking


def test_a_run_that_finished_before_its_trial_was_told_is_not_run_again(toy):
    def objective(cfg: DictConfig) -> float:
        if cfg.x == 2 and toy.calls.count("1") == 1:
            folder = toy.sweep / "1"
            folder.mkdir()
            write_result(folder, objective=2.5, seed=0, env_steps=0, seconds=0.0, policies=POLICIES)
            raise Killed
        return cfg.x

    with pytest.raises(Killed):
        toy("x=1,2", sampler="grid", objective=objective)
    assert toy("x=1,2", sampler="grid", objective=objective)["trials"][1]["values"] == [2.5]
    assert toy.calls == ["0", "1"]


def test_a_larger_number_of_trials_adds_the_missing_ones(toy):
    first = toy("x=interval(0,1)", n_trials=2, objective=lambda cfg: cfg.x)
    second = toy("x=interval(0,1)", n_trials=3, objective=lambda cfg: cfg.x)
    assert second["trials"][:2] == first["trials"]
    assert toy.calls == ["0", "1", "2"]


def test_each_trial_is_run_with_every_seed_and_has_the_mean(toy):
    study = toy("x=0.1,0.2", "seed=range(3)", sampler="grid", objective=lambda cfg: cfg.x + cfg.seed)
    assert [trial["values"][0] for trial in study["trials"]] == pytest.approx([1.1, 1.2])
    assert toy.calls == [f"{trial}_seed{seed}" for trial in (0, 1) for seed in (0, 1, 2)]


def test_jobs_that_are_started_together_are_those_of_new_trials_before_further_seeds(toy):
    toy("x=1,2,3", "seed=0,1", sampler="grid", most=4, objective=lambda cfg: cfg.x)
    assert toy.rounds == [4, 2]
    assert toy.calls[:4] == ["0_seed0", "1_seed0", "2_seed0", "0_seed1"]


def test_the_command_for_the_best_settings_has_the_options_of_the_sweep(toy):
    toy("x=1,2", "seed=0,1", objective=lambda cfg: cfg.x, sampler="grid")
    again = "The best settings again: recframe train -m{} x={} seed=0,1"
    assert again.format("", 2) in toy.summary.text()
    SweepFile((), "/my configs", "mine").write(toy.sweep)
    assert again.format(" --config-dir '/my configs' --config-name mine", 2) in toy.summary.text()


def test_a_hopeless_trial_gets_no_further_seeds(toy):
    noise = [0.0, 0.4, -0.3, 0.2, 0.1]
    # the second is worse by about the same with each seed, the third sometimes better
    lack = {1: [0.0] * 5, 2: [1.0, 1.1, 0.9, 1.0, 1.0], 3: [0.5, -0.4, 0.3, -0.1, 0.0]}

    study = toy("x=1,2,3", "seed=range(5)", sampler="grid", objective=lambda cfg: noise[cfg.seed] - lack[cfg.x][cfg.seed])
    assert [len(trial["seed_values"]) for trial in study["trials"]] == [5, 2, 5]
    assert [trial.get("stopped_after_seeds") for trial in study["trials"]] == [None, 2, None]
    assert study["best"] == [0]


def test_several_objectives_come_from_the_results_and_give_a_pareto_front(toy, capsys):
    def objective(cfg: DictConfig) -> float:
        folder = toy.sweep / toy.calls[-1]
        folder.mkdir(exist_ok=True)
        measured = {"return": cfg.x, "coverage": 1 - cfg.x if cfg.x < 0.9 else -1.0, "length": 1.0}
        write_result(folder, objective=cfg.x, seed=0, env_steps=0, seconds=0.0, policies=POLICIES, objectives=measured)
        return cfg.x

    two = Objectives(("return", "coverage"), ("max", "max"))
    own = {"sampler": "nsgaii", "population_size": 4, "n_trials": 10}
    study = toy("x=choice(0.0,0.25,0.5,0.2)", objective=objective, objectives=two, **own)
    by_x = {trial["settings"]["x"]: trial["values"] for trial in study["trials"]}
    assert by_x["0.25"] == [0.25, 0.75]
    assert {study["trials"][number]["settings"]["x"] for number in study["best"]} == set(by_x)
    assert "Pareto front" in capsys.readouterr().out
    toy.sweep = toy.sweep / "other"
    with pytest.raises(ConfigError, match=r"objectives: 'covrage' is not measured in these runs; they measure: coverage, length, return"):
        toy("x=0.1,0.2", objective=objective, objectives=Objectives(("covrage",), ("max",)), n_trials=1)
