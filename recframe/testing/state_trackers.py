"""`check_state_tracker`: the conformance check of state trackers."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable

import torch
from torch import Tensor

from recframe.interfaces import PAD, Data, EnvironmentSpec, Observation, StateTracker
from recframe.testing.conformance import difference, load_saved, own_randomness, require, require_tensor, saved_and_loaded
from recframe.testing.toy import toy_observation

USERS = 12


def check_state_tracker(
    tracker: StateTracker, spec: EnvironmentSpec, data: Data, rebuild: Callable[[], StateTracker] | None = None
) -> None:
    """Check a state tracker, built for `spec` and `data`, on random observations.

    Parameters
    ----------
    rebuild: builds it again with other weights, as `evaluate` does before it loads the saved ones.

    Raises
    ------
    ConformanceError: with what is wrong and how to fix it.
    """
    require(
        isinstance(tracker, StateTracker),
        f"a state tracker must subclass recframe.interfaces.StateTracker; {type(tracker).__name__} does not",
    )
    require(
        isinstance(getattr(tracker, "state_dim", None), int), "the tracker must set self.state_dim, the length of its states, in __init__"
    )
    require(
        isinstance(getattr(tracker, "item_dim", None), int),
        "the tracker has no item_dim: its constructor must call super().__init__(spec, data, item_dim)",
    )
    generator = torch.Generator(spec.device).manual_seed(0)
    observation, other = (toy_observation(spec, data, generator, USERS) for _ in range(2))
    training = tracker.training
    tracker.eval()
    _check_shapes(tracker, spec, observation)
    _check_padding(tracker, observation)
    _check_independence(tracker, observation)
    _check_states(tracker, observation)
    _check_numbering(tracker, observation)
    _check_gradients(tracker, observation)
    _check_memory(tracker, observation, other)
    _check_saving(tracker, data, observation)
    if rebuild is not None:
        _check_rebuilt(tracker, rebuild(), observation)
    tracker.train()
    _check_dropout(tracker, observation)
    tracker.train(training)


@torch.no_grad()
def _state(tracker: StateTracker, observation: Observation) -> Tensor:
    state: Tensor = tracker(observation, tracker.project_items())
    return state


def _check_shapes(tracker: StateTracker, spec: EnvironmentSpec, observation: Observation) -> None:
    before = observation.clone()
    with own_randomness("the state tracker"):
        items = tracker.project_items()
        require_tensor(items, "project_items()", (spec.num_items, tracker.item_dim), torch.float32, spec.device)
        _check_projected_rows(tracker, items)
        state = _state(tracker, observation)
    require_tensor(state, "the state", (len(observation.user), tracker.state_dim), torch.float32, spec.device)
    field = difference(observation, before)
    require(field is None, f"the tracker changed {field} of its observation in place: replay would keep the change")
    require(
        torch.equal(_state(tracker, observation), state),
        "the same observation gave another state: eval mode must not be random",
    )
    require(not torch.allclose(state, state[:1]), "all users get the same state: it must depend on the observation")


def _check_dropout(tracker: StateTracker, observation: Observation) -> None:
    with torch.enable_grad():
        first, second = (tracker(observation, tracker.project_items()) for _ in range(2))
    require(
        tracker.dropout_in_updates > 0 or torch.equal(first, second),
        "the same observation gave another state in training mode, but dropout_in_updates is 0: set self.dropout_in_updates, so "
        "that on-policy agents, whose updates need the probabilities of acting, can refuse it",
    )


def _check_projected_rows(tracker: StateTracker, items: Tensor) -> None:
    require(
        "rows" in inspect.signature(tracker.project_items).parameters,
        "project_items() must take rows=None, the numbers of the items to project: agents with large catalogues project only some",
    )
    rows = torch.tensor([len(items) - 1, 0, len(items) // 2], device=items.device)
    projected = tracker.project_items(rows)
    require_tensor(projected, "project_items(rows)", (len(rows), items.shape[1]), torch.float32, items.device)
    same = torch.allclose(projected, items[rows], rtol=1e-4, atol=1e-5)
    require(same, "project_items(rows) must be project_items()[rows]: an item's vector must not depend on which other items are projected")


def _padded(observation: Observation, length: int) -> Observation:
    """The observation with `length` PADs prepended to each history."""
    result = observation.clone(recurse=False)
    items, feedback = observation.history_items, observation.history_feedback
    result.history_items = torch.cat([items.new_full((len(items), length), PAD), items], dim=1)
    result.history_feedback = torch.cat([feedback.new_zeros(len(items), length, feedback.shape[2]), feedback], dim=1)
    return result


def _check_padding(tracker: StateTracker, observation: Observation) -> None:
    state = _state(tracker, observation)
    for length in (1, 7):
        same = torch.allclose(_state(tracker, _padded(observation, length)), state, rtol=1e-5, atol=1e-5)
        require(same, "prepending PAD to the histories changed the state: mask the entries where history_items is PAD")


def _check_independence(tracker: StateTracker, observation: Observation) -> None:
    state = _state(tracker, observation)
    alone = torch.cat([_state(tracker, observation[i : i + 1]) for i in range(len(state))])
    same = torch.allclose(alone, state, rtol=1e-4, atol=1e-5)
    require(same, "a user's state depends on the other users in the batch: compute each row independently")


def _check_states(tracker: StateTracker, observation: Observation) -> None:
    with torch.no_grad():
        items = tracker.project_items()
        states = tracker.states(observation, items)
        expected = StateTracker.states(tracker, observation, items)
    require_tensor(states, "states()", (*observation.history_items.shape, tracker.state_dim), torch.float32, items.device)
    same = torch.allclose(states, expected, rtol=1e-4, atol=1e-5)
    require(same, "states() at a place must be forward() of the history up to that place: an earlier state may not depend on later entries")


def _check_numbering(tracker: StateTracker, observation: Observation) -> None:
    """Check that renumbering items does not matter: agents with large catalogues project a few items and renumber observations."""
    names = [name for name in ("history_items", "candidates", "excluded") if getattr(observation, name) is not None]
    named = torch.cat([getattr(observation, name).flatten() for name in names])
    # all items of the observation in another order, and item 0, so that `rows` is never empty
    items: Tensor = torch.cat([named[named != PAD], named.new_zeros(1)]).unique()
    rows = items.flip(0)
    local = observation.clone(recurse=False)
    for name in names:
        numbers = getattr(observation, name)
        setattr(local, name, (numbers.unsqueeze(-1) == rows).int().argmax(dim=-1).masked_fill(numbers == PAD, PAD))
    with torch.no_grad():
        state = tracker(local, tracker.project_items(rows))
    same = torch.allclose(state, _state(tracker, observation), rtol=1e-4, atol=1e-5)
    require(
        same,
        "the same items under other numbers gave another state: item numbers are rows of the `items` passed to forward(), not of the "
        "catalogue; values looked up by catalogue number belong in the vectors of project_items(rows)",
    )


def _check_memory(tracker: StateTracker, observation: Observation, other: Observation) -> None:
    """Check that the states of other users in between change nothing, in evaluation mode."""
    state = _state(tracker, observation)
    _state(tracker, other)
    same = torch.equal(_state(tracker, observation), state)
    require(same, "a state depends on what the tracker was shown before: compute it from the observation, and keep nothing between calls")


def _check_rebuilt(tracker: StateTracker, rebuilt: StateTracker, observation: Observation) -> None:
    rebuilt.eval()
    state = saved_and_loaded(tracker.state_dict(), "the tracker's state_dict()")
    load_saved(rebuilt, state, "the tracker")
    same = torch.equal(_state(rebuilt, observation), _state(tracker, observation))
    require(
        same,
        "a tracker that was built again and loaded the state_dict gives other states: register all tensors that are drawn or learned as "
        "parameters or buffers",
    )


def _check_gradients(tracker: StateTracker, observation: Observation) -> None:
    tracker.zero_grad()
    items = tracker.project_items()
    state = tracker(observation, items)
    # random weights, since a plain sum is constant after a normalization
    generator = torch.Generator(state.device).manual_seed(0)
    loss = sum((torch.randn(x.shape, generator=generator, device=x.device) * x).sum() for x in (state, items))
    require(isinstance(loss, Tensor) and loss.requires_grad, "states have no gradient: do not detach them, or nothing can be learned")
    assert isinstance(loss, Tensor)
    loss.backward()
    for name, parameter in tracker.named_parameters():
        if not parameter.requires_grad:
            continue
        require(parameter.grad is not None, f"the parameter {name!r} gets no gradient: use it in the state, or remove it")
        assert parameter.grad is not None
        require(parameter.grad.isfinite().all(), f"the gradient of {name!r} contains NaN or infinity")
    tracker.zero_grad()


def _check_saving(tracker: StateTracker, data: Data, observation: Observation) -> None:
    tables = {"items": data.catalog.text_vectors}
    if data.users is not None and data.users.profiles is not None:
        tables["profiles"] = data.users.profiles.vectors
    if data.contexts is not None:
        tables["contexts"] = data.contexts.vectors
    trained = {name for name, _ in tracker.named_parameters()}
    for name, value in tracker.state_dict().items():
        for what, table in tables.items():
            copied = name not in trained and isinstance(value, Tensor) and table is not None and value.shape == table.shape
            require(
                not copied, f"the tracker saves the text vectors of the {what} as {name!r}: keep them in a recframe.interfaces.FrozenTable"
            )
    expected = _state(tracker, observation)
    other = copy.deepcopy(tracker)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    require(
        torch.equal(_state(tracker, observation), expected), "a deep copy shares weights with the tracker: target networks need their own"
    )
    other.load_state_dict(saved_and_loaded(tracker.state_dict(), "the tracker's state_dict()"))
    same = torch.equal(_state(other, observation), expected)
    require(same, "a copy that loaded the tracker's state_dict gives other states: register all learned tensors as parameters or buffers")
