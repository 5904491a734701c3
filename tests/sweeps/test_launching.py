"""What a launch of jobs waits for."""

import time
from contextlib import ExitStack

from filelock import FileLock

from recframe.sweeps import launching
from recframe.sweeps.launching import JobLauncher
from recframe.sweeps.limits import Limits
from recframe.sweeps.sweep_file import SweepJob


def test_folders_that_stay_locked_are_waited_for_together(tmp_path, monkeypatch):
    monkeypatch.setattr(launching, "UNLOCK_SECONDS", 0.5)
    jobs = [SweepJob(number, str(number), ()) for number in range(8)]
    with ExitStack() as held:
        for job in jobs:
            (tmp_path / job.folder).mkdir()
            held.enter_context(FileLock(tmp_path / job.folder / launching.LOCK_NAME))
        started = time.monotonic()
        JobLauncher(None, tmp_path, None, Limits())._wait_for_folders(jobs)
        assert 0.4 < time.monotonic() - started < 2
