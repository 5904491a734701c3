"""An environment and its reward with numpy actions and observations: the common part of the single and the vectorized Gymnasium class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.error import ResetNeeded

from recframe.attribution import Turn, blaming
from recframe.experience import RewardSum
from recframe.gym.actions import actions_of
from recframe.gym.observations import Arrays, ObservationArrays
from recframe.interfaces import Data, Decision, Environment, Observation, transition_of


@dataclass(frozen=True)
class StepArrays:
    """The result of a step of N users, as arrays.

    observation: the observation for the next action, `[N, ...]`; finished users are already replaced by new ones.
    reward: `[N]` float64.    terminated, truncated: `[N]` bool.
    finished: `[n]`, the numbers of the users whose sessions ended.    final: their last observations, `[n, ...]`.
    infos: one row per user: `slate` `[N, K]` (numbers of the shown items; absent with continuous actions), `signal/NAME` `[N, K]` for
        each response signal, and `reward/NAME` `[N]` for each term of the reward.
    """

    observation: Arrays
    reward: npt.NDArray[np.float64]
    terminated: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]
    finished: npt.NDArray[np.intp]
    final: Arrays
    infos: dict[str, npt.NDArray[Any]]


class Simulation:
    """Steps an environment with numpy actions.

    Parameters
    ----------
    environment: of N users.    rewards: the reward of their responses.
    data: with the text vectors to observe.    text_dims: see `ObservationArrays`.
    """

    def __init__(self, environment: Environment, rewards: RewardSum, data: Data, text_dims: int | None) -> None:
        self.environment = environment
        self.rewards = rewards
        self.actions = actions_of(environment.spec)
        self.arrays = ObservationArrays(environment.spec, data, text_dims)
        self._now: Observation | None = None
        self._checked = False

    @property
    def term_names(self) -> tuple[str, ...]:
        """The names of the reward's terms."""
        return tuple(self.rewards.terms)

    def reset(self, generator: np.random.Generator) -> Arrays:
        """Start N new sessions from a seed that `generator` draws."""
        with blaming(self.environment):
            self._now = self.environment.reset(int(generator.integers(2**32)))
            return self.arrays(self._now)

    @torch.no_grad()
    def step(self, actions: Any) -> StepArrays:
        """Take one action for each user.

        Raises
        ------
        ResetNeeded: `reset` was not called yet.    ValueError: an action is not in the action space.
        ComponentFailure: the environment or a reward failed or broke its contract; its cause has the traceback.
        """
        now = self._observation()
        slate = self.actions.slates(actions, now)
        turn = Turn(self.environment, "the caller", now, Decision(slate))
        try:
            step = turn.step = self.environment.step(slate)
            if not self._checked:
                turn.require_step()
                self._checked = True
            item_reward, terms = self.rewards(transition_of(now, turn.decision, step))
        except Exception as error:
            blamed = turn.blame(error)
            if blamed is error:
                raise
            raise blamed from error
        self._now = step.observation
        ended = (step.terminated | step.truncated).nonzero().squeeze(1)
        infos: dict[str, npt.NDArray[Any]] = {} if self.environment.spec.actions == "continuous" else {"slate": _copied(slate)}
        infos |= {f"signal/{name}": _copied(step.response.signals[name]) for name in self.environment.spec.signals}
        infos |= {f"reward/{name}": _copied(terms[name].double()) for name in self.term_names}
        return StepArrays(
            observation=self.arrays(step.observation),
            reward=item_reward.sum(dim=1).double().cpu().numpy(),
            terminated=_copied(step.terminated),
            truncated=_copied(step.truncated),
            finished=ended.cpu().numpy(),
            final=self.arrays(step.next_observation[ended]) if len(ended) else {},
            infos=infos,
        )

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Which actions are allowed now; see `ItemActions.masks`."""
        return self.actions.masks(self._observation())

    def state_dict(self) -> dict[str, Any]:
        """The environment's state in mid-session."""
        self._observation()
        return self.environment.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> Arrays:
        """Continue from a saved state; returns the observation for the next action."""
        self._now = self.environment.load_state_dict(state)
        return self.arrays(self._now)

    def _observation(self) -> Observation:
        if self._now is None:
            raise ResetNeeded("there is no session yet: call reset() first")
        return self._now


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The state of a generator, as plain values."""
    return dict(generator.bit_generator.state)


def generator_from(state: dict[str, Any]) -> np.random.Generator:
    """A generator in the given state."""
    generator = np.random.Generator(np.random.PCG64())
    generator.bit_generator.state = state
    return generator


def _copied(values: torch.Tensor) -> npt.NDArray[Any]:
    """A copy as an array: the receiver may write to it without changing the environment."""
    return values.to("cpu", copy=True).numpy()
