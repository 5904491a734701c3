"""Runs of which each fits into the memory of its machine, but not as many as run there at a time, are warned of before the first starts."""

from types import SimpleNamespace

import pytest
from filelock import FileLock
from omegaconf import OmegaConf

from recframe.cli.hydra_app import run_app
from recframe.config import TRAIN, compose_config
from recframe.config.checks import memory
from recframe.config.checks.memory import Machine
from recframe.sweeps.memory import LOOKED_AT, warn_of_memory
from recframe.sweeps.ray.launcher import RayLauncher
from recframe.sweeps.side_by_side import jobs_on_this_machine

GIB = 2**30
CAPACITY = "agent.replay_capacity=10000000"
"""The replay memory of a run is 5.1 GiB."""
JOBS = [(f"job {number}", [f"seed={number}", CAPACITY]) for number in range(2)]
LOCAL_RAY = {"max_jobs": None, "ray": {"init": {"address": None, "num_cpus": None}, "remote": {"num_cpus": 2}}}


@pytest.fixture(autouse=True)
def sixteen_gib(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 16 * GIB)


def test_runs_that_fit_alone_but_not_side_by_side_are_warned_of(caplog):
    assert not warn_of_memory(JOBS, compose_config, together=1)
    assert not caplog.records
    assert warn_of_memory(JOBS, compose_config, together=2)
    assert "job 0: memory: 2 such runs at a time need at least 10 GiB, and this machine has 16 GiB: 5.1 GiB for the" in caplog.text
    assert "in each; run fewer at a time, or lower these settings" in caplog.text
    assert not warn_of_memory(JOBS, compose_config, 8, Machine("a machine of the cluster", 128 * GIB))
    assert warn_of_memory(JOBS, compose_config, 8, Machine("a machine of the cluster", 32 * GIB))
    assert "8 such runs at a time need at least 41 GiB, and a machine of the cluster has 32 GiB" in caplog.text


def test_a_few_jobs_are_looked_at_and_one_that_cannot_be_composed_fails_by_itself():
    assert warn_of_memory([("job 2", ["experiment=gone"]), *JOBS], compose_config, together=2)
    composed, cfg = [], compose_config([])

    def compose(overrides):
        composed.append(overrides)
        return cfg

    many = [(f"job {number}", [f"agent.gamma={number / 100}", f"seed={seed}"]) for number in range(20) for seed in range(3)]
    assert not warn_of_memory(many, compose, together=2)
    assert 4 <= len(composed) <= LOOKED_AT
    assert not warn_of_memory([], compose, together=2)


def test_nothing_is_said_of_other_commands_whose_memory_is_not_estimated():
    assert not warn_of_memory(JOBS, lambda overrides: OmegaConf.create({"encoder": {}, "device": "cpu"}), together=2)


@pytest.mark.parametrize(
    ("launcher", "jobs"),
    [
        ({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}, 1),
        ({"n_jobs": 3}, 3),
        ({"_target_": "hydra_plugins.recframe.LocalLauncher", "array_parallelism": 4, "cpus_per_task": 2}, 4),
        (LOCAL_RAY, 4),
        ({**LOCAL_RAY, "max_jobs": 3}, 3),
        ({"max_jobs": None, "ray": {"init": {"address": "local", "num_cpus": 6}, "remote": {"num_cpus": 1}}}, 6),
        ({**LOCAL_RAY, "max_jobs": 300}, 4),
        ({"max_jobs": 3, "ray": {"init": {"address": "10.0.0.1:6379"}, "remote": {"num_cpus": 1}}}, 1),
        ({"_target_": "hydra_plugins.recframe.SlurmLauncher", "array_parallelism": 256, "cpus_per_task": 1}, 1),
    ],
)
def test_only_what_runs_on_this_machine_shares_its_memory(launcher, jobs):
    assert jobs_on_this_machine(launcher, cores=8) == jobs


class Launched(Exception):
    """The first job would start."""


@pytest.fixture
def begin(monkeypatch, tmp_path, capsys):
    """A function that begins a sweep, until the first job would start, and returns what it tells."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def launch(self, jobs):
        raise Launched

    monkeypatch.setattr("recframe.sweeps.launching.JobLauncher.launch", launch)

    def start(*arguments):
        with pytest.raises(Launched):
            run_app(TRAIN, ["-m", "hydra.sweep.dir=sweep", "encoder=tfidf", *arguments], lambda cfg: 0.0, lambda groups: None)
        return capsys.readouterr().out

    return start


JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=4"]


def test_a_grid_is_warned_of_before_its_first_job(begin):
    assert "job 0: memory: 2 such runs at a time need at least 10 GiB" in begin(*JOBLIB, CAPACITY, "seed=0,1")


@pytest.mark.parametrize(
    ("launcher", "trials", "together"),
    [
        (JOBLIB, 20, 4),
        ([*JOBLIB, "seed=0,1"], 1, 2),
        (["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=3"], 20, 3),
        (["hydra.sweeper.n_jobs=2"], 20, None),
    ],
    ids=["joblib", "two seeds", "ray", "one after the other"],
)
def test_a_search_is_warned_of_the_largest_values_that_it_may_try(begin, launcher, trials, together):
    pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")
    pytest.importorskip("ray" if "hydra/launcher=ray" in launcher else "joblib")
    space = ["agent=ppo,dqn", "agent.replay_capacity=int(interval(1000,10000000))", "agent.gamma=interval(0.5,0.9)"]
    told = begin("hydra/sweeper=optuna", f"hydra.sweeper.n_trials={trials}", *launcher, *space)
    expected = f"the largest values of the search: memory: {together} such runs at a time need at least"
    assert (expected in told) is (together is not None)
    assert ("memory" in told) is (together is not None)


def test_other_processes_that_work_on_the_same_search_count(begin, tmp_path):
    pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")
    from recframe.sweeps.optuna.workers import Workers

    elsewhere = tmp_path / "sweep" / ".study" / "0123456789abcdef01.lock"
    with Workers(tmp_path / "sweep").working() as other, FileLock(elsewhere):
        told = begin("hydra/sweeper=optuna", "agent.gamma=interval(0.5,0.9)", "agent.replay_capacity=10000000")
        assert other.on_this_machine() == 1
    assert "the largest values of the search: memory: 2 such runs at a time need at least 10 GiB" in told
    assert "memory" not in begin("hydra/sweeper=optuna", "agent.gamma=interval(0.5,0.9)", "agent.replay_capacity=10000000")


def test_jobs_on_a_cluster_are_warned_of_the_machine_that_has_the_least_memory_for_each(monkeypatch, caplog):
    ray = pytest.importorskip("ray", reason="the extra recframe[ray] is not installed")
    from recframe.sweeps.ray.cluster import fullest_machine

    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0, "memory": 64.0 * GIB}},
        {"Alive": True, "Resources": {"CPU": 8.0, "memory": 32.0 * GIB}},
        {"Alive": False, "Resources": {"CPU": 64.0, "memory": 1.0 * GIB}},
        {"Alive": True, "Resources": {"memory": 2.0 * GIB}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    machine = Machine("a machine of the cluster", 32 * GIB)
    assert fullest_machine({"num_cpus": 2}, 20) == (4, machine)
    # a few jobs may all come to the smallest
    nodes[0]["Resources"]["CPU"] = 64.0
    assert fullest_machine({"num_cpus": 2}, 20)[1].memory == 64 * GIB
    assert fullest_machine({"num_cpus": 2}, 3) == (3, machine)
    nodes[0]["Resources"]["CPU"] = 8.0
    # Ray itself sees to it that jobs fit that say what they need
    assert fullest_machine({"num_cpus": 1, "memory": 12 * GIB}, 20) == (5, machine._replace(memory=64 * GIB))
    assert fullest_machine({"num_cpus": 16}, 20) == (1, Machine("a machine of the cluster", 0))

    launcher = RayLauncher(None, OmegaConf.create({"init": {"address": "auto"}, "remote": {"num_cpus": 1}}))
    launcher.config, launcher.warned = OmegaConf.create(), False
    loader = SimpleNamespace(load_sweep_config=lambda config, overrides: compose_config(overrides))
    launcher.hydra_context = SimpleNamespace(config_loader=loader)
    jobs = [[f"seed={seed}", CAPACITY] for seed in range(20)]
    launcher._warn_of_memory(jobs[:3], *fullest_machine({"num_cpus": 1}, 3))
    assert not launcher.warned
    launcher._warn_of_memory(jobs, *fullest_machine({"num_cpus": 1}, 20))
    assert launcher.warned
    assert "job 0: memory: 8 such runs at a time need at least 41 GiB, and a machine of the cluster has 32 GiB" in caplog.text
