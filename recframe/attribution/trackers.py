"""What a state tracker returns to the agent that calls it: recorded where it matters, and checked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from torch import nn

from recframe.attribution.tensors import Problem, failure_in, tensor_problem
from recframe.errors import UserError
from recframe.interfaces import Observation, StateTracker

RECORDED = ("forward", "project_items", "states", "states_in_context")
"""The methods of a tracker whose results are checked."""


class TrackerRecord:
    """The first wrong result of a tracker; `problem` is None while there is none."""

    def __init__(self) -> None:
        self.problem: tuple[StateTracker, str] | None = None

    def check(self, tracker: StateTracker, method: str, given: Any, result: Any) -> None:
        """Compare a result with the contract; values, too."""
        if self.problem is None and (problem := _problem(tracker, method, given, result)) is not None:
            self.problem = tracker, problem

    def require_sound(self) -> None:
        """Raise the failure of the tracker, if there is one.

        Raises
        ------
        ComponentFailure: naming the tracker.
        """
        if self.problem is not None:
            raise failure_in(self.problem)


@contextmanager
def recorded_trackers(agent: nn.Module) -> Iterator[TrackerRecord]:
    """Within the block, what the state trackers of an agent return is checked, its copies in target networks among them."""
    record = TrackerRecord()
    trackers = [module for module in agent.modules() if isinstance(module, StateTracker)]
    for tracker in trackers:
        for method in RECORDED:
            # on the instance, where it hides the method of the class; not through nn.Module's own __setattr__
            tracker.__dict__[method] = _checked(tracker, method, getattr(tracker, method), record)
    try:
        yield record
    finally:
        for tracker in trackers:
            for method in RECORDED:
                tracker.__dict__.pop(method, None)


@contextmanager
def suspecting_trackers(agent: nn.Module, again: Callable[[], object]) -> Iterator[None]:
    """If the block fails, call `again`, the same once more, and see whether a tracker of the agent returned something wrong.

    An agent's networks fail on states of a wrong shape, in code that is not the tracker's.

    Raises
    ------
    ComponentFailure: naming the tracker, in place of the error.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        with recorded_trackers(agent) as record, suppress(Exception):
            again()
        if record.problem is not None:
            raise failure_in(record.problem) from error
        raise


def _checked(tracker: StateTracker, method: str, function: Callable[..., Any], record: TrackerRecord) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        given = arguments[0] if arguments else next(iter(named.values()), None)
        record.check(tracker, method, given, result)
        return result

    return call


def _problem(tracker: StateTracker, method: str, given: Any, result: Any) -> Problem:
    device = tracker.spec.device
    if method == "project_items":
        rows = tracker.spec.num_items if given is None else len(given)
        return tensor_problem(result, "project_items", (rows, tracker.item_dim), "[R, d]", device, None, values=True)
    if not isinstance(given, Observation):
        return None
    users, length = given.history_items.shape
    shape, axes = ((users, tracker.state_dim), "[N, S]") if method == "forward" else ((users, length, tracker.state_dim), "[N, H, S]")
    # of states at all places, those at padding are not read
    values = method == "forward"
    return tensor_problem(result, f"the state of {method}", shape, axes, device, None, values)
