"""A page that is written again and again while runs go on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from recframe.reports.page.write import page_path, runs_page
from recframe.reports.runs import Folders, NoRuns, Sweep, find_runs
from recframe.reports.states import State
from recframe.tracking.atomic import atomic_write

QUIET_SECONDS = 60.0
"""How long nothing must have been running before watching ends: the next run of a script takes a moment to start."""
SHARE = 0.1
"""The largest share of the time that is spent on writing pages."""


def watch_runs(
    folders: Folders,
    path: Path | None,
    every: float,
    tell: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Path:
    """Write the page every so many seconds until no run and no sweep has been running for `QUIET_SECONDS`, or until Ctrl-C.

    The last page is one that does not load itself again. With many runs, pages are written less often, so that the runs keep the machine.

    Raises
    ------
    SweepError: there is no such folder.     WriteError: the page cannot be written.
    """
    last_running = clock()
    told = ""
    try:
        while True:
            started = clock()
            try:
                sweep = find_runs(folders)
            except NoRuns as nothing:
                now = f"no run yet: {nothing}"
            else:
                path = page_path(sweep, path)
                # between two jobs of a sweep none may run for long, as while a cluster has no place
                if sweep.goes_on or any(run.state is State.RUNNING for run in sweep.unfinished):
                    last_running = started
                pause = max(every, (clock() - started) / SHARE)
                atomic_write(path, runs_page(sweep, reload=max(2, round(pause))))
                now = states_in_words(sweep)
                if started - last_running >= QUIET_SECONDS or not (sweep.unfinished or sweep.goes_on):
                    break
            if now != told:
                tell(now)
                told = now
            sleep(max(every, (clock() - started) / SHARE))
    except KeyboardInterrupt:
        tell("watching has ended")
    sweep = find_runs(folders)
    path = page_path(sweep, path)
    atomic_write(path, runs_page(sweep))
    return path


def states_in_words(sweep: Sweep) -> str:
    """The number of runs in each state: "3 finished, 1 running"."""
    states = Counter({State.FINISHED: len(sweep.runs)}) + Counter(run.state for run in sweep.unfinished)
    return ", ".join(f"{count} {state}" for state, count in states.items())
