"""When garbage is collected: not while a config is composed, but in a job, and afterwards as before."""

import subprocess
import sys
import textwrap

SCRIPT = """
    import gc
    from recframe.cli.hydra_app import run_app, run_job
    from recframe.config import TRAIN

    seen = []

    def job(cfg):
        seen.append(gc.isenabled())
        return run_job(lambda folder, overrides, sweep: seen.append(gc.isenabled()) or 0.0)

    run_app(TRAIN, {overrides!r}, job, lambda groups: None)
    print(*seen, gc.isenabled())
"""


def collected(tmp_path, *overrides):
    """Whether it was on when a job began and in it, and afterwards. In a process of its own, as Hydra sets up the logs of its process."""
    script = textwrap.dedent(SCRIPT).format(overrides=[*overrides, "hydra.run.dir=run", "hydra.sweep.dir=sweep"])
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_a_job_collects_garbage_and_its_composition_does_not(tmp_path):
    assert collected(tmp_path) == ["False", "True", "True"]


def test_the_process_of_a_sweep_collects_it_throughout(tmp_path):
    assert set(collected(tmp_path, "-m", "seed=0,1")) == {"True"}
