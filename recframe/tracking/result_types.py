"""The types of what a result.json holds, as its readers rely on them. A file that recframe wrote has them; one that was edited may not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

LARGEST = 2**63 - 1
"""Of an integer, in the tables of reports."""


def wrong_value(result: Mapping[str, Any]) -> str | None:
    """The first value of another type than recframe writes, in words with its place in the file; None if there is none."""
    return next(_wrong_values(result), None)


def _wrong_values(result: Mapping[str, Any]) -> Iterator[str]:
    for name, least in (("seed", None), ("env_steps", 0)):
        if not _is_integer(result[name], least):
            yield f"{name} is {_shown(result[name])}, not a whole number{'' if least is None else ' from 0 on'} of at most 64 bits"
    if not _is_number(result["seconds"]):
        yield f"seconds is {_shown(result['seconds'])}, not a number"
    if result["objective"] is not None and not _is_number(result["objective"]):
        yield f"objective is {_shown(result['objective'])}, neither a number nor null"
    objectives = result.get("objectives", {})
    if not isinstance(objectives, dict) or not all(value is None or _is_number(value) for value in objectives.values()):
        yield f"objectives is {_shown(objectives)}, not an object of numbers and nulls"
    if not isinstance(result["versions"], dict):
        yield f"versions is {_shown(result['versions'])}, not an object"
    if not result["policies"]:
        yield "policies is empty"
    yield from _wrong_statistics("policies", result["policies"])
    yield from _wrong_counts("evaluation", result.get("evaluation"))
    for name in ("cold_items", "ranking"):
        if part := result.get(name):
            yield from _wrong_statistics(f"{name}.policies", part["policies"])
    ranking = result.get("ranking") or {}
    yield from _wrong_counts("ranking.evaluation", ranking.get("evaluation"))
    for group, part in ranking.get("groups", {}).items():
        yield from _wrong_statistics(f"ranking.groups.{group}.policies", part["policies"])


def _wrong_statistics(where: str, policies: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    for policy, metrics in policies.items():
        for metric, statistic in metrics.items():
            for part in ("mean", "low", "high"):
                if statistic[part] is not None and not _is_number(statistic[part]):
                    yield f"{where}.{policy}.{metric}.{part} is {_shown(statistic[part])}, neither a number nor null"
            if not _is_integer(statistic["n"], 0):
                yield f"{where}.{policy}.{metric}.n is {_shown(statistic['n'])}, not a number of people"


def _wrong_counts(where: str, about: Any) -> Iterator[str]:
    """Of the entry `evaluation`, which runs of earlier releases lack."""
    if about is None:
        return
    if not isinstance(about, dict):
        yield f"{where} is {_shown(about)}, not an object"
        return
    units = [name for name in ("sessions", "queries") if name in about]
    if not units or "people" not in about:
        yield f"{where} lacks its numbers of people and of sessions"
    for name in ("people", *units, "items"):
        if name in about and not _is_integer(about[name], 0):
            yield f"{where}.{name} is {_shown(about[name])}, not a number of {name}"
    if not isinstance(about.get("split"), str):
        yield f"{where}.split is {_shown(about.get('split'))}, not the name of a split"


def _is_integer(value: Any, least: int | None) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and (-LARGEST if least is None else least) <= value <= LARGEST


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST**2 and math.isfinite(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
