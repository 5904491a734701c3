"""`hydra/launcher=submitit_local` and `submitit_slurm`: what is handed to the queue, and jobs that are queued again, stopped or lost."""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode

from recframe.errors import JobStopped, UserError
from recframe.sweeps.jobs import in_sweep
from recframe.sweeps.launchers import register_launchers
from recframe.sweeps.record import recording

pytestmark = pytest.mark.skipif(find_spec("submitit") is None, reason="submitit is not installed: pip install 'recframe[slurm]'")


@pytest.fixture(autouse=True)
def _functions_sent_by_value():
    """The functions of this module cannot be imported in other processes."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def launch(launcher: str, task, folder: Path, jobs: list[list[str]], *settings: str):
    """Launch jobs as Hydra's sweepers do."""
    register_launchers()
    loader = ConfigLoaderImpl(config_search_path=create_config_search_path(None))
    overrides = [f"hydra/launcher={launcher}", f"hydra.sweep.dir={folder}", "hydra.job.chdir=false", *settings]
    config = loader.load_configuration(config_name=None, overrides=overrides, run_mode=RunMode.MULTIRUN)
    context = HydraContext(config_loader=loader, callbacks=Callbacks())
    plugin = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)
    return plugin.launch(jobs, 0)


def do_what_is_asked(cfg):
    """A job that, at first, receives the signal `number`, as a run does: it stops at it. Another time it finishes."""
    from hydra.core.hydra_config import HydraConfig

    from recframe.errors import Stop

    job, folder = HydraConfig.get().job.num, HydraConfig.get().runtime.output_dir

    def run() -> str:
        from recframe.signals import stop_signals_handled

        def stop(number, frame):
            (Path(folder) / "saved").write_text(signal.Signals(number).name)
            raise Stop("saved", 128 + number)

        if cfg.what == "die":
            os._exit(3)
        if (Path(folder) / "saved").exists():
            return f"continued after {(Path(folder) / 'saved').read_text()}"
        with stop_signals_handled(stop):
            if cfg.what == "wait":
                os.kill(os.getpid(), signal.SIGUSR2)
                signal.pause()
        return f"finished in session {os.getsid(0)}"

    return in_sweep(job, folder, run)


def test_a_job_that_is_warned_saves_and_goes_on_in_its_folder_and_a_dead_one_does_not_end_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with recording():
        what = ["finish", "wait", "die"]
        returned = launch("submitit_local", do_what_is_asked, Path("sweep"), [[f"+what={one}"] for one in what])
    assert [one.status.name for one in returned] == ["COMPLETED", "COMPLETED", "FAILED"]
    told, session = str(returned[0]._return_value).rsplit(" ", 1)
    assert (told, returned[1]._return_value) == ("finished in session", "continued after SIGUSR1")
    # which a Ctrl-C in this one's terminal does not reach
    assert int(session) != os.getsid(0)
    assert "the process of the job was lost" in str(returned[2]._return_value)


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder with programs named as SLURM's: a queue in which no job starts. What they are given is written there."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    programs = {
        "sbatch": f'cat "$1" > {folder}/script.sh; echo Submitted batch job 4711',
        "srun": "exit 1",
        "scancel": f'echo "$@" >> {folder}/cancelled',
        "sacct": "printf 'JobID|State|NodeList\\n4711_0|PENDING|\\n4711_1|PENDING|\\n'",
    }
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_slurm_is_given_one_array_and_jobs_that_wait_are_cancelled_with_the_sweep(slurm, tmp_path):
    settings = ["timeout_min=90", "partition=gpu", "gpus_per_node=1", "array_parallelism=1", "account=lab"]
    jobs = [["+what=finish"], ["+what=wait"]]
    handed = slurm / "script.sh"
    with recording() as record, pytest.MonkeyPatch.context() as patches:
        # as if a signal arrived while the jobs wait
        patches.setattr(type(record), "stop_signal", property(lambda _: signal.SIGTERM if handed.exists() else None))
        returned = launch("submitit_slurm", do_what_is_asked, tmp_path / "sweep", jobs, *(f"hydra.launcher.{one}" for one in settings))
    script = handed.read_text()
    options = ["array=0-1%1", "time=90", "partition=gpu", "gpus-per-node=1", "account=lab", "signal=USR2@120", "open-mode=append"]
    assert all(f"#SBATCH --{option}\n" in script for option in options)
    assert (slurm / "cancelled").read_text().split() == ["4711_0", "4711_1"]
    assert all(isinstance(one._return_value, JobStopped) for one in returned)


def test_without_slurm_or_with_an_unknown_setting_there_is_one_line(tmp_path, monkeypatch, slurm):
    with pytest.raises(UserError, match=r"hydra/launcher=submitit_slurm: .*not_an_option"):
        launch("submitit_slurm", do_what_is_asked, tmp_path / "sweep", [["+what=finish"]], "+hydra.launcher.not_an_option=1")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"hydra/launcher=submitit_slurm: .*srun"):
        launch("submitit_slurm", do_what_is_asked, tmp_path / "sweep", [["+what=finish"]])


@pytest.mark.parametrize("setting", ["hydra.job.name", "hydra.launcher.partition", "hydra.launcher.additional_parameters.mail"])
def test_a_line_break_in_a_setting_is_no_command_of_a_queue(tmp_path, slurm, setting):
    with pytest.raises(UserError, match="has a line break, which a queue's script would take for a command"):
        launch("submitit_slurm", do_what_is_asked, tmp_path / "sweep", [["+what=finish"]], f'++{setting}="a\nevil #"')
    assert not (slurm / "script.sh").exists()
