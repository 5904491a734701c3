"""Several processes share a cache: each text is encoded once, and a process that dies does not harm the others."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import numpy as np
import pytest

from recframe.embeddings import EmbeddingStore


@pytest.fixture
def start(folder, tmp_path, monkeypatch):
    """Start an encoding process; returns it and its pipe. Processes that still run at the end are killed."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # the fork server imports torch once for all processes
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["recframe.embeddings"])
    import encoding_process

    running, barriers = [], []

    def start_one(texts: int, block_after: int = 0, together=None):
        here, there = context.Pipe()
        # kept, because a process finds a barrier by name only while a reference to it exists here
        barriers.append(together or context.Barrier(1))
        arguments = (folder, tmp_path / "log", texts, block_after, there, barriers[-1])
        process = context.Process(target=encoding_process.encode_texts, args=arguments)
        process.start()
        there.close()
        running.append(process)
        return process, here

    start_one.barrier = context.Barrier
    yield start_one
    for process in running:
        process.kill()
        process.join()
    for name in ("encoding_process", "conftest"):
        sys.modules.pop(name, None)


def test_processes_that_start_together_encode_each_text_once_in_total(start, tmp_path):
    together = start.barrier(4)
    pipes = [start(texts=count, together=together)[1] for count in (40, 40, 60, 50)]
    assert [pipe.recv() for pipe in pipes] == ["right"] * 4
    encoded = (tmp_path / "log").read_text().splitlines()
    assert sorted(encoded) == sorted(f"text {number}" for number in range(60))


def test_a_killed_process_leaves_its_finished_shards_and_no_lock(start, folder, counting_encoder):
    process, pipe = start(texts=14, block_after=10)
    assert pipe.recv() == "blocked"
    process.kill()
    process.join()

    encoder = counting_encoder()
    texts = [f"text {number}" for number in range(14)]
    vectors = EmbeddingStore(folder, encoder).vectors(texts, "item")

    assert np.array_equal(vectors.numpy(), encoder.expected(texts))
    # shards of four: of the ten that were encoded, eight had been written
    assert len(encoder.texts) == 6


def test_a_process_that_waits_for_a_killed_one_takes_over(start):
    first, pipe = start(texts=14, block_after=10)
    assert pipe.recv() == "blocked"
    _, waiting = start(texts=14)
    first.kill()
    assert waiting.recv() == "right"
