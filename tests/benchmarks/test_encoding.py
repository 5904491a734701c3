"""The encoding benchmark ends when one of its processes dies."""

import importlib
import multiprocessing
import os
import time

import pytest


@pytest.mark.timeout(60)
def test_a_process_that_dies_ends_the_others_and_the_benchmark(project_root, monkeypatch):
    monkeypatch.syspath_prepend(str(project_root / "benchmarks"))
    encoding = importlib.import_module("encoding")
    context = multiprocessing.get_context("spawn")
    waiting = context.Process(target=time.sleep, args=(600,), daemon=True)
    dying = context.Process(target=os._exit, args=(3,), daemon=True)
    for process in (waiting, dying):
        process.start()
    with pytest.raises(SystemExit, match=r"1 of 2 processes died \(exit code 3\)"):
        encoding.gathered(context.Queue(), [waiting, dying])
    assert not waiting.is_alive()
