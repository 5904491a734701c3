"""RecSim's interest_evolution, batched: trashy videos use up a user's time budget, nutritious videos restore some of it.

The simulator of SlateQ (Ie et al. 2019, arXiv:1905.12767, and RecSim, arXiv:1909.04847). Of T topics in order, the first 70 % are trashy,
with mean qualities evenly spaced from min_utility to 0; the rest are nutritious, from 0 to max_utility. A video v has a topic t_v and a
quality q_v ~ Normal(mean of its topic, quality_stddev^2). A user has interests x ~ Uniform(-1, 1)^T and a time budget b. On a slate:

    score       s_v = x_{t_v}
    choice      at most one video, by the choice model (`choice.py`)
    dwell       w = min(b, video_length) for the chosen video, 0 for the others
    interests   x_t <- clip(x_t +- alpha(x_t) (1 - x_t), -1, 1) for the chosen topic t, + with probability (1 + x_t) / 2, otherwise -,
                alpha(x) = alpha_y_intercept (1 - |x| / alpha_x_intercept)
    budget      b <- b - w + user_update_alpha w u,  u = user_quality_factor s_v + document_quality_factor q_v
                b <- b - step_penalty, if nothing is chosen

The session ends when b <= 0. As in RecSim's code, min_normalizer is subtracted from the s_v in u under the proportional choice model. Under
the other models, s_v is the interest itself, where RecSim takes the normalised score of the model (they differ only if
user_quality_factor is not 0). RecSim shows the interests to the agent; here they are hidden unless `observe_interests` is set. Topics are
those of the catalogue (see `documents.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recframe.interfaces import Data, Split, Truth
from recframe_plugins.environments.recsim.config import InterestEvolutionConfig
from recframe_plugins.environments.recsim.documents import main_topics
from recframe_plugins.environments.simulation.choice import choice_model
from recframe_plugins.environments.simulation.sessions import SimulatedSessions, UserReaction

TRASHY_SHARE = 0.7


class InterestEvolution(SimulatedSessions):
    """See the module docstring. Users are drawn again for each session, in every split; `Observation.user` is 0 for everybody.

    Their state: `interests` `[N, T]`, `time_budget` `[N]` minutes.
    The documents: `cluster` `[M]` int64, the topic; `quality` `[M]`.

    Raises
    ------
    DataError: the catalogue lacks the attribute, or has too few items.   ValueError: fewer than two topics, or contradicting options.
    """

    config: InterestEvolutionConfig

    def __init__(
        self, config: InterestEvolutionConfig, data: Data, *, num_users: int, history_length: int, split: Split, device: torch.device | str
    ) -> None:
        items, world = len(data.catalog), torch.Generator().manual_seed(config.world_seed)
        if config.topic_attribute is None:
            cluster, topics = torch.randint(config.num_clusters, (items,), generator=world), config.num_clusters
        else:
            cluster, names = main_topics(data.catalog, config.topic_attribute)
            topics = len(names)
        if topics < 2:
            raise ValueError(f"interest_evolution needs two topics or more; the attribute {config.topic_attribute!r} has {topics}")
        super().__init__(
            config,
            num_items=items,
            num_users=num_users,
            history_length=history_length,
            signals=("click", "dwell"),
            device=device,
            has_users=False,
            num_features=topics if config.observe_interests else 0,
            resample=config.resample_documents,
        )
        self.num_topics = topics
        self.choice = choice_model(config)
        noise = torch.randn(items, generator=world)
        self.cluster = cluster.to(self.device)
        self.quality = (topic_means(topics, config.min_utility, config.max_utility)[cluster] + config.quality_stddev * noise).to(
            self.device
        )
        self.utility_offset = config.min_normalizer if config.choice_model == "multinomial_proportional" else 0.0

    def arrivals(self) -> dict[str, Tensor]:
        """Draw interests uniformly between -1 and 1; the time budget is full."""
        budget = torch.full((self.spec.num_users,), self.config.time_budget, device=self.device)
        return {"interests": 2.0 * self.uniforms(self.num_topics) - 1.0, "time_budget": budget}

    def draws(self) -> dict[str, Tensor]:
        """One uniform number each for the choice and for the direction in which interests move."""
        return {"uniforms": self.uniforms(2)}

    def features(self) -> Tensor | None:
        """The interests, if `observe_interests` is set."""
        return self.state["interests"] if self.config.observe_interests else None

    def respond(self, slate: Tensor, draws: Mapping[str, Tensor]) -> UserReaction:
        """Clicks, dwell and leaving by the equations of the module docstring."""
        interests, budget = self.state["interests"], self.state["time_budget"]
        topics = self.cluster[slate]
        scores = interests.gather(1, topics)
        chosen = self.choice.clicks(scores, draws["uniforms"][:, :1]).float()
        clicked = chosen.sum(dim=1)
        watched = budget.clamp(max=self.config.video_length)
        dwell = chosen * watched[:, None]

        # sums over the slate select the chosen item; they are zero if nothing is chosen
        interest = (chosen * scores).sum(dim=1)
        quality = (chosen * self.quality[slate]).sum(dim=1)
        after = self._budget_after(watched, interest, quality)
        time_budget = torch.where(clicked > 0, after, budget - self.config.step_penalty)
        moved = self._moved(interest, draws["uniforms"][:, 1])
        topic = (chosen.long() * topics).sum(dim=1, keepdim=True)
        change = (clicked * (moved - interest))[:, None]
        return UserReaction(
            {"click": chosen, "dwell": dwell},
            time_budget <= 0,
            {"interests": interests.scatter_add(1, topic, change), "time_budget": time_budget},
        )

    def truth(self) -> Truth:
        """Expected click and dwell of each item if shown alone now, and the probability of leaving after it; each `[N, M]`, exact."""
        self._require_session()
        scores = self.state["interests"][:, self.cluster]
        budget = self.state["time_budget"][:, None]
        click = self.choice.alone(scores)
        watched = budget.clamp(max=self.config.video_length)
        ends = (self._budget_after(watched, scores, self.quality) <= 0).float()
        ends_unclicked = (budget - self.config.step_penalty <= 0).float()
        leave = torch.lerp(ends_unclicked.expand_as(click), ends, click)
        return Truth({"click": click, "dwell": click * watched}, leave)

    def _budget_after(self, watched: Tensor, interest: Tensor, quality: Tensor) -> Tensor:
        config, budget = self.config, self.state["time_budget"].view(-1, *[1] * (interest.dim() - 1))
        utility = config.user_quality_factor * (interest - self.utility_offset) + config.document_quality_factor * quality
        return budget - watched + config.user_update_alpha * watched * utility

    def _moved(self, interest: Tensor, uniform: Tensor) -> Tensor:
        """The interest in the chosen topic after watching, `[N]`."""
        config = self.config
        alpha = config.alpha_y_intercept * (1.0 - interest.abs() / config.alpha_x_intercept)
        step = alpha * (1.0 - interest)
        towards = uniform < (1.0 + interest) / 2.0
        return torch.where(towards, interest + step, interest - step).clamp(-1.0, 1.0)


def topic_means(topics: int, low: float, high: float) -> Tensor:
    """Mean quality of each topic, `[T]`: evenly spaced from `low` to 0 for the trashy topics, from 0 to `high` for the others."""
    # RecSim rounds both numbers down, which fits its 20 topics; here any number of topics has both kinds
    trashy = min(max(round(TRASHY_SHARE * topics), 1), topics - 1)
    # computed from the top down, so that a single nutritious topic has the highest mean
    return torch.cat([torch.linspace(low, 0.0, trashy), torch.linspace(high, 0.0, topics - trashy).flip(0)])
