"""RecSim's interest_exploration, batched: topics that everybody likes hide topics that some users would like better.

The latent bandit of Ie et al. 2019 (arXiv:1909.04847). A document d has a topic t_d, drawn by topic_distribution, and a quality
q_d ~ LogNormal(topic_quality_mean[t], topic_quality_stddev[t]). A user has a type z, drawn by user_type_distribution, and affinities

    a_t ~ LogNormal(user_document_mean_affinity_matrix[z, t], user_document_stddev_affinity_matrix[z, t])

which do not change. The score of a document is a_{t_d} + q_d, and at most one document of a slate is clicked, by the choice model
(`choice.py`). Nobody leaves; sessions are truncated after `max_steps`. The topics of the catalogue are mapped to these few topics (see
`documents.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recframe.interfaces import Data, Split, Truth
from recframe_plugins.environments.recsim.config import InterestExplorationConfig
from recframe_plugins.environments.recsim.documents import places
from recframe_plugins.environments.simulation.choice import choice_model
from recframe_plugins.environments.simulation.sessions import SimulatedSessions, UserReaction


class InterestExploration(SimulatedSessions):
    """See the module docstring. Users are drawn again for each session, in every split; `Observation.user` is 0 for everybody.

    Their state: `affinity` `[N, T]`.   The documents: `cluster` `[M]` int64, the topic; `quality` `[M]`.

    Raises
    ------
    DataError: the catalogue lacks the attribute, or has too few items.   ValueError: lists or matrices have different sizes.
    """

    config: InterestExplorationConfig

    def __init__(
        self,
        config: InterestExplorationConfig,
        data: Data,
        *,
        num_users: int,
        history_length: int,
        split: Split,
        device: torch.device | str,
    ) -> None:
        items, world = len(data.catalog), torch.Generator().manual_seed(config.world_seed)
        super().__init__(
            config,
            num_items=items,
            num_users=num_users,
            history_length=history_length,
            signals=("click",),
            device=device,
            has_users=False,
            resample=config.resample_documents,
        )
        self.choice = choice_model(config)
        place = places(data.catalog, config.topic_attribute, world)
        cluster = torch.searchsorted(_cumulative(config.topic_distribution), place, right=True)
        mean, stddev = (torch.tensor(of_topics)[cluster] for of_topics in (config.topic_quality_mean, config.topic_quality_stddev))
        self.cluster = cluster.to(self.device)
        self.quality = (mean + stddev * torch.randn(items, generator=world)).exp().to(self.device)
        self.types = _cumulative(config.user_type_distribution).float().to(self.device)
        self.affinity_mean = torch.tensor(config.user_document_mean_affinity_matrix, dtype=torch.float32, device=self.device)
        self.affinity_stddev = torch.tensor(config.user_document_stddev_affinity_matrix, dtype=torch.float32, device=self.device)

    def arrivals(self) -> dict[str, Tensor]:
        """Draw users of random types, and their affinities."""
        user_type = torch.searchsorted(self.types, self.uniforms(1), right=True).squeeze(1)
        noise = self.normals(self.affinity_mean.shape[1])
        return {"affinity": (self.affinity_mean[user_type] + self.affinity_stddev[user_type] * noise).exp()}

    def draws(self) -> dict[str, Tensor]:
        """One uniform number for the choice."""
        return {"uniforms": self.uniforms(1)}

    def respond(self, slate: Tensor, draws: Mapping[str, Tensor]) -> UserReaction:
        """Clicks by the equations of the module docstring."""
        scores = self.state["affinity"].gather(1, self.cluster[slate]) + self.quality[slate]
        clicks = self.choice.clicks(scores, draws["uniforms"])
        return UserReaction({"click": clicks.float()}, torch.zeros_like(clicks[:, 0]), {})

    def truth(self) -> Truth:
        """The probability of a click on each item shown alone, `[N, M]`, exact; nobody leaves."""
        self._require_session()
        click = self.choice.alone(self.state["affinity"][:, self.cluster] + self.quality)
        return Truth({"click": click}, torch.zeros_like(click))


def _cumulative(distribution: list[float]) -> Tensor:
    """The inner ends `[n - 1]` float64 of the intervals of [0, 1) whose lengths are the entries of a distribution."""
    shares = torch.tensor(distribution, dtype=torch.float64)
    return (shares / shares.sum()).cumsum(0)[:-1]
