"""What the page on some runs is made from, computed once: their policies with intervals, curves, and the order of everything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from recframe.metric_names import metric_at, shown_k
from recframe.reports.directions import Directions, directions_of
from recframe.reports.frame import frame_of, last_of_each_seed, metrics_of_frame, num_items, settings_of_frame, shown_in_reports
from recframe.reports.page.curves import Curve, read_curve
from recframe.reports.page.names import TRAINED, chosen_groups, own_settings, policy_name, setting_name, short_keys
from recframe.reports.page.policies import ComparedPolicy, policies_of
from recframe.reports.runs import FoundRun, Sweep, SweepRun
from recframe.reports.seeds import PeopleOfRuns

DRAWN = 12
"""Trained policies that charts draw, the best ones: more cannot be told apart by colour, dash and shape."""
REFERENCES_DRAWN = 8


@dataclass(frozen=True)
class Material:
    """All that the sections of a page read.

    keys_of_frame: the settings in which finished runs differ.   frame: the rows of those that count (see `runs`).   keys: the settings in
    which any runs differ, with their short names.   groups: those of them that are config groups.
    metrics: those that reports show.   directions: of these and of the curves'.   primary: the one that orders policies; None if nothing
    has been measured.   policies: from the best to the worst.   drawn: the names of those that charts draw.
    curves: those of drawn trained policies, and of runs that go on.   names: what the policy of each run is called, by its folder.
    """

    sweep: Sweep
    keys_of_frame: tuple[str, ...]
    people: PeopleOfRuns
    frame: pl.DataFrame
    keys: dict[str, str]
    groups: set[str]
    metrics: list[str]
    directions: Directions
    primary: str | None
    policies: list[ComparedPolicy]
    drawn: list[str]
    curves: dict[str, list[Curve]]
    names: dict[str, str]

    @property
    def runs(self) -> list[SweepRun]:
        """The finished runs that count: of those with the same settings and seed, the last."""
        counted = set(self.frame["folder"])
        return [run for run in self.sweep.runs if str(run.folder) in counted]

    @property
    def trained(self) -> list[ComparedPolicy]:
        """The trained policies, from the best to the worst."""
        return [policy for policy in self.policies if policy.is_trained]

    @property
    def counter(self) -> str:
        """What the steps of the curves are."""
        return next((curve.counter for curves in self.curves.values() for curve in curves), "env_steps").replace("_", " ")


def material_of(sweep: Sweep) -> Material:
    """Read and compute what the page on some runs shows."""
    every = frame_of(sweep)
    keys = settings_of_frame(every)
    frame = last_of_each_seed(every, keys)
    found: list[FoundRun] = [*sweep.runs, *sweep.unfinished]
    all_keys = list(dict.fromkeys([*keys, *(key for run in sweep.unfinished for key in run.settings)]))
    short, groups = short_keys(all_keys), chosen_groups(found, all_keys)
    metrics = shown_in_reports(metrics_of_frame(frame), sweep.runs)
    primary = _primary(metrics, sweep.runs)
    people = PeopleOfRuns(sweep.runs)
    policies = policies_of(frame, keys, metrics, short, groups, people)
    directions = directions_of(metrics_of_frame(frame), sweep.runs)
    if primary is not None:
        sign = directions.sign(primary)
        policies.sort(key=lambda policy: math.inf if math.isnan(policy.center(primary)) else -sign * policy.center(primary))
    names = {str(run.folder): policy_name(TRAINED, setting_name(own_settings(run, all_keys), short, groups)) for run in found}
    best = [policy.name for policy in policies if policy.is_trained][:DRAWN]
    going_on = [names[str(run.folder)] for run in sweep.unfinished]
    best += [name for name in dict.fromkeys(going_on) if name not in {policy.name for policy in policies}][: DRAWN - len(best)]
    # a reference that differs between the settings is drawn where it is best
    of_reference: dict[str, str] = {}
    for policy in policies:
        if not policy.is_trained:
            of_reference.setdefault(policy.policy, policy.name)
    references = list(of_reference.values())[:REFERENCES_DRAWN]
    counted = set(frame["folder"])
    curves: dict[str, list[Curve]] = {}
    for run in found:
        name = names[str(run.folder)]
        left_out = isinstance(run, SweepRun) and str(run.folder) not in counted
        if name in best and not left_out and (curve := read_curve(run.folder)) is not None:
            curves.setdefault(name, []).append(curve)
    ordered = {name: curves[name] for name in best if name in curves}
    drawn = best + references
    evaluated = [metric for own in ordered.values() for curve in own for metric in curve.evaluated]
    directions = directions_of([*metrics_of_frame(frame), *evaluated], sweep.runs)
    return Material(sweep, tuple(keys), people, frame, short, groups, metrics, directions, primary, policies, drawn, ordered, names)


def _primary(metrics: Sequence[str], runs: Sequence[SweepRun]) -> str | None:
    """NDCG of rankings, or else the return, or else the first metric, as in the comparison of the terminal."""
    k = shown_k([name for name in metrics if "/" not in name], num_items([run.result for run in runs]))
    wanted = "return" if k is None else metric_at("ndcg", k)
    return wanted if wanted in metrics else next(iter(metrics), None)
