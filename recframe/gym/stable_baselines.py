"""N simulated users as a stable-baselines3 `VecEnv`. Only this module imports stable-baselines3: `pip install 'recframe[sb3]'`.

from stable_baselines3 import PPO
from recframe.gym import make_vec
from recframe.gym.stable_baselines import StableBaselinesVecEnv

model = PPO("MultiInputPolicy", StableBaselinesVecEnv(make_vec("topic_world", 64)))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from recframe.gym.observations import Arrays
from recframe.gym.vector_env import RecommendationVectorEnv

try:
    from stable_baselines3.common.vec_env import VecEnv
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices
except ModuleNotFoundError:
    raise ImportError("recframe.gym.stable_baselines needs stable-baselines3: pip install 'recframe[sb3]'") from None

MASKS = "action_masks"


class StableBaselinesVecEnv(VecEnv):
    """A `RecommendationVectorEnv` as a stable-baselines3 `VecEnv`.

    The info of a finished user holds `terminal_observation`, `TimeLimit.truncated` (so that values bootstrap after a truncated session),
    and each term of the reward, summed over the session, as `reward/NAME`: `VecMonitor(env, info_keywords=("reward/click",))` logs it.
    The infos of the other users are empty, so that a step needs little Python work per user.

    `seed(s)` applies to the next `reset`; the users are one batch with one seed. sb3-contrib's MaskablePPO finds `action_masks`.
    """

    def __init__(self, vector_env: RecommendationVectorEnv) -> None:
        self.vector_env = vector_env
        users = vector_env.num_envs
        super().__init__(users, vector_env.single_observation_space, vector_env.single_action_space)
        self._terms = [f"reward/{name}" for name in vector_env.simulation.term_names]
        # sums over the current sessions: one row per term
        self._totals = np.zeros((len(self._terms), users))
        self._actions: npt.NDArray[Any] | None = None

    def reset(self) -> Arrays:
        """Start N new sessions, from the seed that was passed to `seed`, if any."""
        observation, _ = self.vector_env.reset(seed=self._seeds[0], options=self._options[0])
        self._reset_seeds()
        self._reset_options()
        self._totals[:] = 0.0
        return observation

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Set the actions `[N]`, or `[N, K]` for slates, that `step_wait` takes."""
        self._actions = actions

    def step_wait(self) -> tuple[Arrays, npt.NDArray[np.float32], npt.NDArray[np.bool_], list[dict[str, Any]]]:
        """The step's observation, reward `[N]`, ended sessions `[N]` and infos."""
        step = self.vector_env.simulation.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        self._totals += np.stack([step.infos[name] for name in self._terms])
        for row, user in enumerate(step.finished):
            infos[user] |= zip(self._terms, self._totals[:, user].tolist(), strict=True)
            infos[user]["TimeLimit.truncated"] = bool(step.truncated[user] and not step.terminated[user])
            infos[user]["terminal_observation"] = {name: value[row] for name, value in step.final.items()}
        self._totals[:, step.finished] = 0.0
        return step.observation, step.reward.astype(np.float32), step.terminated | step.truncated, infos

    def close(self) -> None:
        """Close the vector environment."""
        self.vector_env.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the vector environment, once for each requested user."""
        return [getattr(self.vector_env, attr_name)] * len(self._users(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the vector environment.

        Raises
        ------
        ValueError: `indices` are not all users; the users share the attribute.
        """
        if len(set(self._users(indices))) < self.num_envs:
            raise ValueError(f"{attr_name} cannot be set for some users only: all of them share one vector environment")
        setattr(self.vector_env, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any) -> list[Any]:
        """`action_masks` of the requested users.

        Raises
        ------
        AttributeError: any other method, as users are not separate environments.
        """
        if method_name != MASKS:
            raise AttributeError(f"users have no method {method_name!r} of their own, only {MASKS!r}; call it on vector_env")
        masks = self.vector_env.action_masks()
        return [masks[user] for user in self._users(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:
        """False for each requested user: users are not wrapped individually."""
        return [False] * len(self._users(indices))

    def _users(self, indices: VecEnvIndices) -> Sequence[int]:
        return list(self._get_indices(indices))
