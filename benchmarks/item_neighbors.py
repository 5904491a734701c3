"""Time and memory of `item_knn` on a large log: fitting the similarities, and ranking users over the whole catalogue.

    python benchmarks/item_neighbors.py --items 1000000 --interactions 10000000 --neighbors 100

The log is generated: the popularity of item i is proportional to 1 / (i + 50)^0.9, and the lengths of sequences are log-normal with a
median of 10, at most 2,000. The peak is that of the whole process, with the log.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np
import torch

from recframe.interfaces import EnvironmentSpec, Log
from recframe.logs import observations
from recframe.references.logged import ItemKNN, ScorerRanker


def generated_log(items: int, interactions: int, seed: int = 0) -> Log:
    """A log of about that many interactions."""
    draw = np.random.default_rng(seed)
    # the mean of the clipped log-normal is about 16
    lengths = np.clip(draw.lognormal(np.log(10), 1.0, size=interactions // 16), 2, 2_000).astype(np.int64)
    size = int(lengths.sum())
    share = np.cumsum(1 / (np.arange(items) + 50.0) ** 0.9)
    taken = np.searchsorted(share / share[-1], draw.random(size))
    return Log(
        users=torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths)),
        items=torch.from_numpy(taken.astype(np.int64)),
        timestamps=torch.arange(size),
        signals=("click",),
        feedback=torch.ones(size, 1),
        offsets=torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)])),
        num_items=items,
        num_users=len(lengths),
    )


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--neighbors", type=int, default=100)
    parser.add_argument("--users", type=int, default=256)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    log = generated_log(arguments.items, arguments.interactions)
    found = {"items": arguments.items, "interactions": len(log), "sequences": log.num_sequences, "neighbors": arguments.neighbors}
    found["log_peak_gib"] = peak()
    scorer = ItemKNN(EnvironmentSpec(1, 1, 1, arguments.items, log.signals), neighbors=arguments.neighbors)
    began = time.process_time(), time.perf_counter()
    scorer.fit(log)
    found |= {"fit_cpu_s": time.process_time() - began[0], "fit_s": time.perf_counter() - began[1], "similarities": len(scorer.values)}
    found["fit_peak_gib"] = peak()
    ends = log.offsets[1 : arguments.users + 1]
    history = observations(log, log.offsets[: arguments.users], ends, int(log.offsets.diff()[: arguments.users].max()))
    began = time.process_time(), time.perf_counter()
    ScorerRanker(scorer).rank(history, 20)
    found |= {"rank_cpu_s": time.process_time() - began[0], "rank_s": time.perf_counter() - began[1], "peak_gib": peak()}
    print(json.dumps(found, indent=1))


def peak() -> float:
    """The largest memory of the process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
