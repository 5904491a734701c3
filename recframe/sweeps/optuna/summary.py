"""What a search has found: study.json in the folder of the sweep, and a table in the terminal."""

from __future__ import annotations

import json
import math
import shlex
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.table import Table

from recframe.console import output_console
from recframe.sweeps.optuna.attributes import OVERRIDES, REASON, RETRY_OF, SEED_VALUES, STOPPED_AFTER, seed_values_of, written_seed_values
from recframe.sweeps.optuna.queueing import retried
from recframe.sweeps.optuna.space import SEED, Space
from recframe.sweeps.outcomes import NAMED
from recframe.tracking import atomic_write
from recframe.tracking.resume_command import launch_options, resume_command

STUDY_NAME = "study.json"
SHOWN_TRIALS = 10
STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


STOPPED_TRIAL = "stopped"
"""The state of a trial whose job was stopped at a limit; the study takes it for one that runs."""


class Summary:
    """The summary of a study.

    objectives: names of metrics, empty for the one that runs monitor.   directions: "max" or "min" of each.
    """

    def __init__(self, study: optuna.Study, space: Space, objectives: Sequence[str], directions: Sequence[str], sweep: Path) -> None:
        self.study, self.directions = study, list(directions)
        self.objectives = list(objectives) or ["objective"]
        self.settings = {setting.key: setting for setting in (*space.groups, *space.values) if setting.distribution is not None}
        self.seeds = space.seeds
        self.path = sweep / STUDY_NAME

    def write(self) -> None:
        """Write study.json: the trials so far, and the numbers of the best ones."""
        trials = self.study.get_trials(deepcopy=False)
        entries = {
            "study": self.study.study_name,
            "objectives": [{"name": name, "direction": way} for name, way in zip(self.objectives, self.directions, strict=True)],
            "best": [trial.number for trial in best_trials(trials, self.directions)],
            "trials": [self._entry(trial) for trial in trials],
        }
        atomic_write(self.path, json.dumps(entries, indent=2) + "\n")

    def _entry(self, trial: FrozenTrial) -> dict[str, Any]:
        values = trial.values if trial.state is TrialState.COMPLETE else None
        entry = {"trial": trial.number, "state": _state(trial), "values": values, "settings": self._texts(trial)}
        entry |= {"overrides": trial.user_attrs.get(OVERRIDES)}
        if wanted := {seed: one for seed, one in seed_values_of(trial).items() if seed in self.seeds}:
            entry[SEED_VALUES] = written_seed_values(wanted)
        entry |= {name: trial.user_attrs[name] for name in (STOPPED_AFTER, RETRY_OF) if name in trial.user_attrs}
        # one that has finished may have been stopped before
        reason = trial.user_attrs.get(REASON) if trial.state is not TrialState.COMPLETE else None
        return entry | ({REASON: reason} if reason else {})

    def _texts(self, trial: FrozenTrial) -> dict[str, str]:
        """The searched settings of a trial as on the command line."""
        return {key: self.settings[key].override(value).partition("=")[2] for key, value in trial.params.items() if key in self.settings}

    def text(self, stopped_by: int | None = None) -> str:
        """What became of the trials, and what to do next.

        Parameters
        ----------
        stopped_by: the number of the signal that the search was stopped by.
        """
        trials = self.study.get_trials(deepcopy=False)
        how = "" if stopped_by is None else f" was stopped by {signal.Signals(stopped_by).name}"
        again = retried(trials)
        counts = Counter("tried again" if trial.number in again else _state(trial) for trial in trials)
        told = ", ".join(f"{count} {state}" for state, count in counts.items())
        lines = [f"the search in {self.path.parent}{how}: {len(trials)} trials: {told}. All of them are in {self.path.name}"]
        lacking = self.lacking
        lines += [f"  {_state(trial)}: trial {trial.number}: {trial.user_attrs.get(REASON)}" for trial in lacking[:NAMED]]
        lines += [f"  and {len(lacking) - NAMED} more"] if len(lacking) > NAMED else []
        best = best_trials(trials, self.directions)
        if len(self.directions) > 1 and best:
            lines.append(f"Pareto front, where no other trial is as good in every objective and better in one: {len(best)} trials")
        elif best:
            lines.append(f"The best settings again: {self._command(best[0])}")
        if any(not trial.state.is_finished() for trial in trials):
            lines.append(f"Go on with: {resume_command(self.path.parent)}")
        return "\n".join(lines)

    def _command(self, trial: FrozenTrial) -> str:
        """The command that runs the trial's settings again, with all seeds."""
        seeds = [f"{SEED}={','.join(map(str, self.seeds))}"] if self.seeds else []
        options = [*(["-m"] if seeds else []), *launch_options(self.path.parent)]
        return shlex.join(["recframe", "train", *options, *trial.user_attrs[OVERRIDES], *seeds])

    def show(self) -> None:
        """Print the best trials."""
        trials = self.study.get_trials(deepcopy=False)
        best = best_trials(trials, self.directions)
        if best:
            output_console().print(self._table(best if len(self.directions) > 1 else best_first(trials, self.directions[0])[:SHOWN_TRIALS]))

    @property
    def lacking(self) -> list[FrozenTrial]:
        """The trials that failed and were not tried again, and those that were stopped at a limit."""
        trials = self.study.get_trials(deepcopy=False)
        again = retried(trials)
        states = (STATES[TrialState.FAIL], STOPPED_TRIAL)
        return [trial for trial in trials if _state(trial) in states and trial.number not in again]

    def _table(self, trials: Sequence[FrozenTrial]) -> Table:
        title = "Pareto front" if len(self.directions) > 1 else "Best trials"
        table = Table("trial", *self.objectives, *self.settings, title=title, title_justify="left")
        for trial in trials:
            texts = self._texts(trial)
            settings = [_short(texts.get(key, "")) for key in self.settings]
            table.add_row(str(trial.number), *(f"{value:.5g}" for value in trial.values), *settings)
        return table


def _state(trial: FrozenTrial) -> str:
    return STOPPED_TRIAL if trial.state is TrialState.RUNNING and trial.user_attrs.get(REASON) else STATES[trial.state]


def best_first(trials: Sequence[FrozenTrial], direction: str) -> list[FrozenTrial]:
    """The finished trials, the best first; those that were given up after some of their seeds come last."""
    sign = -1.0 if direction == "max" else 1.0
    finished = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return sorted(finished, key=lambda trial: (STOPPED_AFTER in trial.user_attrs, sign * float(trial.values[0]), trial.number))


def best_trials(trials: Sequence[FrozenTrial], directions: Sequence[str]) -> list[FrozenTrial]:
    """The best finished trial; with several objectives those that no other trial dominates, by their first objective."""
    finished = best_first(trials, directions[0])
    if len(directions) == 1:
        return finished[:1]
    signs = [1.0 if direction == "max" else -1.0 for direction in directions]
    points = {trial.number: [sign * value for sign, value in zip(signs, trial.values, strict=True)] for trial in finished}
    return [one for one in finished if not any(_dominates(points[other.number], points[one.number]) for other in finished)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a >= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)


def _short(text: str) -> str:
    """A number with the digits that tell settings apart; other text as it is."""
    try:
        number = float(text)
    except ValueError:
        return text
    return f"{number:.4g}" if math.isfinite(number) and "." in text else text
