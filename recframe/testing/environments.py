"""`check_environment`: the conformance check of environments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import PAD, Data, Environment, EnvironmentSpec, Observation, Response, Step, Truth, asks, shown_places
from recframe.testing.conformance import (
    ConformanceError,
    difference,
    own_randomness,
    require,
    require_tensor,
    saved_and_loaded,
    state_difference,
)
from recframe.testing.loop import random_action
from recframe.testing.observations import check_observation

LONGEST_SESSION = 1_000
"""Steps within which some session must end: by default, an evaluation cuts sessions there."""


def check_environment(
    environment: Environment, data: Data | None = None, steps: int = 30, rebuild: Callable[[], Environment] | None = None
) -> None:
    """Check an environment by simulating it with random slates.

    Parameters
    ----------
    data: the data it was built on; with it, the rows that observations refer to are checked too.
    steps: how long to simulate. Sessions should end within them, or only that they end at all is checked.
    rebuild: builds the same environment again, as a resumed run does before it loads the saved state; by default it is loaded into
        `environment`.

    Raises
    ------
    ConformanceError: with what is wrong and how to fix it.
    """
    require(
        isinstance(environment, Environment),
        f"an environment must subclass recframe.interfaces.Environment; {type(environment).__name__} does not",
    )
    _check_spec(getattr(environment, "spec", None))
    with own_randomness("the environment"):
        _check_session(environment, data, steps)
        _check_end(environment)
        _check_seed(environment)
        _check_evaluation(environment, data)
        _check_equal_draws(environment)
        if rebuild is not None:
            _check_rebuilt(rebuild(), rebuild())
        _check_saving(environment, rebuild)
        _check_truth(environment)
    report = environment.report()
    require(
        isinstance(report, dict) and all(isinstance(k, str) and isinstance(v, float) for k, v in report.items()),
        "report() must return a dict of strings to floats",
    )
    caveats = environment.caveats()
    require(isinstance(caveats, tuple) and all(isinstance(line, str) for line in caveats), "caveats() must return a tuple of sentences")


def _check_spec(spec: Any) -> None:
    require(spec is not None, "the environment has no spec: set self.spec, an EnvironmentSpec, in its constructor")
    require(isinstance(spec, EnvironmentSpec), f"environment.spec must be an EnvironmentSpec, not {type(spec).__name__}")
    for name in ("num_users", "slate_size", "history_length", "num_items"):
        require(getattr(spec, name) >= 1, f"spec.{name} must be at least 1, not {getattr(spec, name)}")
    require(isinstance(spec.signals, tuple) and len(spec.signals) > 0, "spec.signals must be a tuple of at least one name")
    require(len(set(spec.signals)) == len(spec.signals), f"spec.signals repeats a name: {spec.signals}")
    if spec.actions == "continuous":
        require(spec.slate_size == 1, f"spec.slate_size must be 1 where actions are continuous, not {spec.slate_size}")
        low, high = spec.action_low, spec.action_high
        bounded = 0 < len(low) == len(high) and all(math.isfinite(a) and math.isfinite(b) and a < b for a, b in zip(low, high, strict=True))
        require(bounded, f"spec.action_low and action_high must be equally many finite numbers, low below high, not {low} and {high}")
    require(
        0 <= spec.num_questions < spec.num_items,
        f"spec.num_questions is {spec.num_questions} of {spec.num_items} items: at least one must be an item to recommend",
    )
    limit = (spec.num_candidates or spec.num_items) - spec.num_questions
    require(spec.slate_size <= limit, f"spec.slate_size is {spec.slate_size}, but only {limit} items can be shown")


def simulate(environment: Environment, observation: Observation, steps: int, seed: int = 0) -> Iterator[tuple[Observation, Tensor, Step]]:
    """Show random slates (or actions) for `steps`; yields the observation, the slate shown and the outcome."""
    spec = environment.spec
    generator = torch.Generator(spec.device).manual_seed(seed)
    for _ in range(steps):
        slate = random_action(observation, spec, generator)
        step = environment.step(slate)
        yield observation, slate, step
        observation = step.observation


def _check_session(environment: Environment, data: Data | None, steps: int) -> None:
    spec = environment.spec
    observation = environment.reset(0)
    check_observation(observation, spec, "the observation of reset()", data)
    before = observation.clone()
    everybody = {int(user) for user in observation.user}
    for shown_to, slate, step in simulate(environment, observation, steps):
        require(isinstance(step, Step), f"step() must return a recframe.interfaces.Step, not {type(step).__name__}")
        field = difference(shown_to, before)
        require(field is None, f"step() changed {field} of the previous observation in place: make new tensors, since replay keeps the old")
        _check_response(step.response, spec)
        for name in ("terminated", "truncated"):
            require_tensor(getattr(step, name), name, (spec.num_users,), torch.bool, spec.device)
        check_observation(step.next_observation, spec, "next_observation", data, step.terminated)
        check_observation(step.observation, spec, "observation", data)
        _check_transition(spec, slate, step)
        before = step.observation.clone()
        everybody |= {int(user) for user in step.observation.user}
    known = 0 if data is None or data.users is None else len(data.users)
    require(
        not (spec.has_users and known > 1 and everybody == {0}),
        f"all sessions are of user 0, though the data has {known} users: fill Observation.user with their rows of Data.users, or set "
        "has_users=False in the spec if the environment's people are none of them",
    )


def _check_end(environment: Environment) -> None:
    for _, _, step in simulate(environment, environment.reset(0), LONGEST_SESSION):
        if (step.terminated | step.truncated).any():
            return
    raise ConformanceError(
        f"no session ended within {LONGEST_SESSION} steps: users must leave (terminated), or a time limit must end sessions (truncated)"
    )


def _check_response(response: Response, spec: EnvironmentSpec) -> None:
    require(isinstance(response, Response), f"step().response must be a recframe.interfaces.Response, not {type(response).__name__}")
    names = set(response.signals.keys())
    require(names == set(spec.signals), f"the response has the signals {sorted(names)}, but spec.signals says {sorted(spec.signals)}")
    for name in spec.signals:
        shape = (spec.num_users, spec.slate_size)
        signal = response.signals[name]
        require_tensor(signal, f"response.signals[{name!r}]", shape, torch.float32, spec.device)
        require(
            not ((signal == 0) & signal.signbit()).any(),
            f"response.signals[{name!r}] has a negative zero, which texts and hashes tell from 0: use masked_fill or torch.where in "
            "place of a product with 0",
        )
    require_tensor(response.leave, "response.leave", (spec.num_users,), torch.bool, spec.device)


def _check_transition(spec: EnvironmentSpec, slate: Tensor, step: Step) -> None:
    """Check that `next_observation` is the result of the action, for finished users too, and `observation` the start of the next one."""
    finished = step.terminated | step.truncated
    require(
        not (step.response.leave & ~finished).any(),
        "a user left (response.leave) whose session continues: a user who leaves must be terminated or truncated",
    )
    following = step.next_observation
    continuing = (~finished).nonzero().squeeze(1)
    field = difference(following[continuing], step.observation[continuing])
    require(field is None, f"observation and next_observation differ in {field} for users whose session continues: they must be equal")
    if spec.actions == "continuous":
        return
    feedback = torch.stack([step.response.signals[name] for name in spec.signals], dim=-1)
    slate, feedback = _shown(spec, slate, feedback)
    shown = min(spec.slate_size, spec.history_length)
    # at PAD nothing was shown, and the history goes on with what was before
    there = slate[:, -shown:] != PAD
    correct = ((following.history_items[:, -shown:] == slate[:, -shown:]) | ~there).all(dim=1)
    require(
        correct[~finished].all(),
        "next_observation.history_items does not end with the slate just shown: append it before making the observation",
    )
    require(
        correct[finished].all(),
        "next_observation of a finished user is not their last one, from which truncated sessions bootstrap: "
        "make it before the user is replaced",
    )
    require(
        torch.equal(following.history_feedback[:, -shown:][there], feedback[:, -shown:][there]),
        "next_observation.history_feedback does not end with the response, its signals in the order of spec.signals",
    )
    changed = step.observation.history_items != following.history_items
    require(
        changed.any(dim=1)[finished].all(),
        "observation still shows a finished user's session: step() must replace finished users by new ones in the same call",
    )


def _shown(spec: EnvironmentSpec, slate: Tensor, feedback: Tensor) -> tuple[Tensor, Tensor]:
    """What was shown or asked of the slates `[N, K]`, and the feedback `[N, K, F]` on it, both with `PAD` and 0 in front."""
    if not spec.num_questions:
        return slate, feedback
    shown = shown_places(slate, spec.first_question)
    asked = asks(slate, spec.first_question)
    kept = shown | asked[:, None] & (torch.arange(spec.slate_size, device=spec.device) == 0)
    require(
        (feedback[~kept] == 0).all(),
        "a signal is not 0 where a slate shows nothing: what a question hides, and a question that is not asked (shown_places)",
    )
    slate = slate.masked_fill(~kept, PAD)
    order = (slate != PAD).long().argsort(dim=1, stable=True)
    return slate.gather(1, order), feedback.gather(1, order[:, :, None].expand_as(feedback))


def _outcome(environment: Environment, observation: Observation, steps: int, seed: int = 0) -> list[tuple[str, Any]]:
    """Everything that a simulation shows, to compare it with another."""
    shown: list[tuple[str, Any]] = [("the first observation", observation)]
    for _, _, step in simulate(environment, observation, steps, seed):
        shown += [("the response", step.response), ("next_observation", step.next_observation), ("observation", step.observation)]
        shown += [("terminated", {"value": step.terminated}), ("truncated", {"value": step.truncated})]
    return shown


def _first_difference(left: list[tuple[str, Any]], right: list[tuple[str, Any]]) -> str | None:
    for (name, a), (_, b) in zip(left, right, strict=True):
        if (state_difference(a, b) if isinstance(a, dict) else difference(a, b)) is not None:
            return name
    return None


def _check_seed(environment: Environment, steps: int = 10) -> None:
    first = _outcome(environment, environment.reset(7), steps)
    again = _outcome(environment, environment.reset(7), steps)
    what = _first_difference(first, again)
    require(
        what is None, f"reset() with the same seed and the same slates gave another session ({what} differs): seed the generator in reset()"
    )


def _check_rebuilt(one: Environment, other: Environment, steps: int = 10) -> None:
    what = _first_difference(_outcome(one, one.reset(7), steps), _outcome(other, other.reset(7), steps))
    require(
        what is None,
        f"an environment that was built again gave another session for the same seed ({what} differs): what its constructor draws must "
        "depend only on its config, by a generator with an own option for its seed",
    )


def _check_evaluation(environment: Environment, data: Data | None) -> None:
    spec = environment.spec
    observation, people = environment.start_evaluation(7)
    check_observation(observation, spec, "the observation of start_evaluation()", data)
    require_tensor(people, "the people of start_evaluation()", (spec.num_users,), torch.int64, spec.device)
    again, same_people = environment.start_evaluation(7)
    require(
        difference(observation, again) is None and torch.equal(people, same_people),
        "start_evaluation() with the same seed met other people: seed the generator in it, as in reset()",
    )


def _check_equal_draws(environment: Environment, steps: int = 10) -> None:
    """Check that generators are in the same state after different slates."""
    states = []
    for seed in (1, 2):
        for _ in simulate(environment, environment.reset(7), steps, seed):
            pass
        states.append(_generator_states(environment.state_dict(), environment.spec.device))
    require(
        len(states[0]) > 0,
        "state_dict() contains no generator state: draw from an own torch.Generator and save its get_state()",
    )
    require(
        state_difference(states[0], states[1]) is None,
        "the number of random draws in a step depends on the slates, so two policies would not meet the same draws: "
        "draw for all users and items at every step and mask afterwards",
    )


def _generator_states(state: Any, device: torch.device) -> list[Tensor]:
    """The tensors in a state that have the type and shape of a generator's state."""
    if isinstance(state, dict):
        return [found for value in state.values() for found in _generator_states(value, device)]
    if isinstance(state, (list, tuple)):
        return [found for value in state for found in _generator_states(value, device)]
    like = torch.Generator(device).get_state()
    return [state] if isinstance(state, Tensor) and state.dtype == like.dtype and state.shape == like.shape else []


def _check_saving(environment: Environment, rebuild: Callable[[], Environment] | None, steps: int = 6) -> None:
    for _, _, step in simulate(environment, environment.reset(3), steps):
        observation = step.observation
    state = saved_and_loaded(environment.state_dict(), "the environment's state_dict()")
    expected = _outcome(environment, observation, steps)
    resumed = environment if rebuild is None else rebuild()
    resumed.reset(4)
    loaded = resumed.load_state_dict(state)
    require(isinstance(loaded, Observation), "load_state_dict() must return the observation that the next step acts on")
    what = _first_difference(expected, _outcome(resumed, loaded, steps))
    require(what is None, f"after load_state_dict() the session continued differently ({what} differs): save everything that step() reads")


def _check_truth(environment: Environment) -> None:
    spec = environment.spec
    environment.reset(0)
    before = saved_and_loaded(environment.state_dict(), "the environment's state_dict()")
    truth = environment.truth()
    if truth is None:
        return
    require(isinstance(truth, Truth), f"truth() must return recframe.interfaces.Truth or None, not {type(truth).__name__}")
    require(
        set(truth.signals) == set(spec.signals), f"truth().signals has {sorted(truth.signals)}, but spec.signals {sorted(spec.signals)}"
    )
    for name, values in {**truth.signals, "leave": truth.leave}.items():
        require_tensor(values, f"the truth of {name!r}", (spec.num_users, spec.num_items), torch.float32, spec.device)
    require(((truth.leave >= 0) & (truth.leave <= 1)).all(), "truth().leave must be a probability, from 0 to 1")
    what = state_difference(before, environment.state_dict())
    require(what is None, f"truth() changed the environment's state ({what}): it must only read it")
