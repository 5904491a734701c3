"""stable-baselines3's agents for `large_catalogues.py`, with recframe's networks and schedule as far as its classes allow.

Observations come through the bridge as arrays, from which `MeanTrackerFeatures` computes the same state as recframe's mean tracker. The
outputs differ: stable-baselines3 has one unit for each item where recframe has the product of a query and the item's vector.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from stable_baselines3 import A2C, DDPG, DQN
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from torch import Tensor, nn

from recframe.building.parts import Parts
from recframe.gym import RecommendationVectorEnv
from recframe.gym.observations import Arrays
from recframe.gym.stable_baselines import StableBaselinesVecEnv
from recframe.item_agents.index import ExactIndex
from recframe_plugins.agents.ddpg.wolpertinger import unit


class MeanTrackerFeatures(BaseFeaturesExtractor):
    """State `[N, S]` of a history `[N, H, d + F]` and a profile `[N, d]`, with layers of the same sizes as in recframe's mean tracker.

    Only the items in the histories are projected, not the catalogue.
    """

    def __init__(self, space: gymnasium.spaces.Dict, item_dim: int, state_dim: int, half_life: float | None) -> None:
        super().__init__(space, state_dim)
        length, width = space["history"].shape
        self.text_dims = space["profile"].shape[0]
        self.items = nn.Linear(self.text_dims, item_dim)
        self.scale = nn.Linear(width - self.text_dims, item_dim, bias=False)
        self.shift = nn.Linear(width - self.text_dims, item_dim, bias=False)
        self.profile = nn.Linear(self.text_dims, state_dim)
        self.mix = nn.Linear(item_dim + state_dim, state_dim)
        self.norm = nn.LayerNorm(state_dim)
        age = torch.arange(length - 1, -1, -1)
        self.register_buffer("weights", torch.ones(length) if half_life is None else 0.5 ** (age / half_life))

    def forward(self, arrays: dict[str, Tensor]) -> Tensor:
        """The state."""
        texts, feedback = arrays["history"].split([self.text_dims, arrays["history"].shape[2] - self.text_dims], dim=2)
        # the bridge has zeros in unused places of the history
        present = (texts != 0).any(dim=2)
        entries = (1 + self.scale(feedback)) * self.items(texts) + self.shift(feedback)
        weights = self.weights * present
        summary = (weights.unsqueeze(2) * entries).sum(dim=1) / weights.sum(dim=1, keepdim=True).clamp(min=1.0)
        return F.relu(self.norm(self.mix(torch.cat([summary, F.relu(self.profile(arrays["profile"]))], dim=1))))


class NearestItem(VecEnvWrapper):
    """Shows the item whose text vector has the direction nearest to a continuous action `[N, d]`: Wolpertinger's policy with k = 1.

    stable-baselines3's DDPG has only continuous actions. Its critic learns the value of the action, not of the item shown.
    """

    def __init__(self, env: VecEnv, vectors: Tensor) -> None:
        super().__init__(env, action_space=gymnasium.spaces.Box(-1.0, 1.0, (vectors.shape[1],), np.float32))
        self.index, self.device = ExactIndex(unit(vectors)), vectors.device

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Find the items and show them."""
        points = unit(torch.from_numpy(actions).to(self.device))
        self.venv.step_async(self.index.search(points, 1)[:, 0].cpu().numpy())

    def step_wait(self) -> tuple[Arrays, npt.NDArray[np.float32], npt.NDArray[np.bool_], list[dict[str, Any]]]:
        """The result of the step."""
        return self.venv.step_wait()

    def reset(self) -> Arrays:
        """Start new sessions."""
        return self.venv.reset()


def bridged(parts: Parts) -> StableBaselinesVecEnv:
    """The simulator of a run through the bridge, with all dimensions of the text vectors."""
    environment = parts.environment(parts.cfg.environment.num_users, "train")
    return StableBaselinesVecEnv(RecommendationVectorEnv(environment, parts.rewards, parts.reading, text_dims=None))


def tracker_layers(cfg: DictConfig) -> dict[str, Any]:
    """The part of `policy_kwargs` that defines the state."""
    tracker = cfg.state_tracker
    sizes = {"item_dim": tracker.item_dim, "state_dim": tracker.state_dim, "half_life": tracker.half_life}
    return {"features_extractor_class": MeanTrackerFeatures, "features_extractor_kwargs": sizes}


def counterpart(parts: Parts) -> BaseAlgorithm:
    """The agent of stable-baselines3 that corresponds to the config's agent, with as many updates of batches of the same size.

    `dqn`: DQN. `reinforce`, `actor_critic`: A2C, whose advantages with a lambda of 1 are rewards-to-go less the value. `ddpg`: DDPG behind
    `NearestItem`. Adam everywhere.
    """
    cfg, env = parts.cfg, bridged(parts)
    agent, layers = cfg.agent, tracker_layers(cfg)
    common = {"policy": "MultiInputPolicy", "gamma": agent.gamma, "device": parts.device, "seed": cfg.seed}
    if agent.name in ("reinforce", "actor_critic"):
        return A2C(
            **common,
            env=env,
            learning_rate=agent.learning_rate,
            n_steps=cfg.trainer.chunk_steps,
            gae_lambda=agent.get("gae_lambda", 1.0),
            ent_coef=agent.entropy_weight,
            vf_coef=agent.value_weight,
            max_grad_norm=cfg.trainer.gradient_clip,
            use_rms_prop=False,
            policy_kwargs={**layers, "net_arch": [], "share_features_extractor": agent.network == "shared", "ortho_init": False},
        )
    replayed = {
        **common,
        "buffer_size": agent.replay_capacity,
        "learning_starts": agent.learning_starts,
        "batch_size": agent.batch_size,
        "tau": agent.target_update_rate,
        "train_freq": (cfg.trainer.chunk_steps, "step"),
        "gradient_steps": agent.updates_per_chunk,
    }
    if agent.name == "dqn":
        chunk = cfg.trainer.chunk_steps * cfg.environment.num_users
        return DQN(
            **replayed,
            env=env,
            learning_rate=agent.learning_rate,
            # stable-baselines3 counts env steps
            target_update_interval=agent.target_update_interval * chunk // agent.updates_per_chunk,
            # all users explore together: at a high rate most steps would not need the network
            exploration_initial_eps=agent.epsilon_end,
            exploration_final_eps=agent.epsilon_end,
            max_grad_norm=cfg.trainer.gradient_clip,
            policy_kwargs={**layers, "net_arch": []},
        )
    # no action noise, which would be drawn in a loop over users
    return DDPG(
        **replayed,
        env=NearestItem(env, parts.reading.catalog.text_vectors),
        learning_rate=agent.critic_learning_rate,
        policy_kwargs={**layers, "net_arch": list(agent.hidden_sizes)},
    )
