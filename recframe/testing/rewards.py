"""`check_reward`: the conformance check of rewards."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from tensordict import TensorDict

from recframe.interfaces import Data, Reward, Transition
from recframe.testing.conformance import difference, own_randomness, require, require_tensor
from recframe.testing.toy import toy_data, toy_spec, toy_transition


def check_reward(
    reward: Reward,
    data: Data | None = None,
    signals: Iterable[str] = ("click", "rating"),
    itemwise: bool = False,
    rebuild: Callable[[], Reward] | None = None,
) -> None:
    """Check a reward term on random transitions with slates of one and three items.

    Parameters
    ----------
    data: the data with its catalogue; by default toy data.
    signals: the signals of the responses; they must include those that the reward declares in `Component.requires`.
    itemwise: whether the reward claims to depend only on an item and its own signals.
    rebuild: builds the same reward again, as a resumed run does; its values must be the same.

    Raises
    ------
    ConformanceError: with what is wrong and how to fix it.
    """
    require(isinstance(reward, Reward), f"a reward must subclass recframe.interfaces.Reward; {type(reward).__name__} does not")
    data = data or toy_data()
    with own_randomness("prepare()"):
        reward.prepare(data)
    fresh = rebuild() if rebuild is not None else None
    if fresh is not None:
        fresh.prepare(data)
    for slate_size in (1, 3):
        spec = toy_spec(data, slate_size=slate_size, signals=tuple(signals), has_context=data.contexts is not None)
        transition = toy_transition(spec, data, torch.Generator(spec.device).manual_seed(0), users=8)
        before = transition.clone()
        with own_randomness("the reward"):
            values = reward(transition, data.catalog)
            # whatever it keeps of other transitions, no checkpoint contains
            other = toy_transition(spec, data, torch.Generator(spec.device).manual_seed(1), users=8)
            reward(other, data.catalog)
            again = reward(transition, data.catalog)
        require_tensor(values, "the reward", (8, slate_size), torch.float32, spec.device)
        field = difference(transition, before)
        require(field is None, f"the reward changed {field} of the transition in place: compute new tensors")
        require(
            torch.equal(values, again),
            "the same transition got another reward the second time: a reward must be a pure function, since no checkpoint saves its state",
        )
        require(
            fresh is None or torch.equal(values, fresh(transition, data.catalog)),
            "a reward that was built again gives another value: it may depend on its config and on what prepare() reads, nothing else",
        )
        if itemwise:
            _check_itemwise(reward, transition, data, slate_size)
        if not reward.reads_response:
            changed = transition.clone()
            for name in ("response", "next_observation", "terminated"):
                setattr(changed, name, getattr(other, name))
            require(
                torch.equal(values, reward(changed, data.catalog)),
                "the reward has reads_response=False, but its value depends on what people did: leave it True",
            )
    report, caveats = reward.report(), reward.caveats()
    require(
        isinstance(report, dict) and all(isinstance(name, str) and isinstance(value, float) for name, value in report.items()),
        "report() must return a dict of strings to floats",
    )
    require(isinstance(caveats, tuple) and all(isinstance(line, str) for line in caveats), "caveats() must return a tuple of sentences")


def _check_itemwise(reward: Reward, transition: Transition, data: Data, slate_size: int) -> None:
    """Check that each item, shown alone to other users, has the same reward as in its slate."""
    values = reward(transition, data.catalog)
    for k in range(slate_size):
        alone = transition.clone()
        alone.slate = transition.slate[:, k : k + 1]
        alone.item_reward = transition.item_reward[:, k : k + 1]
        signals = transition.response.signals.items()
        alone.response.signals = TensorDict({name: values[:, k : k + 1] for name, values in signals}, batch_size=alone.batch_size)
        alone.observation, alone.next_observation = transition.observation.flip(0), transition.next_observation.flip(0)
        require(
            torch.allclose(reward(alone, data.catalog)[:, 0], values[:, k]),
            "the reward provides 'itemwise', but an item's value depends on the rest of its slate or on the user: remove the tag",
        )
