"""Off-policy estimates on the small Open Bandit dataset, beside what the evaluated policy got when it was really used.

    OMP_NUM_THREADS=1 python benchmarks/open_bandit.py obp/dataset/obd

The folder (Saito et al., 2021; research use) is inside the package `obp` 0.4.1: random/ and bts/, each with all/, men/ and women/, 10,000
rows each. Prints the tables of docs/results/off_policy.md: the value of `bts` from the log of `random`, and the reverse.

`bts` is Bernoulli Thompson sampling whose probabilities moved while it was logged: one row's propensity does not tell those of other
items. It is evaluated as how often it showed each item at each position on average, read from its own log without the clicks.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from recframe.evaluation.off_policy.contributions import intervals, mean_of
from recframe.evaluation.off_policy.decisions import LoggedDecisions, logged_decisions
from recframe.evaluation.off_policy.evaluation import Bounds, evaluate_off_policy
from recframe.evaluation.off_policy.policies import fixed_policy
from recframe.evaluation.off_policy.text_clusters import clusters_of
from recframe.interfaces import Interactions

CAMPAIGNS = ("all", "men", "women")
RARE = 0.01
CLUSTERS = 10


@dataclass(frozen=True)
class Campaign:
    """Both policies' logs of one campaign. clusters: `[M]`, of items with like features."""

    logs: dict[str, pl.DataFrame]
    num_items: int
    clusters: np.ndarray

    @classmethod
    def read(cls, folder: Path, name: str) -> Campaign:
        """Read `random/NAME/NAME.csv`, `bts/NAME/NAME.csv` and the items' features."""
        logs = {policy: pl.read_csv(folder / policy / name / f"{name}.csv") for policy in ("random", "bts")}
        items = pl.read_csv(folder / "random" / name / "item_context.csv").sort("item_id")
        features = items.select(pl.col("item_feature_0"), *(pl.col(f"item_feature_{i}") for i in (1, 2, 3)))
        vectors = features.to_dummies([f"item_feature_{i}" for i in (1, 2, 3)]).to_numpy().astype(np.float64)
        return cls(logs, items.height, clusters_of(vectors, CLUSTERS))

    def decisions(self, policy: str) -> LoggedDecisions:
        """A log as decisions. Nobody can be told from anybody else: every row counts as a person."""
        frame = self.logs[policy]
        contexts = pl.concat(
            [frame.select(pl.col("position").cast(pl.String)), frame.select(pl.col("^user_feature_.*$"))], how="horizontal"
        )
        dummies = contexts.to_dummies()
        shares = dummies.to_numpy().mean(axis=0)
        common = [name for name, share in zip(dummies.columns, shares, strict=True) if share >= RARE]
        columns = frame.select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("user"),
            pl.col("item_id").alias("item"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias("timestamp"),
            pl.col("click").cast(pl.Float64),
            pl.col("propensity_score").alias("propensity"),
            pl.col("position"),
        ).hstack(dummies.select(common))
        uniform = fixed_policy(np.full(self.num_items, 1 / self.num_items)) if policy == "random" else None
        interactions = Interactions(columns, ("click",), source=policy)
        return logged_decisions(interactions, self.num_items, "click", features=tuple(common), logging=uniform)

    def shares(self, policy: str) -> np.ndarray:
        """How often a policy showed each item at each of the three positions, `[3, M]`."""
        if policy == "random":
            return np.full((3, self.num_items), 1 / self.num_items)
        frame = self.logs[policy]
        counts = np.zeros((3, self.num_items))
        np.add.at(counts, (frame["position"].to_numpy() - 1, frame["item_id"].to_numpy()), 1)
        shares: np.ndarray = counts / counts.sum(axis=1, keepdims=True)
        return shares


def table(campaign: Campaign, name: str, logged: str, evaluated: str) -> None:
    """Print the estimates of `evaluated` from the log of `logged`, in clicks per 1,000 items shown."""
    decisions, shares = campaign.decisions(logged), campaign.shares(evaluated)
    probabilities = shares[campaign.logs[logged]["position"].to_numpy() - 1]
    # the largest weight is known beforehand only where the log's policy is
    bounds = Bounds(0.0, 1.0, float(shares.max() * campaign.num_items)) if logged == "random" else None
    result = evaluate_off_policy(
        decisions, {evaluated: fixed_policy(probabilities)}, clusters=campaign.clusters, reward_model="logistic", bounds=bounds
    )
    own = intervals(mean_of(campaign.decisions(evaluated).rewards))[0]._asdict()
    print(f"\n`{evaluated}` from the log of `{logged}`, campaign {name}: really {shown(own)}; chosen: {result.chosen[evaluated]}\n")
    print("| estimator | clicks per 1,000 | real mean inside |\n|---|---:|---|")
    for metric, one in result.policies[evaluated].items():
        inside = "yes" if one["low"] <= own["mean"] <= one["high"] else "no"
        print(f"| {metric} | {shown(one)} | {inside} |")
    numbers = result.diagnostics[evaluated]
    print(
        f"\nEffective rows {numbers['effective_rows']:.0f} of {numbers['rows']:,}, mean weight {numbers['mean_weight']:.3f}, "
        f"largest weight {numbers['largest_weight']:.0f} ({numbers['largest_share']:.1%} of all)."
    )
    for caveat in result.caveats:
        print(f"- {caveat}", flush=True)


def shown(one: dict[str, float | int]) -> str:
    """A mean with its interval, per 1,000."""
    return f"{1_000 * one['mean']:.2f} [{1_000 * one['low']:.2f}, {1_000 * one['high']:.2f}]"


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--campaigns", nargs="+", default=CAMPAIGNS, choices=CAMPAIGNS)
    options = parser.parse_args()
    for name in options.campaigns:
        campaign = Campaign.read(options.folder, name)
        table(campaign, name, "random", "bts")
        table(campaign, name, "bts", "random")


if __name__ == "__main__":
    main()
