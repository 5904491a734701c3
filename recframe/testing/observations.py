"""`check_observation`: the conformance check of observations."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import PAD, Data, EnvironmentSpec, Observation, runs_out
from recframe.testing.conformance import require, require_tensor


def check_observation(
    observation: Observation, spec: EnvironmentSpec, name: str, data: Data | None = None, terminated: Tensor | None = None
) -> None:
    """Check an observation's shapes, dtypes, device and ranges against its specification (and the data it refers to, if given).

    All users need at least K items that may be shown, except those whose session `terminated` `[N]` bool, if given, says is over.

    Raises
    ------
    ConformanceError: with the field and how to fix it.
    """
    require(isinstance(observation, Observation), f"{name} must be a recframe.interfaces.Observation, not {type(observation).__name__}")
    n, h, f, m = spec.num_users, spec.history_length, len(spec.signals), spec.num_items
    require(tuple(observation.batch_size) == (n,), f"{name} must have batch_size=[{n}], not {list(observation.batch_size)}")
    require_tensor(observation.user, f"{name}.user", (n,), torch.int64, spec.device)
    items, feedback = observation.history_items, observation.history_feedback
    require_tensor(items, f"{name}.history_items", (n, h), torch.int64, spec.device)
    require_tensor(feedback, f"{name}.history_feedback", (n, h, f), torch.float32, spec.device)
    _check_range(items, m, f"{name}.history_items", "or PAD")
    padding = items == PAD
    require(
        not (padding[:, 1:] & ~padding[:, :-1]).any(),
        f"{name}.history_items has PAD after an item: items are in order of time, with all padding in front",
    )
    require((feedback[padding] == 0).all(), f"{name}.history_feedback must be 0 where history_items is PAD")
    _check_optional(observation.candidates, f"{name}.candidates", spec.num_candidates > 0, "num_candidates")
    _check_optional(observation.excluded, f"{name}.excluded", spec.num_excluded > 0, "num_excluded")
    _check_optional(observation.context, f"{name}.context", spec.has_context, "has_context")
    _check_optional(observation.features, f"{name}.features", spec.num_features > 0, "num_features")
    if observation.candidates is not None:
        _check_candidates(observation.candidates, spec, f"{name}.candidates")
    if observation.excluded is not None:
        require_tensor(observation.excluded, f"{name}.excluded", (n, spec.num_excluded), torch.int64, spec.device)
        _check_range(observation.excluded, m, f"{name}.excluded", "or PAD")
    if spec.actions == "items":
        short = runs_out(observation, spec)
        if terminated is not None:
            short = short & ~terminated
        remedy = "" if terminated is None else ": a session that runs out of items must be terminated, not truncated or continued"
        require(not short.any(), f"{name} leaves a user with fewer than slate_size items to show{remedy}")
    if spec.num_questions:
        _check_questions(observation, spec, name)
    if observation.context is not None:
        require_tensor(observation.context, f"{name}.context", (n,), torch.int64, spec.device)
    if observation.features is not None:
        require_tensor(observation.features, f"{name}.features", (n, spec.num_features), torch.float32, spec.device)
    if data is not None:
        _check_rows(observation, data, name)


def _check_optional(value: Tensor | None, name: str, expected: bool, field: str) -> None:
    state, remedy = ("missing", "set it") if expected else ("set", "leave it None")
    require((value is not None) == expected, f"{name} is {state}, which contradicts spec.{field}: {remedy}, or change the specification")


def _check_candidates(candidates: Tensor, spec: EnvironmentSpec, name: str) -> None:
    require_tensor(candidates, name, (spec.num_users, spec.num_candidates), torch.int64, spec.device)
    _check_range(candidates, spec.num_items, name, "or PAD")
    ordered = candidates.sort(dim=1).values
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != PAD)
    require(not repeated.any(), f"{name} contains an item twice for one user: list each once and fill up with PAD")


def _check_questions(observation: Observation, spec: EnvironmentSpec, name: str) -> None:
    """Check that every question may be asked."""
    excluded, candidates = observation.excluded, observation.candidates
    barred = excluded is not None and bool((excluded >= spec.first_question).any())
    require(not barred, f"{name}.excluded contains a question: what is asked may be asked again")
    if candidates is not None:
        listed = (candidates >= spec.first_question).sum(dim=1)
        require(
            (listed == spec.num_questions).all(),
            f"{name}.candidates lacks a question: list all {spec.num_questions} for every user, after the items drawn",
        )


def _check_range(items: Tensor, limit: int, name: str, also: str) -> None:
    inside = ((items >= PAD) & (items < limit)).all()
    require(inside, f"{name} must contain item numbers from 0 to {limit - 1} {also} (-1)")


def _check_rows(observation: Observation, data: Data, name: str) -> None:
    rows = [(observation.user, len(data.users), "user", "users")] if data.users is not None else []
    if observation.context is not None:
        require(data.contexts is not None, f"{name}.context is set, but the data has no contexts")
        rows.append((observation.context, len(data.contexts.texts) if data.contexts else 0, "context", "contexts"))
    for values, limit, field, where in rows:
        inside = ((values >= 0) & (values < limit)).all()
        require(inside, f"{name}.{field} must contain rows of Data.{where}, from 0 to {limit - 1}")
