"""What keeps a search from going on with the trials of another: a setting, or what trials are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recframe.sweeps.optuna.space import SEED, is_seed

INSTEAD = "or search in another folder with hydra.sweep.dir="


def differences(study: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line for each difference between two descriptions of searches, apart from values and seeds.

    Parameters
    ----------
    study: its name.   before, now: as `Space.described`, with the names of the objectives and their directions.
    """
    lines = []
    if (judged := _judged(before)) != _judged(now):
        lines.append(
            f"hydra.sweeper.objectives: the study {study!r} is judged by {judged}, and not by {_judged(now)}; repeat it, {INSTEAD}"
        )
    if before["seeds"] and not now["seeds"]:
        seeds = ",".join(map(str, before["seeds"]))
        lines.append(f"{SEED}: the trials of the study {study!r} were run with the seeds {seeds}; say with which now, as in {SEED}=0")
    settings, others = _settings(before, now), _settings(now, before)
    for key in {**settings, **others}:
        then, what = settings.get(key, "not given"), others.get(key, "not given")
        if then != what:
            lines.append(f"{key}: {then} in the trials of the study {study!r}, and now {what}; repeat what it was, {INSTEAD}")
    return lines


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The keys of the settings whose values are others, without "+", and `seed` if the seeds are.

    Parameters
    ----------
    before, now: as in `differences`, which finds none.
    """
    searched = [key.lstrip("+") for key, values in now["searched"].items() if before["searched"].get(key) != values]
    return searched + ([SEED] if before["seeds"] != now["seeds"] else [])


def _judged(described: Mapping[str, Any]) -> str:
    names = ", ".join(described["objectives"]) or "what its runs monitor"
    return f"{names} ({', '.join(described['directions'])})"


def _settings(described: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, str]:
    """What each setting is, by its key. A fixed seed is none where trials have several."""
    fixed = {text.partition("=")[0]: text.partition("=")[2] or text for text in described["fixed"]}
    if described["seeds"] or other["seeds"]:
        fixed = {key: text for key, text in fixed.items() if not is_seed(key)}
    return fixed | dict.fromkeys(described["searched"], "searched")
