"""One simulated user as a `gymnasium.Env`, for Gymnasium's checker and wrappers."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.error import ResetNeeded

from recframe.experience import RewardSum
from recframe.gym.observations import Arrays
from recframe.gym.simulation import Simulation, generator_from, generator_state
from recframe.gym.vector_env import require_no_options
from recframe.interfaces import Data, Environment


class RecommendationEnv(gymnasium.Env[Arrays, Any]):
    """An environment of one user with Gymnasium's interface: an episode is a session.

    Learning is much faster with `RecommendationVectorEnv`, which simulates many users at little extra cost.

    Parameters
    ----------
    See `RecommendationVectorEnv`; the environment must have one user.

    Raises
    ------
    ValueError: the environment has more than one user.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # gymnasium.Env declares it so

    def __init__(self, environment: Environment, rewards: RewardSum, data: Data, text_dims: int | None = 32) -> None:
        users = environment.spec.num_users
        if users != 1:
            raise ValueError(f"a gymnasium.Env is one user, not {users}; RecommendationVectorEnv is for many")
        self.simulation = Simulation(environment, rewards, data, text_dims)
        self.observation_space = self.simulation.arrays.space  # type: ignore[assignment]  # Dict has the type of its elements
        self.action_space = self.simulation.actions.space
        self._over = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Arrays, dict[str, Any]]:
        """Start a session. The same seed gives the same user and random draws; without one, the next seed is drawn from `np_random`.

        Raises
        ------
        ValueError: `options` are given; no options exist.
        """
        require_no_options(options)
        super().reset(seed=seed)
        self._over = False
        return _only_row(self.simulation.reset(self.np_random)), {}

    def step(self, action: Any) -> tuple[Arrays, float, bool, bool, dict[str, Any]]:
        """Take one action; the info is the user's row of `StepArrays.infos`.

        Raises
        ------
        gymnasium.error.ResetNeeded: no session was started, or it has ended.    ValueError: the action is not in the action space.
        """
        self._require_session()
        step = self.simulation.step(np.asarray(action)[None])
        self._over = len(step.finished) > 0
        infos = {name: value[0] if value.ndim > 1 else float(value[0]) for name, value in step.infos.items()}
        observation = _only_row(step.final if self._over else step.observation)
        return observation, float(step.reward[0]), bool(step.terminated[0]), bool(step.truncated[0]), infos

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Which actions are allowed now, `[M]`, or `[C]` with candidates; for slates K such masks in a row."""
        self._require_session()
        masks: npt.NDArray[np.bool_] = self.simulation.action_masks()[0]
        return masks

    def state_dict(self) -> dict[str, Any]:
        """The complete state in mid-session, including generators, as tensors and plain values.

        Raises
        ------
        gymnasium.error.ResetNeeded: no session was started, or it has ended.
        """
        self._require_session()
        return {"environment": self.simulation.state_dict(), "np_random": generator_state(self.np_random)}

    def load_state_dict(self, state: dict[str, Any]) -> Arrays:
        """Continue from a saved state; returns the observation for the next action."""
        self.np_random = generator_from(state["np_random"])
        self._over = False
        return _only_row(self.simulation.load_state_dict(state["environment"]))

    def _require_session(self) -> None:
        if self._over:
            raise ResetNeeded("the session has ended: call reset() to start the next")


def _only_row(arrays: Arrays) -> Arrays:
    return {name: value[0] for name, value in arrays.items()}
