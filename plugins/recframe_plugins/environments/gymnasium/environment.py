"""Gymnasium's environments (Towers et al., 2024, arXiv:2407.17032) as recframe's, so that one agent is tried on both kinds of problem.

N copies of one environment are N users, an episode is a session, and the reward paid is the response's only signal. A discrete action is an
item without a text, described by its number alone; a point of a box is a continuous action. What the environment observes becomes
`Observation.features`.

The environments themselves run on the host, one copy after the other: on a GPU, actions and features cross over at every step.
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

from recframe.interfaces import Catalog, Data, Environment, EnvironmentSpec, History, Observation, Response, Split, Step
from recframe_plugins.environments.gymnasium.config import GymnasiumConfig
from recframe_plugins.environments.gymnasium.make import action_spec, make, native_actions
from recframe_plugins.environments.gymnasium.session_log import SessionLog

REWARD_SIGNAL = ("reward",)
SEEDS = 2**31
"""Sessions are seeded with one of so many numbers: those that every environment takes."""


class GymnasiumEnvironment(Environment):
    """N copies of a Gymnasium environment.

    Every session starts from a seed of its own, drawn from this environment's generator. N are drawn in every step, used or not: what a
    session starts from depends on the step it starts at, and not on the actions before. Nobody is held out for evaluation, whatever the
    split: there are no people here, and every seed is a start that was hardly ever met before.

    A session that the environment itself ends is terminated, and the user has left; one cut by a time limit is truncated.

    Raises
    ------
    ValueError: the environment cannot be made or has no counterpart here (see `make`), or `data` are not its own.
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
        self.copies = SyncVectorEnv([partial(make, config)] * num_users, copy=False, autoreset_mode=AutoresetMode.DISABLED)
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
        """An item for each discrete action, or one that stands for all points of a box; its vector is its one-hot number.

        Raises
        ------
        ValueError: the environment cannot be made or has no counterpart here (see `make`).
        """
        environment = make(config)
        space = environment.action_space
        environment.close()
        items = action_spec(space)["num_items"]
        names = [f"action {number}" for number in range(items)] if isinstance(space, spaces.Discrete) else ["a point of the action space"]
        catalog = Catalog(names, names, pl.DataFrame({"title": names}), torch.ones(items), torch.eye(items))
        return Data(catalog)

    def reset(self, seed: int) -> Observation:
        """Start N fresh sessions; see `Environment.reset`."""
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
        RuntimeError: there is no session yet.   ValueError: `slate` is of another shape or type.
        """
        log, seeds = self._current_log(), self._draw_seeds()
        if slate.shape != self.spec.action_shape or slate.dtype != log.actions.dtype:
            expected = f"{list(self.spec.action_shape)} and type {log.actions.dtype}"
            raise ValueError(f"actions of {self.config.id} have shape {expected}, not {list(slate.shape)} and {slate.dtype}")
        log.append(slate)
        observed, paid, ended, cut, _ = self.copies.step(native_actions(self.action_space, slate))
        finished = ended | cut
        terminated = torch.from_numpy(ended).to(self.device)
        reward = torch.from_numpy(paid).to(self.device, torch.float32).unsqueeze(1)
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
        """The generator, and of each session its seed and actions: Gymnasium knows no way of saving an environment itself.

        A session can be taken up again exactly if it is a function of its seed and its actions, as Gymnasium asks of an environment.
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
        ValueError: the replayed sessions are not where the saved ones were: the environment, its options or its version are others, or
            it draws on more than its seed.
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
                f"{self.config.id} did not go through the saved sessions again: its options or its version are others now, "
                "or it draws on more than the seed of its reset"
            )
        self.log = log
        self.generator.set_state(state["generator"].cpu())
        self.history.load_state_dict(state["history"])
        return self._observation()

    def _replayed(self, log: SessionLog) -> Tensor:
        """The features `[N, X]` that the copies end up with, each reset from its seed and taken through its actions."""
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
