"""When garbage is collected: not while a config is composed, but in a job, and afterwards as before."""

import gc
import sys

from recframe.cli.hydra_app import run_app, run_job
from recframe.config import TRAIN


def test_a_job_collects_garbage_and_its_composition_does_not(tmp_path, monkeypatch):
    seen = []

    def job(cfg):
        seen.append(gc.isenabled())
        return run_job(lambda folder, overrides, sweep: seen.append(gc.isenabled()) or 0.0)

    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.chdir(tmp_path)
    run_app(TRAIN, [f"hydra.run.dir={tmp_path}/run"], job, lambda groups: None)
    assert seen == [False, True]
    assert gc.isenabled()
