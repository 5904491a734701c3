"""The time and memory of an evaluation on a log, as a multiple of the matrix product and top-k that no ranking can do without.

    OMP_NUM_THREADS=1 python benchmarks/ranking.py
    OMP_NUM_THREADS=1 python benchmarks/ranking.py --items 1000000 --queries 1000

The policy scores an item by the product of a user's and the item's vector, leaves out what the user has seen, and takes the k best. The
bare side computes the same products and the k best of the same batches, and nothing else. Both are timed in turns in one process; the
table has the ratio of each pair. The evaluation includes all metrics, groups and intervals. Memory is the largest growth of the process
during the first evaluation.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recframe.evaluation.ranking import evaluate_ranking, ranking_means
from recframe.evaluation.ranking.lists import LARGEST_BATCH, SCORES_AT_ONCE
from recframe.interfaces import PAD, Catalog, Interactions, Observation
from recframe.interfaces.logs import Log
from recframe.logs import HeldOut

HISTORY = 20
KS = (1, 5, 10, 20)


class FactorPolicy:
    """Ranks by the product of user and item vectors."""

    reads_whole_history = False

    def __init__(self, users: Tensor, items: Tensor) -> None:
        self.users, self.items = users, items

    def rank(self, observation: Observation, k: int) -> Tensor:
        """The best items that the observation does not exclude."""
        scores = self.users[observation.user] @ self.items.T
        # PAD, -1, is replaced by an item that is excluded in any case
        excluded = torch.where(observation.excluded == PAD, observation.excluded[:, -1:], observation.excluded)
        return scores.scatter_(1, excluded, -torch.inf).topk(k, dim=1).indices


def bare(users: Tensor, items: Tensor, k: int) -> None:
    """Products and the k best, in the batches of an evaluation."""
    for chunk in users.split(max(1, min(LARGEST_BATCH, SCORES_AT_ONCE // len(items)))):
        (chunk @ items.T).topk(k, dim=1)


def make_log(queries: int, num_items: int, generator: np.random.Generator) -> tuple[HeldOut, Interactions]:
    """A query of each user: `HISTORY` different items of a Zipfian catalogue, and one that is held out."""
    ranks = generator.random((queries, HISTORY + 1)) ** 3 * (num_items - HISTORY - 1)
    items = torch.from_numpy(np.sort(ranks, axis=1).astype(np.int64) + np.arange(HISTORY + 1))
    users = torch.arange(queries)
    history = items[:, :HISTORY].flatten()
    log = Log(
        users=users.repeat_interleave(HISTORY),
        items=history,
        timestamps=torch.arange(len(history)),
        signals=("click",),
        feedback=torch.ones(len(history), 1),
        offsets=torch.arange(queries + 1) * HISTORY,
        num_items=num_items,
        num_users=queries,
    )
    columns = {"user": log.users.numpy(), "item": history.numpy(), "timestamp": log.timestamps.numpy()}
    ends = (users + 1) * HISTORY
    held_out = HeldOut(log, ends - HISTORY, ends, users, items[:, HISTORY].contiguous(), torch.arange(queries + 1))
    return held_out, Interactions(pl.DataFrame(columns), ())


def seconds(work: Callable[[], object]) -> float:
    """The CPU time of one call: other processes of the machine do not count."""
    started = time.process_time()
    work()
    return time.process_time() - started


def peak() -> float:
    """The largest memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def row(num_items: int, queries: int, dim: int, pairs: int) -> str:
    """One row of the table."""
    generator = torch.Generator().manual_seed(0)
    users, vectors = torch.randn(queries, dim, generator=generator), torch.randn(num_items, dim, generator=generator)
    held_out, training = make_log(queries, num_items, np.random.default_rng(0))
    names = [str(item) for item in range(num_items)]
    popularity = torch.bincount(held_out.log.items, minlength=num_items).float()
    catalog = Catalog(names, names, pl.DataFrame({"title": names}), popularity, vectors)
    policy = FactorPolicy(users, vectors)
    before = peak()
    evaluate = lambda: evaluate_ranking({"factors": policy}, held_out, catalog, history_length=HISTORY, ks=KS, training=training)  # noqa: E731
    evaluate()
    grown = peak() - before
    works = (
        evaluate,
        lambda: ranking_means(policy, held_out, catalog, history_length=HISTORY, ks=KS),
        lambda: bare(users, vectors, max(KS)),
    )
    timed = [[seconds(work) for work in works] for _ in range(pairs)]
    whole, means = ([each[side] / each[2] for each in timed] for side in (0, 1))
    cells = [
        f"{num_items:,}",
        f"{queries:,}",
        f"{statistics.median(each[2] for each in timed):.2f}",
        f"{statistics.median(means):.2f} [{min(means):.2f}, {max(means):.2f}]",
        f"{statistics.median(whole):.2f} [{min(whole):.2f}, {max(whole):.2f}]",
        f"{grown:.0f}",
        f"{4 * queries * num_items / 2**20:,.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2_414)
    parser.add_argument("--queries", type=int, default=4_333)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=5)
    args = parser.parse_args()
    print("| items | queries | product and top-k, s | means, ratio | with intervals and groups, ratio | memory, MiB | all scores, MiB |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    print(row(args.items, args.queries, args.dim, args.pairs))


if __name__ == "__main__":
    main()
