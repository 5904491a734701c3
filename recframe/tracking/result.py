"""result.json: the results of a finished run, in a format that scripts can rely on."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from recframe.errors import UserError
from recframe.hookspecs import ENTRY_POINT_GROUP
from recframe.tracking.atomic import atomic_write
from recframe.tracking.result_types import wrong_value

RESULT_SCHEMA = 2
READABLE_SCHEMAS = (1, 2)
"""Schema 1 is that of releases without evaluations on logs: it has no entry `ranking`, and all else is the same."""
RESULT_NAME = "result.json"
STATISTIC = ("mean", "low", "high", "n")
PROMISED = ("schema", "status", "objective", "seed", "env_steps", "seconds", "versions", "policies")

DISTRIBUTIONS = (
    "recframe",
    "torch",
    "tensordict",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "numpy",
    "polars",
    "transformers",
    "sentence-transformers",
    "wandb",
)


class ResultError(UserError):
    """A result.json that is missing or cannot be read; the message names the folder or file."""


def write_result(
    folder: str | Path,
    *,
    objective: float | None,
    seed: int,
    env_steps: int,
    seconds: float,
    policies: Mapping[str, Mapping[str, Any]],
    **extra: Any,
) -> dict[str, Any]:
    """Write `folder/result.json` atomically and return its content. The file means that the run is finished: call this last.

    Parameters
    ----------
    objective: the value that a sweeper optimizes.
    env_steps: env steps of training, over all users.     seconds: wall-clock time of the run.
    policies: `{policy: {metric: {"mean", "low", "high", "n"}}}`; a statistic may be a mapping, a named tuple or a dataclass. `n` is the
        number of people behind the mean (in results of earlier releases, which lack the entry `evaluation`, that of their sessions).
    extra: more top-level entries, such as `name` and `environment`. NaN and infinities become null everywhere, since JSON lacks them.
        `caveats`, a list of sentences, exists if the environment has any (`Environment.caveats`), or if something could not be evaluated.
        `threads` is the number of threads of the process. Other entries:

        - `objectives`: the metrics by name that were measured together with `objective`, on people of the training split (of a log: on its
          validation part). A search of settings may optimize several of them.
        - `evaluation`: what `policies` is about: its `split` (the value of evaluation.people, or `logged`), and its numbers of `people` and
          `sessions` (`queries` of a log, and the number of `items` that are ranked).
        - `selection`: how the final weights were chosen: after how many `env_steps` (`batches` of a log), by which `metric`, its `value`
          (null if the last ones were taken), the number of `evaluations` that it is the mean of, and the number of `candidates` of which it
          was the best.
        - `cold_items`, if items were withheld in training: their `share` of the catalogue, the number of these `items`, and `policies` as
          above, measured where only they are shown.
        - `batches`: the number of batches of a log that were learned from.
        - `ranking`, if the run learned from a log: `evaluation` and `policies` as above, measured on its held-out part, the same for each
          of its `groups` of queries, and what was held out of the `log`. Without a simulator, `policies` above is that of `ranking`.
        - `off_policy`, if the log has propensities: `policies` with the `value` of a decision by each estimator, `chosen`, the estimator
          behind `value`, `diagnostics` of the weights, and `caveats` in words. Its `evaluation` has the smallest and the largest of the
          logged `rewards` (of `sessions`: of the `returns`).

    Raises
    ------
    ValueError: if a statistic is not (mean, low, high, n), or an extra entry has the name of a promised one.
    """
    taken = sorted(set(extra) & set(PROMISED))
    if taken:
        raise ValueError(f"result.json: {taken[0]!r} is the name of a standard entry; choose another name for the extra one")
    result = {
        "schema": RESULT_SCHEMA,
        "status": "finished",
        "objective": objective,
        "seed": seed,
        "env_steps": env_steps,
        "seconds": seconds,
        "versions": versions(),
        "policies": policies,
        **extra,
    }
    plain = to_json_values(result)
    _check_tables(plain)
    atomic_write(Path(folder) / RESULT_NAME, json.dumps(plain, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
    return dict(plain)


def _check_tables(result: Mapping[str, Any]) -> None:
    _check_statistics("policies", result["policies"])
    for name in ("cold_items", "ranking", "off_policy"):
        if name in result:
            _check_statistics(f"{name}.policies", result[name]["policies"])
    for group, part in result.get("ranking", {}).get("groups", {}).items():
        _check_statistics(f"ranking.groups.{group}.policies", part["policies"])


def _check_statistics(where: str, policies: Mapping[str, Mapping[str, Any]]) -> None:
    for policy, metrics in policies.items():
        for metric, statistic in metrics.items():
            if not isinstance(statistic, dict) or set(statistic) != set(STATISTIC):
                raise ValueError(f"result.json: {where}.{policy}.{metric} must hold {', '.join(STATISTIC)}, not {statistic!r}")


def read_result(folder: str | Path) -> dict[str, Any]:
    """The content of a finished run's `result.json`.

    Raises
    ------
    ResultError: if the file is missing (the run is not finished), is not JSON, or has another schema.
    """
    path = Path(folder) / RESULT_NAME
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        what = f"no {RESULT_NAME}: the run has not finished" if Path(folder).is_dir() else "there is no such folder"
        raise ResultError(f"{folder}: {what}") from None
    except OSError as error:
        raise ResultError(f"{path}: cannot be read ({error.strerror}); ask its owner to make it readable") from None
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path}: not JSON ({error}); {_write_again(path)}") from None
    if not isinstance(result, dict) or "schema" not in result:
        raise ResultError(f"{path}: has no 'schema', so recframe did not write it; {_write_again(path)}")
    if result["schema"] not in READABLE_SCHEMAS:
        known = " and ".join(map(str, READABLE_SCHEMAS))
        raise ResultError(f"{path}: has schema {result['schema']!r}, this recframe reads {known}; use the version that wrote it")
    if result.get("status") != "finished":
        raise ResultError(f"{path}: has status {result.get('status')!r}, not 'finished'; {_write_again(path)}")
    missing = [key for key in PROMISED if key not in result]
    if missing:
        raise ResultError(f"{path}: lacks {missing[0]!r}, so recframe did not write it; {_write_again(path)}")
    try:
        _check_tables(result)
        wrong = wrong_value(result)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ResultError(f"{path}: its tables are damaged ({error}); {_write_again(path)}") from None
    if wrong is not None:
        raise ResultError(f"{path}: {wrong}; {_write_again(path)}")
    return result


def _write_again(path: Path) -> str:
    return f"to write it again, remove it and run: recframe train resume={path.parent}"


def versions() -> dict[str, str]:
    """The versions behind a result: Python, recframe, its main dependencies, and every distribution with plugins. Read once a process."""
    return dict(_versions())


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # an optional dependency, such as wandb
    for entry_point in metadata.entry_points(group=ENTRY_POINT_GROUP):
        if entry_point.dist is not None:
            found.setdefault(entry_point.dist.name, entry_point.dist.version)
    return tuple(found.items())


def to_json_values(value: Any) -> Any:
    """`value` in JSON types: records as objects, NumPy and torch scalars as numbers, and non-finite numbers as None.

    Raises
    ------
    TypeError: for other types.
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if (record := _record(value)) is not None:
        return {str(key): to_json_values(entry) for key, entry in record.items()}
    if isinstance(value, Sequence):
        return [to_json_values(entry) for entry in value]
    if callable(getattr(value, "item", None)):
        return to_json_values(value.item())
    raise TypeError(f"result.json: a {type(value).__name__} cannot be written as JSON: {value!r}")


def _record(value: Any) -> Mapping[Any, Any] | None:
    """The named entries of a mapping, a named tuple or a dataclass; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None
