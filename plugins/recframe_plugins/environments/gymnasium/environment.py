"""Gymnasium environments (Towers et al., 2024, arXiv:2407.17032) as recframe environments, so that agents run on both kinds of problems.

N copies of one environment are N users, an episode is a session, and the reward is the only signal of the response. A discrete action is an
item without a text, described only by its number; a point of a box is a continuous action. Observations become `Observation.features`.

The environments run on the host, one copy after another: on a GPU, actions and features are transferred in every step.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from tensordict import TensorDict
from torch import Tensor

from recframe.interfaces import Catalog, Data, Environment, EnvironmentSpec, History, Observation, Response, Split, Step, restore_generator
from recframe_plugins.environments.gymnasium.config import GymnasiumConfig
from recframe_plugins.environments.gymnasium.make import action_spec, make, native_actions
from recframe_plugins.environments.gymnasium.session_log import SessionLog

REWARD_SIGNAL = ("reward",)
SEEDS = 2**31
"""Number of different seeds of sessions: the range that every environment accepts."""


class GymnasiumEnvironment(Environment):
    """N copies of a Gymnasium environment.

    Every session starts from its own seed, drawn from this environment's generator. N seeds are drawn in every step, used or not, so the
    start of a session depends on the step at which it starts, and not on earlier actions. No users are held out for evaluation, in either
    split: the data has no people, and a seed hardly ever repeats.

    A session that the environment ends itself is terminated, and the user has left; a session that a time limit ends is truncated.

    Raises
    ------
    ValueError: the environment cannot be created or is not supported (see `make`), or `data` does not come from `own_data`.
    """

    def __init__(
        self,
        config: GymnasiumConfig,
        data: Data,
        *,
        num_users: int,
        history_length: int,
        split: Split,
        device: torch.device | str,
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self.copies = _copies(config, num_users)
        self.action_space = self.copies.single_action_space
        self.spec = EnvironmentSpec(
            num_users=num_users,
            slate_size=1,
            history_length=history_length,
            signals=REWARD_SIGNAL,
            num_features=int(np.prod(self.copies.single_observation_space.shape or (1,))),
            has_users=False,
            device=self.device,
            **action_spec(self.action_space),
        )
        if len(data.catalog) != self.spec.num_items:
            items = self.spec.num_items
            raise ValueError(f"{config.id} has {items} items, the catalogue {len(data.catalog)}; build it on the data of own_data(config)")
        self.generator = torch.Generator(self.device)
        self.history = History(num_users, history_length, REWARD_SIGNAL, self.device)
        self.log: SessionLog | None = None

    @classmethod
    def own_data(cls, config: GymnasiumConfig) -> Data:
        """One item for each discrete action, or a single item for all points of a box; its vector is the one-hot encoding of its number.

        Raises
        ------
        ValueError: the environment cannot be created or is not supported (see `make`).
        """
        environment = make(config)
        space = environment.action_space
        environment.close()
        items = action_spec(space)["num_items"]
        names = [f"action {number}" for number in range(items)] if isinstance(space, spaces.Discrete) else ["a point of the action space"]
        catalog = Catalog(names, names, pl.DataFrame({"title": names}), torch.ones(items), torch.eye(items))
        return Data(catalog)

    def reset(self, seed: int) -> Observation:
        """Start N new sessions; see `Environment.reset`."""
        self.generator.manual_seed(seed)
        self.history = History(self.spec.num_users, self.spec.history_length, REWARD_SIGNAL, self.device)
        seeds = self._draw_seeds()
        observed, _ = self.copies.reset(seed=seeds.tolist())
        self.features = self._features(observed)
        self.log = SessionLog(seeds, self.spec.action_shape[1], torch.int64 if self.spec.actions == "items" else torch.float32)
        return self._observation()

    def step(self, slate: Tensor) -> Step:
        """Take the actions `slate` `[N, 1]` int64, or `[N, A]` float32; see `Environment.step`.

        Raises
        ------
        RuntimeError: `reset` was not called yet.   ValueError: `slate` has another shape or type.
        """
        log, seeds = self._current_log(), self._draw_seeds()
        if slate.shape != self.spec.action_shape or slate.dtype != log.actions.dtype:
            expected = f"{list(self.spec.action_shape)} and type {log.actions.dtype}"
            raise ValueError(f"actions of {self.config.id} have shape {expected}, not {list(slate.shape)} and {slate.dtype}")
        log.append(slate)
        observed, paid, ended, cut, _ = self.copies.step(native_actions(self.action_space, slate))
        finished = ended | cut
        terminated = torch.from_numpy(ended).to(self.device)
        # a cost of nothing may be -0
        reward = torch.from_numpy(paid).to(self.device, torch.float32).unsqueeze(1) + 0.0
        users = [self.spec.num_users]
        response = Response(signals=TensorDict({"reward": reward}, batch_size=users), leave=terminated, batch_size=users)
        if self.spec.actions == "items":
            self.history.append(slate, response)
        self.features = self._features(observed)
        next_observation = self._observation()
        if finished.any():
            observed, _ = self.copies.reset(seed=seeds.tolist(), options={"reset_mask": finished})
            self.features = self._features(observed)
            self.history.clear(torch.from_numpy(finished).to(self.device))
            log.restart(torch.from_numpy(finished), seeds)
        truncated = torch.from_numpy(cut & ~ended).to(self.device)
        return Step(response, next_observation, self._observation(), terminated, truncated)

    def state_dict(self) -> dict[str, Any]:
        """The generator, and the seed and actions of each session: Gymnasium has no way of saving an environment itself.

        A session is restored exactly if it is a function of its seed and its actions, as Gymnasium requires of an environment.
        """
        log = self._current_log()
        return {
            "generator": self.generator.get_state(),
            "history": self.history.state_dict(),
            "log": log.state_dict(),
            "features": self.features,
        }

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Replay the saved sessions from their seeds, action by action; see `Environment.load_state_dict`.

        Raises
        ------
        ValueError: the replayed sessions differ from the saved ones: the environment, its options or its version have changed, or it
            depends on more than its seed.
        """
        log = SessionLog.from_state(state["log"])
        expected = [*self.spec.action_shape, self.spec.num_features]
        found = [*log.actions[:, 0].shape, state["features"].shape[1]]
        if found != expected:
            raise ValueError(f"{self.config.id} has N, A and X of {expected}, the saved state {found}; use the options that it had")
        self.log = None
        self.features = self._replayed(log)
        if not torch.equal(self.features, state["features"].to(self.device)):
            raise ValueError(
                f"{self.config.id} did not replay the saved sessions: its options or its version have changed, "
                "or it depends on more than the seed of its reset"
            )
        self.log = log
        restore_generator(self.generator, state["generator"])
        self.history.load_state_dict(state["history"])
        return self._observation()

    def __getstate__(self) -> dict[str, Any]:
        """For pickling: everything but the copies, as Gymnasium's wrappers cannot be pickled."""
        return {name: value for name, value in vars(self).items() if name != "copies"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Create the copies again, and replay the sessions as `load_state_dict` does."""
        vars(self).update(state)
        self.copies = _copies(self.config, self.spec.num_users)
        if self.log is not None:
            self.load_state_dict(self.state_dict())

    def _replayed(self, log: SessionLog) -> Tensor:
        """The last features `[N, X]` of the copies after each is reset from its seed and takes its actions again."""
        observed, _ = self.copies.reset(seed=log.seeds.tolist())
        last = observed.copy()
        for row, (environment, actions) in enumerate(zip(self.copies.envs, log.sessions(), strict=True)):
            for action in native_actions(self.action_space, actions):
                last[row], *_ = environment.step(action)
        return self._features(last)

    def _draw_seeds(self) -> Tensor:
        return torch.randint(SEEDS, (self.spec.num_users,), generator=self.generator, device=self.device)

    def _features(self, observed: np.ndarray) -> Tensor:
        return torch.from_numpy(observed.astype(np.float32)).to(self.device)

    def _current_log(self) -> SessionLog:
        if self.log is None:
            raise RuntimeError("there is no session yet: call reset(seed) first")
        return self.log

    def _observation(self) -> Observation:
        return Observation(
            user=torch.zeros(self.spec.num_users, dtype=torch.int64, device=self.device),
            history_items=self.history.items,
            history_feedback=self.history.feedback,
            features=self.features,
            batch_size=[self.spec.num_users],
        )


def _copies(config: GymnasiumConfig, num_users: int) -> SyncVectorEnv:
    """The N environments; each starts a new session only when it is reset."""
    return SyncVectorEnv([partial(make, config)] * num_users, copy=False, autoreset_mode=AutoresetMode.DISABLED)
