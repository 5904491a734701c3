"""Topic world: a small, fully known world in which showing the same good thing again and again is a mistake.

Item i has unit topic vector x_i (its topics' weights) and a hidden quality q_i ~ Normal(0, 1). A person has a unit taste vector over the
same topics; a session's taste theta is that plus a little noise, never negative, of length one. The appeal of an item is

    a_i = taste_weight theta.x_i + quality_weight q_i

and what follows from it (boredom of topics, clicks, patience, leaving) is in `boredom.py`, with v_i = x_i. Furthermore

    rating  r_i = 1 + 4 Phi(u_i - threshold + rating_noise eps),  eps ~ Normal(0, 1)
            with mean  1 + 4 Phi((u_i - threshold) / sqrt(1 + rating_noise^2))
    drift   theta <- unit(theta + drift sum_k c_{i_k} x_{i_k})

where Phi is the standard normal distribution function: the one squashing whose mean under normal noise has a closed form.

The defaults are chosen so that random items are clicked about one time in seven, that a user's favourite topic shown without a break is
clicked half as often after five steps, and that greedy choice by the truth earns several times what random or any fixed slate does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Data
from recframe_plugins.environments.boredom import BoredomSessions
from recframe_plugins.environments.config import TopicWorldConfig
from recframe_plugins.environments.sessions import Split, people_of_split
from recframe_plugins.environments.topics import topic_matrices

GENERATED_PEOPLE = 10_000
"""People generated where the data knows none: enough that two sessions hardly ever share one, few enough for a look-up table."""


class TopicWorld(BoredomSessions):
    """Users with hidden, drifting tastes over topics; see the module for the equations.

    The people are those of `data.users` if their attributes list topics (nothing listed: an equal taste for all), and
    `Observation.user` is then their row. Otherwise they are generated: `GENERATED_PEOPLE` draws from a Dirichlet distribution,
    and `Observation.user` is 0 for everybody.

    Raises
    ------
    DataError: the catalogue has no such attribute, or one of another type; or the shapes do not fit (see `SimulatedSessions`).
    """

    config: TopicWorldConfig

    def __init__(
        self, config: TopicWorldConfig, data: Data, *, num_users: int, history_length: int, split: Split, device: torch.device | str
    ) -> None:
        item_topics, person_topics = topic_matrices(data, config.topic_attribute, config.weight_attribute)
        self.people_are_known = person_topics is not None
        super().__init__(
            config,
            F.normalize(item_topics, dim=1).to(device),
            num_users=num_users,
            history_length=history_length,
            device=device,
            has_users=self.people_are_known,
        )
        world = torch.Generator().manual_seed(config.world_seed)
        self.quality = torch.randn(self.spec.num_items, generator=world).to(device)
        if person_topics is None:
            concentration = torch.full((GENERATED_PEOPLE, item_topics.shape[1]), config.taste_concentration)
            person_topics = torch._standard_gamma(concentration, generator=world)
        self.people_tastes = F.normalize(person_topics, dim=1).to(device)
        self.people = people_of_split(torch.arange(len(person_topics), device=device), split, config.evaluation_share, config.world_seed)

    def arrivals(self) -> dict[str, Tensor]:
        """N people of the split, uniformly, with their tastes `[N, T]` of this session."""
        users = self.spec.num_users
        person = self.people[torch.randint(len(self.people), (users,), generator=self.generator, device=self.device)]
        base = F.embedding(person, self.people_tastes)
        noise = torch.randn(base.shape, generator=self.generator, device=self.device)
        taste = (base + self.config.session_noise / base.shape[1] ** 0.5 * noise).clamp(min=0.0)
        return {"user": person if self.people_are_known else torch.zeros_like(person), "taste": F.normalize(taste, dim=1)}

    def appeal(self, slate: Tensor, shown: Tensor) -> Tensor:
        """a `[N, K]`."""
        affinity = torch.einsum("nkt,nt->nk", shown, self.state["taste"])
        return self.config.taste_weight * affinity + self.config.quality_weight * self.quality[slate]

    def appeal_of_all(self) -> Tensor:
        """a `[N, M]`."""
        return self.config.taste_weight * self.state["taste"] @ self.item_vectors.T + self.config.quality_weight * self.quality

    def rate(self, utility: Tensor, noise: Tensor) -> Tensor:
        """Ratings between 1 and 5."""
        return 1.0 + 4.0 * torch.special.ndtr(utility - self.config.threshold + self.config.rating_noise * noise)

    def expected_rating(self, utility: Tensor) -> Tensor:
        """E Phi(z + s eps) = Phi(z / sqrt(1 + s^2)): both are the probability that a normal variable of variance 1 + s^2 is below z."""
        return 1.0 + 4.0 * torch.special.ndtr((utility - self.config.threshold) / (1.0 + self.config.rating_noise**2) ** 0.5)

    def changed(self, shown: Tensor, clicks: Tensor) -> dict[str, Tensor]:
        """Tastes drift towards what was clicked."""
        consumed = torch.einsum("nkt,nk->nt", shown, clicks)
        return {"taste": F.normalize(self.state["taste"] + self.config.drift * consumed, dim=1)}
