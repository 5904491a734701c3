"""RecSim's long_term_satisfaction, batched: clickbait engages more now, and reduces the satisfaction on which engagement depends.

The choc-and-kale simulator of Ie et al. 2019 (arXiv:1909.04847). A document has a clickbait score c ~ Uniform(0, 1). A user has a hidden
net positive exposure n and the satisfaction sigmoid(sensitivity n). The first document of a slate is always clicked, and

    dwell          ln w ~ Normal(satisfaction (c choc_mean + (1 - c) kale_mean), (c choc_stddev + (1 - c) kale_stddev)^2)
    exposure       n <- memory_discount n - 2 (c - 1/2) + Normal(0, innovation_stddev^2)
    time budget    is reduced by one step

The session starts with n = (Uniform(0, 1) - 1/2) / (1 - memory_discount), and ends after `time_budget` steps. The sign of the second term
of the exposure is that of RecSim's code; RecSim's documentation says the opposite. Clickbait scores follow the topics of the catalogue
(see `documents.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Data, Split, Truth
from recframe_plugins.environments.recsim.config import LongTermSatisfactionConfig
from recframe_plugins.environments.recsim.documents import places
from recframe_plugins.environments.simulation.sessions import SimulatedSessions, UserReaction


class LongTermSatisfaction(SimulatedSessions):
    """See the module docstring. Users are drawn again for each session, in every split; `Observation.user` is 0 for everybody.

    Their state: `net_positive_exposure` `[N]`, `satisfaction` `[N]`, `time_budget` `[N]` int64 steps.
    The documents: `clickbait_score` `[M]`.

    Raises
    ------
    DataError: the catalogue lacks the attribute, or has too few items.   ValueError: the options contradict each other.
    """

    config: LongTermSatisfactionConfig

    def __init__(
        self,
        config: LongTermSatisfactionConfig,
        data: Data,
        *,
        num_users: int,
        history_length: int,
        split: Split,
        device: torch.device | str,
    ) -> None:
        world = torch.Generator().manual_seed(config.world_seed)
        super().__init__(
            config,
            num_items=len(data.catalog),
            num_users=num_users,
            history_length=history_length,
            signals=("click", "dwell"),
            device=device,
            has_users=False,
            resample=config.resample_documents,
        )
        self.clickbait_score = places(data.catalog, config.topic_attribute, world).float().to(self.device)

    def arrivals(self) -> dict[str, Tensor]:
        """Draw users with a random exposure; the time budget is full."""
        exposure = (self.uniforms(1).squeeze(1) - 0.5) / (1.0 - self.config.memory_discount)
        budget = torch.full((self.spec.num_users,), self.config.time_budget, dtype=torch.int64, device=self.device)
        return {"net_positive_exposure": exposure, "satisfaction": self._satisfaction(exposure), "time_budget": budget}

    def draws(self) -> dict[str, Tensor]:
        """One normal number each for the engagement and for the exposure."""
        return {"normals": self.normals(2)}

    def respond(self, slate: Tensor, draws: Mapping[str, Tensor]) -> UserReaction:
        """Click, dwell and leaving by the equations of the module docstring."""
        clickbait = self.clickbait_score[slate[:, 0]]
        location, scale = self._engagement(clickbait)
        engagement = (location + scale * draws["normals"][:, 0]).exp()
        config, exposure = self.config, self.state["net_positive_exposure"]
        innovation = config.innovation_stddev * draws["normals"][:, 1]
        exposure = config.memory_discount * exposure - 2.0 * (clickbait - 0.5) + innovation
        budget = self.state["time_budget"] - 1
        below = (0, slate.shape[1] - 1)
        return UserReaction(
            {"click": F.pad(torch.ones_like(engagement)[:, None], below), "dwell": F.pad(engagement[:, None], below)},
            budget <= 0,
            {"net_positive_exposure": exposure, "satisfaction": self._satisfaction(exposure), "time_budget": budget},
        )

    def truth(self) -> Truth:
        """The expected dwell of each item shown alone, `[N, M]`, exact. Every item is clicked; only the time budget ends sessions."""
        self._require_session()
        location, scale = self._engagement(self.clickbait_score.expand(self.spec.num_users, -1))
        ends = (self.state["time_budget"] <= 1).float()[:, None]
        # the mean of a log-normal variable
        dwell = (location + scale.square() / 2.0).exp()
        return Truth({"click": torch.ones_like(dwell), "dwell": dwell}, ends.expand_as(dwell).clone())

    def _satisfaction(self, exposure: Tensor) -> Tensor:
        return torch.sigmoid(self.config.sensitivity * exposure)

    def _engagement(self, clickbait: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the log-engagement with documents of clickbait score `clickbait` `[N]` or `[N, M]`."""
        config = self.config
        satisfaction = self.state["satisfaction"].view(-1, *[1] * (clickbait.dim() - 1))
        location = (clickbait * config.choc_mean + (1.0 - clickbait) * config.kale_mean) * satisfaction
        return location, clickbait * config.choc_stddev + (1.0 - clickbait) * config.kale_stddev
