"""N simulated users as one `gymnasium.vector.VectorEnv`: batched all the way down, with Gymnasium's own conventions on top."""

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

    Sessions that end are replaced in the same step (`AutoresetMode.SAME_STEP`). What `SyncVectorEnv` gives in that mode is given here: the
    last observation of the ended session in `infos["final_obs"]`, its step's info in `infos["final_info"]`, each with its mask. Info of the
    other users stands beside them: see `StepArrays.infos`.

    Observations are dicts of float32 arrays (`ObservationArrays`), actions items, slates or real vectors (`recframe.gym.actions`).

    Parameters
    ----------
    environment: N users.    rewards: what their responses are worth.
    data: with text vectors, as they are to be observed.    text_dims: dims kept of each text vector; None: all.
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
        """Start N fresh sessions. The same seed gives the same users and luck; without one, the next seed is drawn from `np_random`.

        Raises
        ------
        ValueError: `options` are given; there are none. (Users come from one generator: they cannot be reset one by one.)
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
        gymnasium.error.ResetNeeded: before the first `reset`.    ValueError: an action is not in the action space.
        """
        step = self.simulation.step(actions)
        return step.observation, step.reward, step.terminated, step.truncated, self._infos(step)

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Which actions may be taken now, `[N, M]`, or `[N, C]` with candidates; for slates K such masks a row.

        It is what sb3-contrib's MaskablePPO asks for. An action that may not be taken is replaced: see `ItemActions`.
        """
        return self.simulation.action_masks()

    def state_dict(self) -> dict[str, Any]:
        """The complete state in mid-session, generators included: tensors and plain values."""
        return {"environment": self.simulation.state_dict(), "np_random": generator_state(self.np_random)}

    def load_state_dict(self, state: dict[str, Any]) -> Arrays:
        """Take up a saved state; returns the observation that the next action acts on."""
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
    ValueError: there are some.
    """
    if options:
        raise ValueError(f"reset takes no options, not {', '.join(map(repr, options))}")


def _masked(infos: Mapping[str, npt.NDArray[Any]], mask: npt.NDArray[np.bool_]) -> Infos:
    """`infos` of the users in `mask`, zero for the others, each beside its mask: as `VectorEnv._add_info` gathers them."""
    found: Infos = {}
    for name, value in infos.items():
        found[name] = value if mask.all() else np.where(mask.reshape(-1, *[1] * (value.ndim - 1)), value, np.zeros((), value.dtype))
        found[f"_{name}"] = mask.copy()
    return found
