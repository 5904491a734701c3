"""The time to find the best items of a catalogue, as a multiple of the matrix product of the same points with all item vectors.

    OMP_NUM_THREADS=1 python benchmarks/item_index.py
    OMP_NUM_THREADS=1 python benchmarks/item_index.py --items 100000 --users 1 16 --index approximate
    OMP_NUM_THREADS=1 python benchmarks/item_index.py --agents slate_q actor_critic ddpg --items 1000000

Without `--agents`, an index is searched. With `--agents`, each agent chooses k items of the whole catalogue for one user, without
exploration: from the observation to the slate, including the state, scores and repetitions, with items projected beforehand.

Search and product are timed in turns in one process, and the ratio is computed for each pair, so that changes in the machine's speed
hardly matter. The product of many points is computed in blocks, as in the exact search, since the whole would not fit in memory. Vectors
have length 1 and are clustered, as those of texts are; for approximate search the recall is also printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from large_catalogue_cells import world
from torch import Tensor

from recframe.experience import Collector
from recframe.item_agents.index import MAX_PRODUCTS, ExactIndex, build_index, recall
from recframe_plugins.agents.ddpg.wolpertinger import unit


def item_vectors(count: int, dim: int, generator: torch.Generator) -> Tensor:
    """Vectors `[count, dim]` of length 1 around a thousand centres."""
    centres = torch.randn(1_000, dim, generator=generator)
    vectors = centres[torch.randint(len(centres), (count,), generator=generator)]
    return unit(vectors.add_(torch.randn(count, dim, generator=generator), alpha=0.7))


def product(points: Tensor, vectors: Tensor) -> None:
    """All products."""
    block = max(MAX_PRODUCTS // len(points), 1)
    for first in range(0, len(vectors), block):
        points @ vectors[first : first + block].T


def seconds(work: Callable[[], object], times: int) -> float:
    """The mean time of `times` calls."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times


def ratios(search: Callable[[], object], bare: Callable[[], object], pairs: int) -> tuple[list[float], float]:
    """The ratio of search to product for each pair, ascending, and the median time of the products in seconds.

    Both are warmed up first, and repeated in each pair so that the products take at least 0.02 seconds.
    """
    seconds(search, 1)
    times = max(1, round(0.02 / seconds(bare, 2)))
    timed = [(seconds(search, times), seconds(bare, times)) for _ in range(pairs)]
    return sorted(ours / theirs for ours, theirs in timed), statistics.median(theirs for _, theirs in timed)


def measure(kind: str, count: int, users: int, *, dim: int, k: int, probes: int, pairs: int) -> str:
    """One line of the table."""
    generator = torch.Generator().manual_seed(0)
    vectors = item_vectors(count, dim, generator)
    # points are near items, as an agent's proposals are
    chosen = vectors[torch.randint(count, (users,), generator=generator)]
    points = unit(chosen + 0.5 * dim**-0.5 * torch.randn(users, dim, generator=generator))
    started = time.perf_counter()
    index = build_index(kind, vectors, probes)
    built = time.perf_counter() - started
    each, bare = ratios(lambda: index.search(points, k), lambda: product(points, vectors), pairs)
    found = float(recall(index.search(points, k), ExactIndex(vectors).search(points, k)))
    return (
        f"{kind:12} {count:9,} items {users:4} users: {statistics.median(each):6.3f} [{each[0]:.3f}, {each[-1]:.3f}] of the product's "
        f"{1_000 * bare:8.2f} ms; recall@{k} {found:.3f}, built in {built:.2f} s"
    )


def measure_agent(name: str, count: int, *, k: int, pairs: int) -> str:
    """One line of the table: an agent with default options, in the simulator of `large_catalogues.py`."""
    parts = world(name, count, 1, "cpu", [f"environment.slate_size={k}"])
    environment = parts.environment(1, "train")
    agent, observation = parts.agent(environment), Collector(environment, parts.rewards, 0).observation
    vectors = torch.randn(count, parts.cfg.state_tracker.item_dim)
    agent.prepare_to_act()
    each, bare = ratios(lambda: agent.act(observation, explore=False), lambda: product(vectors[:1], vectors), pairs)
    return (
        f"{name:12} {count:9,} items    1 user:  {statistics.median(each):6.3f} [{each[0]:.3f}, {each[-1]:.3f}] of the product's "
        f"{1_000 * bare:8.2f} ms; a slate of {k}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--users", type=int, nargs="+", default=[1, 256])
    parser.add_argument("--agents", nargs="+", default=[], help="measure the choices of agents for one user, instead of indices")
    parser.add_argument("--index", nargs="+", default=["exact", "approximate"])
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--probes", type=int, default=16)
    parser.add_argument("--pairs", type=int, default=11)
    chosen = parser.parse_args()
    for name in chosen.agents:
        for count in chosen.items:
            print(measure_agent(name, count, k=chosen.k, pairs=chosen.pairs), flush=True)
    for kind in chosen.index if not chosen.agents else ():
        for count in chosen.items:
            for users in chosen.users:
                print(measure(kind, count, users, dim=chosen.dim, k=chosen.k, probes=chosen.probes, pairs=chosen.pairs), flush=True)


if __name__ == "__main__":
    main()
