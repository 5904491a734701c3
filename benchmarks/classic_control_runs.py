"""Reading the classic-control runs of both libraries, and their table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import polars as pl
from scipy import stats

from recframe.errors import UserError
from recframe.reports import find_runs
from recframe.tracking.metrics_csv import METRICS_NAME

OURS, THEIRS = "recframe", "stable-baselines3"
AGENTS = {"dqn": "dqn", "ppo": "ppo", "actor_critic": "a2c", "reinforce": None, "ddpg": "ddpg", "td3": "td3"}
"""recframe's agents in the order of the report, and their names in stable-baselines3, which has no REINFORCE."""

MISSING = "-"

Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class Run:
    """One run of an agent: its mean return over `episodes` episodes, and its learning curve of (env steps, mean return)."""

    agent: str
    library: str
    environment: str
    seed: int
    mean_return: float
    episodes: int
    curve: Curve


def agent_of(config: Mapping[str, str]) -> str:
    """The name of a run's agent; PPO and TD3 are settings of the actor-critic and of DDPG. `config` is `{dotted key: value}`."""
    name = config["agent.name"]
    if name == "actor_critic" and config["agent.clip_range"] != "null":
        return "ppo"
    if name == "ddpg" and config["agent.critics"] == "2":
        return "td3"
    return name


def recframe_runs(folder: Path) -> list[Run]:
    """The finished runs in `folder`, at any depth."""
    runs = []
    for run in find_runs(folder).runs:
        rows = pl.read_csv(folder / run.name / METRICS_NAME, infer_schema_length=None).select("env_steps", "eval/return").drop_nulls()
        trained = run.result["policies"]["trained"]["return"]
        place = (agent_of(run.config), OURS, run.config["environment.id"], run.result["seed"])
        runs.append(Run(*place, trained["mean"], trained["n"], rows.rows()))
    return runs


def reference_runs(folder: Path) -> list[Run]:
    """The runs that `reference` wrote to `folder`."""
    agents = {theirs: ours for ours, theirs in AGENTS.items()}
    runs = []
    for path in sorted(folder.glob("*-[0-9]*.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        place = (agents[run["algorithm"]], THEIRS, run["environment"], run["seed"])
        runs.append(Run(*place, fmean(run["best"]), len(run["best"]), [(steps, value) for steps, value in run["curve"]]))
    return runs


def by_agent(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """The runs of each (agent, library) in the order of `AGENTS`, by seed.

    Raises
    ------
    UserError: if two runs have the same agent, library and seed.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for agent in AGENTS:
        for library in (OURS, THEIRS):
            group = sorted((run for run in runs if (run.agent, run.library) == (agent, library)), key=lambda run: run.seed)
            seeds = [run.seed for run in group]
            if len(set(seeds)) < len(seeds):
                raise UserError(f"{library}'s {agent}: seeds {seeds} contain one twice; keep one run of each seed in the folder")
            if group:
                groups[agent, library] = group
    return groups


def mean_curve(curves: Sequence[Curve]) -> list[tuple[int, float, float, float]]:
    """(env steps, mean, minimum, maximum) of the returns over the curves, at steps where all curves have a value."""
    values = [dict(curve) for curve in curves]
    common = sorted(set.intersection(*(set(curve) for curve in values)))
    columns = [[curve[steps] for curve in values] for steps in common]
    return [(steps, fmean(column), min(column), max(column)) for steps, column in zip(common, columns, strict=True)]


def interval_text(values: Sequence[float]) -> str:
    """The mean of n >= 2 seeds' values and Student's 95 % interval of it."""
    mean, reach = fmean(values), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{mean:.1f} [{mean - reach:.1f}, {mean + reach:.1f}]"


def table(runs: Sequence[Run], speeds: Mapping[tuple[str, str], float]) -> str:
    """Markdown, one row for each agent and library. `speeds`: env steps per CPU second."""
    seeds = sorted({run.seed for run in runs})
    header = ["agent", "library", *(f"seed {seed}" for seed in seeds), "mean [95 %]", "last evaluation", "steps/s"]
    lines = [header, ["---"] * 2 + ["---:"] * (len(header) - 2)]
    for (agent, library), group in by_agent(runs).items():
        returns = {run.seed: run.mean_return for run in group}
        ends = [run.curve[-1][1] for run in group]
        mean = interval_text(list(returns.values())) if len(group) > 1 else MISSING
        speed = f"{speeds[agent, library]:,.0f}" if (agent, library) in speeds else MISSING
        cells = [f"{returns[seed]:.1f}" if seed in returns else MISSING for seed in seeds]
        lines.append([f"`{agent}`", library, *cells, mean, f"{fmean(ends):.1f} ({min(ends):.1f} to {max(ends):.1f})", speed])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def read_speeds(folder: Path) -> dict[tuple[str, str], float]:
    """Medians of the speeds that `speed` wrote to `folder`, in env steps per CPU second."""
    speeds = {}
    for path in folder.glob("speed_*.json"):
        measured = json.loads(path.read_text(encoding="utf-8"))
        speeds |= {(measured["agent"], library): median(values) for library, values in measured["env_steps_per_cpu_second"].items()}
    return speeds
