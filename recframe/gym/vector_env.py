"""N simulated users as one `gymnasium.vector.VectorEnv`, simulated as one batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from recframe.experience import RewardSum
from recframe.gym.observations import Arrays
from recframe.gym.simulation import Simulation, StepArrays, generator_from, generator_state
from recframe.interfaces import Data, Environment

Infos = dict[str, Any]


class RecommendationVectorEnv(VectorEnv[Arrays, npt.NDArray[Any], npt.NDArray[Any]]):
    """An environment of N users with the interface of Gymnasium's vector environments.

    Sessions that end are replaced in the same step (`AutoresetMode.SAME_STEP`). As in `SyncVectorEnv`, the last observation of an ended
    session is then in `infos["final_obs"]` and its last info in `infos["final_info"]`, each with a mask. The infos of the other users are
    at the top level: see `StepArrays.infos`.

    Observations are dicts of float32 arrays (`ObservationArrays`), actions items, slates or real vectors (`recframe.gym.actions`).

    Parameters
    ----------
    environment: of N users.    rewards: the reward of their responses.
    data: with the text vectors to observe.    text_dims: number of dims of each text vector; None: all.
    """

    def __init__(self, environment: Environment, rewards: RewardSum, data: Data, text_dims: int | None = 32) -> None:
        self.simulation = Simulation(environment, rewards, data, text_dims)
        self.num_envs = environment.spec.num_users
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = self.simulation.arrays.space
        self.single_action_space = self.simulation.actions.space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Arrays, Infos]:
        """Start N new sessions. The same seed gives the same users and random draws; without one, the next seed is drawn from `np_random`.

        Raises
        ------
        ValueError: `options` are given; no options exist. (Users share one generator: they cannot be reset individually.)
        """
        require_no_options(options)
        super().reset(seed=seed)
        return self.simulation.reset(self.np_random), {}

    def step(
        self, actions: npt.NDArray[Any]
    ) -> tuple[Arrays, npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_], Infos]:
        """Take one action for each user; see `VectorEnv.step`.

        Raises
        ------
        gymnasium.error.ResetNeeded: `reset` was not called yet.    ValueError: an action is not in the action space.
        """
        step = self.simulation.step(actions)
        return step.observation, step.reward, step.terminated, step.truncated, self._infos(step)

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Which actions are allowed now, `[N, M]`, or `[N, C]` with candidates; for slates K such masks per row.

        sb3-contrib's MaskablePPO calls this method. An action that is not allowed is replaced: see `ItemActions`.
        """
        return self.simulation.action_masks()

    def state_dict(self) -> dict[str, Any]:
        """The complete state in mid-session, including generators, as tensors and plain values."""
        return {"environment": self.simulation.state_dict(), "np_random": generator_state(self.np_random)}

    def load_state_dict(self, state: dict[str, Any]) -> Arrays:
        """Continue from a saved state; returns the observation for the next action."""
        self.np_random = generator_from(state["np_random"])
        return self.simulation.load_state_dict(state["environment"])

    def _infos(self, step: StepArrays) -> Infos:
        done = np.zeros(self.num_envs, np.bool_)
        done[step.finished] = True
        infos: Infos = {} if done.all() else _masked(step.infos, ~done)
        if len(step.finished):
            last = np.full(self.num_envs, None, dtype=object)
            for row, user in enumerate(step.finished):
                last[user] = {name: value[row] for name, value in step.final.items()}
            infos |= {"final_obs": last, "_final_obs": done.copy(), "final_info": _masked(step.infos, done), "_final_info": done.copy()}
        return infos


def require_no_options(options: Mapping[str, Any] | None) -> None:
    """Refuse options of `reset`.

    Raises
    ------
    ValueError: `options` are not empty.
    """
    if options:
        raise ValueError(f"reset takes no options, not {', '.join(map(repr, options))}")


def _masked(infos: Mapping[str, npt.NDArray[Any]], mask: npt.NDArray[np.bool_]) -> Infos:
    """`infos` of the users in `mask`, zero for the others, each with its mask, in the form of `VectorEnv._add_info`."""
    found: Infos = {}
    for name, value in infos.items():
        found[name] = value if mask.all() else np.where(mask.reshape(-1, *[1] * (value.ndim - 1)), value, np.zeros((), value.dtype))
        found[f"_{name}"] = mask.copy()
    return found
