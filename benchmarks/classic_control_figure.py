"""Learning curves of classic control: one panel for each agent, one scale for each environment.

pip install recframe[plots]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from classic_control_runs import AGENTS, OURS, THEIRS, Run, mean_curve
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from recframe.tracking.atomic import atomic_path

ROWS = {"CartPole-v1": ("dqn", "ppo", "actor_critic", "reinforce"), "Pendulum-v1": ("ddpg", "td3")}
SCALES = {"CartPole-v1": (0, 515), "Pendulum-v1": (-1700, 40)}
THOUSAND_STEPS = {"CartPole-v1": 100, "Pendulum-v1": 20}
TARGETS = {"CartPole-v1": 475, "Pendulum-v1": -200}
COLOURS = {OURS: "#1b5e9e", THEIRS: "#d9730d"}
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.titlesize": 10,
    "svg.fonttype": "path",  # looks the same on every machine
    "svg.hashsalt": "classic control",  # the same runs give the same file
}


def draw(groups: Mapping[tuple[str, str], Sequence[Run]], path: Path) -> None:
    """An SVG: recframe's seeds as thin lines and their mean, stable-baselines3's mean and range. `groups`: (agent, library) -> its runs."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 4.8), layout="constrained", facecolor="white")
        grid = figure.add_gridspec(2, 4)
        for row, (environment, agents) in enumerate(ROWS.items()):
            for column, agent in enumerate(agents):
                axes = figure.add_subplot(grid[row, column])
                _panel(axes, agent, groups)
                _frame(axes, environment, first=column == 0)
        _legend(figure.add_subplot(grid[1, 2:]))
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def _panel(axes: Axes, agent: str, groups: Mapping[tuple[str, str], Sequence[Run]]) -> None:
    axes.set_title(f"{agent} (A2C)" if AGENTS[agent] == "a2c" else agent, loc="left", fontweight="bold")
    theirs, ours = groups.get((agent, THEIRS), ()), groups.get((agent, OURS), ())
    if theirs:
        steps, mean, low, high = zip(*mean_curve([run.curve for run in theirs]), strict=True)
        axes.fill_between(_thousands(steps), low, high, color=COLOURS[THEIRS], alpha=0.2, linewidth=0)
        axes.plot(_thousands(steps), mean, color=COLOURS[THEIRS], linewidth=2)
    for run in ours:
        steps, values = zip(*run.curve, strict=True)
        axes.plot(_thousands(steps), values, color=COLOURS[OURS], linewidth=0.7, alpha=0.6)
    if len(ours) > 1:
        steps, mean, _, _ = zip(*mean_curve([run.curve for run in ours]), strict=True)
        axes.plot(_thousands(steps), mean, color=COLOURS[OURS], linewidth=2)


def _thousands(steps: Sequence[int]) -> list[float]:
    return [step / 1_000 for step in steps]


def _frame(axes: Axes, environment: str, first: bool) -> None:
    axes.axhline(TARGETS[environment], color="#555555", linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.set_ylim(SCALES[environment])
    axes.set_xlim(0, THOUSAND_STEPS[environment] * 1.03)
    axes.set_xlabel("thousand steps")
    if first:
        axes.set_ylabel(f"{environment}\nmean return")
    else:
        axes.tick_params(labelleft=False)


def _legend(axes: Axes) -> None:
    axes.axis("off")
    theirs = (Patch(color=COLOURS[THEIRS], alpha=0.2, linewidth=0), Line2D([], [], color=COLOURS[THEIRS], linewidth=2))
    entries = {
        "recframe: one seed": Line2D([], [], color=COLOURS[OURS], linewidth=0.7, alpha=0.6),
        "recframe: mean over seeds": Line2D([], [], color=COLOURS[OURS], linewidth=2),
        "stable-baselines3, its defaults: mean and range": theirs,
        "target: 475 (CartPole-v1), -200 (Pendulum-v1)": Line2D([], [], color="#555555", linewidth=0.8, linestyle=(0, (4, 3))),
    }
    axes.legend(entries.values(), entries.keys(), loc="center left", frameon=False)
