"""Time and peak memory of a log from its file to batches, against the number of interactions (on Linux).

    OMP_NUM_THREADS=1 python benchmarks/logs.py --rows 100000 1000000 10000000
    OMP_NUM_THREADS=1 python benchmarks/logs.py --rows 10000 --formats parquet --batches 10     # seconds, to see that it works

A log is drawn and written to a file, and then processed in the steps that a run takes, each table row in a process of its own:

- load: the file, by `dataset=table`;
- split: `split_log`, as `--by` says (default: the last of each sequence);
- log: the training part as tensors, with the rewards of all interactions;
- replay: 1,000 batches of 256 transitions with histories of 50 (`LoggedReplay`), prioritized and of 3 steps;
- queries: the test part, up to 1,000 batches of 256, with all seen items excluded.

Seconds are wall time and, in brackets, the processor's; MiB are the peak of the process's resident memory in each step, with what earlier
steps left, the libraries included. Users' numbers of interactions are log-normal with a mean of 50, and the items' popularity falls with
their rank. Ids of users are numbers, those of items texts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import torch

from recframe.experience import LoggedReplay, RewardSum, with_rewards
from recframe.logs import LogSettings, SplitSettings, build_log, split_log, training_data
from recframe_plugins.datasets.table.config import TableConfig
from recframe_plugins.datasets.table.table import Table
from recframe_plugins.rewards.click import Click
from recframe_plugins.rewards.config import ClickConfig

HISTORY, BATCH = 50, 256
PER_USER = 50
BLOCK = 1_000_000


def write_log(path: Path, rows: int, seed: int = 0) -> None:
    """Write a drawn log in order of time: `user_id`, `item_id`, `rating`, `timestamp`."""
    draws = np.random.default_rng(seed)
    users, items = max(rows // PER_USER, 10), max(min(rows // 100, 100_000), 10)
    activity = draws.lognormal(0.0, 1.0, users)
    ends = np.cumsum(activity / activity.sum())
    begin, span = 1_500_000_000, 100_000_000
    blocks = []
    for first in range(0, rows, BLOCK):
        size = min(BLOCK, rows - first)
        # the density of ranks r is 1 / r
        ranks = np.minimum(np.exp(draws.random(size) * np.log(items)).astype(np.int64), items - 1)
        times = begin + np.sort(draws.integers(first * span // rows, (first + size) * span // rows, size))
        frame = pl.DataFrame(
            {
                "user_id": np.minimum(np.searchsorted(ends, draws.random(size)), users - 1) + 1,
                "item_id": pl.Series(ranks).cast(pl.String).str.zfill(6).str.replace("^", "item-"),
                "rating": draws.integers(1, 11, size) / 2,
                "timestamp": times,
            }
        )
        blocks.append(frame)
    if path.suffix == ".parquet":
        pl.concat(blocks).write_parquet(path)
        return
    with path.open("wb") as file:
        for number, frame in enumerate(blocks):
            frame.write_csv(file, include_header=number == 0)


class Meter:
    """Measures steps: seconds, and the peak of resident memory."""

    def __init__(self) -> None:
        self.steps: dict[str, tuple[float, float, float]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what happens inside."""
        # from here on the peak is counted anew
        Path("/proc/self/clear_refs").write_text("5")
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.steps[name] = (time.perf_counter() - wall, time.process_time() - processor, peak_mib())


def peak_mib() -> float:
    """The peak of the process's resident memory in MiB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def measure(path: Path, by: str, batches: int = 1_000) -> dict[str, object]:
    """Process the log in the file, step by step."""
    meter, settings = Meter(), LogSettings()
    with meter.step("start"):
        pass
    with meter.step("load"):
        data = Table(TableConfig(interactions=str(path))).load()
    assert data.interactions is not None
    assert data.users is not None
    rows, users, items = len(data.interactions), len(data.users), len(data.catalog)
    with meter.step("split"):
        split = split_log(data.interactions, users, items, settings, SplitSettings(by=by))
        data = training_data(data, split, settings)
        summary = split.summary()
    rewards = RewardSum({"click": (Click(ClickConfig()), 1.0)}, data.catalog, frozenset({"click"}))
    with meter.step("log"):
        log = with_rewards(build_log(split.train, users, items, settings), rewards, HISTORY)
    with meter.step("replay"):
        replay = LoggedReplay(log, HISTORY, None, 0, n_step=3, gamma=0.9, priority_exponent=0.6)
        for _ in range(batches):
            replay.set_priorities(replay.sample(BATCH).reward)
    with meter.step("queries"):
        asked = 0
        for number, batch in enumerate(split.test.batches(BATCH, HISTORY)):
            asked += len(batch.observation)
            if number + 1 == batches:
                break
    return {"rows": rows, "users": users, "items": items, "queries": summary["test"]["queries"], "asked": asked, "steps": meter.steps}


def cell(step: tuple[float, float, float]) -> str:
    """A step's figures in the table."""
    wall, processor, peak = step
    return f"{wall:.1f} ({processor:.1f}) s, {peak:,.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--formats", nargs="+", default=["csv", "parquet"], choices=["csv", "parquet"])
    parser.add_argument("--by", default="last", choices=["last", "time", "users"])
    parser.add_argument("--batches", type=int, default=1_000, help="batches of replay, and at most of queries")
    parser.add_argument("--measure", type=Path, help="process this file only, and print JSON")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.by, chosen.batches)))
        return
    names = ["load", "split", "log", "replay", "queries"]
    print(f"| interactions | file | users | items | queries | libraries | {' | '.join(names)} |", flush=True)
    print(f"|---:|---|---:|---:|---:|---:|{'---:|' * len(names)}")
    with tempfile.TemporaryDirectory() as folder:
        for rows in chosen.rows:
            for kind in chosen.formats:
                path = Path(folder) / f"log.{kind}"
                write_log(path, rows)
                command = [sys.executable, __file__, "--measure", str(path), "--by", chosen.by, "--batches", str(chosen.batches)]
                done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
                steps = " | ".join(cell(done["steps"][name]) for name in names)
                counts = f"{done['rows']:,} | {kind}, {path.stat().st_size >> 20:,} MiB | {done['users']:,} | {done['items']:,}"
                print(f"| {counts} | {done['queries']:,} | {done['steps']['start'][2]:,.0f} | {steps} |", flush=True)
                path.unlink()


if __name__ == "__main__":
    main()
