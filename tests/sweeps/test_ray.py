"""`hydra/launcher=ray`: jobs in Ray's processes, one that exists or one that is started; failures, lost processes, output, and paths."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.types import HydraContext, RunMode

from recframe.errors import JobStopped, UserError
from recframe.sweeps.launchers import register_launchers
from recframe.sweeps.record import recording

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'recframe[ray]'")


@pytest.fixture(scope="module")
def ray():
    """Ray, with two processes on this machine, which the launcher starts at its first use in this module."""
    with pytest.MonkeyPatch.context() as patches:
        for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_DEDUP_LOGS", "RAY_COLOR_PREFIX", "OMP_NUM_THREADS"):
            # what the launcher sets is removed afterwards
            patches.setenv(name, "")
            patches.delenv(name)
        from recframe.sweeps.ray.cluster import connect

        connect({"num_cpus": 2, "include_dashboard": False, "logging_level": "WARNING", "log_to_driver": False})
        import ray

        # the functions of this module cannot be imported elsewhere
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield ray
        ray.shutdown()


def launch(task, folder: Path, jobs: list[list[str]], *settings: str):
    """Launch jobs as Hydra's sweepers do."""
    register_launchers()
    loader = ConfigLoaderImpl(config_search_path=create_config_search_path(None))
    overrides = ["hydra/launcher=ray", f"hydra.sweep.dir={folder}", "hydra.job.chdir=false", *settings]
    config = loader.load_configuration(config_name=None, overrides=overrides, run_mode=RunMode.MULTIRUN)
    context = HydraContext(config_loader=loader, callbacks=Callbacks())
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)
    return launcher.launch(jobs, 0)


def describe_process(cfg):
    from hydra.core.hydra_config import HydraConfig

    print(f"the value is {cfg.x}")
    places = {"cwd": os.getcwd(), "folder": HydraConfig.get().runtime.output_dir, "cache": os.environ.get("RECFRAME_CACHE")}
    return {"x": cfg.x, "process": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS"), **places}


def test_jobs_share_processes_and_run_in_the_folder_of_the_sweep(ray, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECFRAME_CACHE", "cache")
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    returned = launch(describe_process, Path("sweep"), [[f"+x={x}"] for x in range(6)])
    assert [one.status for one in returned] == [JobStatus.COMPLETED] * 6
    values = [one.return_value for one in returned]
    assert [value["x"] for value in values] == list(range(6))
    assert [value["folder"] for value in values] == [str(tmp_path / "sweep" / str(job)) for job in range(6)]
    assert {value["cwd"] for value in values} == {str(tmp_path)}
    assert {value["cache"] for value in values} == {str(tmp_path / "cache")}
    # never more threads than processors in total
    assert {value["threads"] for value in values} == {"1"}
    assert len({value["process"] for value in values}) <= 2
    assert os.getpid() not in {value["process"] for value in values}


def test_every_line_of_every_job_is_printed_whole(ray, tmp_path):
    code = (
        "import runpy, sys; from pathlib import Path\n"
        "here = runpy.run_path(sys.argv[1])\n"
        "jobs = [[f'+x={x}'] for x in range(4)]\n"
        "found = here['launch'](here['describe_process'], Path('sweep'), jobs, f'hydra.launcher.ray.init.address={sys.argv[2]}')\n"
        "print('processes', *(one.return_value['process'] for one in found))\n"
    )
    command = [sys.executable, "-c", code, __file__, ray.get_runtime_context().gcs_address]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    (processes,) = [line.split()[1:] for line in lines if line.startswith("processes")]
    # Ray would print only one of several lines that are alike but for their numbers
    assert {f"(job {job} pid={process}) the value is {job}" for job, process in enumerate(processes)} <= set(lines)


class Unsendable(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def fail_or_die(cfg):
    if cfg.what == "fail":
        raise Unsendable("this", "that")
    attempts = Path(cfg.attempts)
    with attempts.open("a") as file:
        file.write("x")
    if cfg.what == "die" or (cfg.what == "die once" and len(attempts.read_text()) == 1):
        os._exit(1)
    return cfg.what


def test_a_failed_and_a_dead_job_do_not_end_the_others(ray, tmp_path, capfd):
    jobs = [[f"+what='{what}'", f"+attempts={tmp_path / str(number)}"] for number, what in enumerate(["fail", "die", "die once", "finish"])]
    with recording() as record:
        returned = launch(fail_or_die, tmp_path / "sweep", jobs, "hydra.launcher.ray.remote.max_retries=1", "hydra.launcher.max_jobs=2")
        assert record.folder.parent == tmp_path / "sweep"  # which all machines of a cluster share
    assert [one.status.name for one in returned] == ["FAILED", "FAILED", "COMPLETED", "COMPLETED"]
    assert str(returned[0]._return_value) == "Unsendable: this and that"
    assert "the process of the job was lost" in str(returned[1]._return_value)
    assert [one.return_value for one in returned[2:]] == ["die once", "finish"]
    assert [len((tmp_path / str(number)).read_text()) for number in (1, 2, 3)] == [2, 2, 1]
    assert "the process of job 1 was lost; it is started again (1 of 1)" in capfd.readouterr().out
    assert list((tmp_path / "sweep").glob(".recframe*")) == []


def test_no_job_starts_once_the_sweep_is_to_stop(ray, tmp_path):
    with recording() as record:
        record.request_stop(15)
        returned = launch(describe_process, tmp_path / "sweep", [["+x=1"], ["+x=2"]])
        assert {note.state for note in record.notes().values()} == {"not started"}
    assert all(isinstance(one._return_value, JobStopped) for one in returned)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("hydra.launcher.max_jobs=0", "hydra.launcher.max_jobs: 0 is not allowed; it must be at least 1"),
        ("hydra.launcher.ray.remote.num_cpus=-1", "hydra.launcher.ray.remote: "),
        ("hydra.launcher.ray.remote.num_cpus=3", "hydra.launcher.ray.remote: no machine has room for a job"),
    ],
)
def test_a_wrong_setting_is_one_line(ray, tmp_path, setting, message):
    with pytest.raises(UserError) as error:
        launch(describe_process, tmp_path / "sweep", [["+x=1"]], setting)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_sweep_runs_on_a_cluster_that_exists(ray, tmp_path, warm_recframe):
    launcher = [
        "hydra/launcher=ray",
        f"hydra.launcher.ray.init.address={ray.get_runtime_context().gcs_address}",
        "hydra.launcher.max_jobs=1",
    ]
    quick = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "agent=random", "evaluation.references=false"]
    done = warm_recframe("train", "-m", *quick, "seed=0,1", "hydra.sweep.dir=sweep", *launcher, check=True)
    results = [json.loads((tmp_path / "sweep" / job / "result.json").read_text()) for job in "01"]
    assert [result["seed"] for result in results] == [0, 1]
    table = [line.partition(") ")[2] for line in done.stdout.splitlines() if line.startswith("(job 1 ")]
    assert any(line.startswith("trained  ") for line in table)


def test_an_address_that_cannot_be_used_is_one_line(ray):
    running = ray.get_runtime_context().gcs_address
    for options, message in (
        ({"address": "127.0.0.1:9"}, r"hydra.launcher.ray.init.address: there is no cluster at 127.0.0.1:9 \(.*refused\)"),
        ({"address": running, "num_cpus": 2}, rf"hydra.launcher.ray.init: the cluster at {running} cannot be used: .*num_cpus"),
    ):
        code = f"from recframe.sweeps.ray.cluster import connect; connect({options})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert re.search(f"UserError: {message}", done.stderr.splitlines()[-1]), done.stderr


def test_without_ray_the_launcher_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr("recframe.sweeps.ray.launcher.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"hydra/launcher=ray: Ray is not installed; pip install 'recframe\[ray\]'"):
        launch(describe_process, tmp_path, [["+x=1"]])
