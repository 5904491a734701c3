"""The posterior state tracker: what the user's responses say about tastes, by a model fitted to random recommendations, and their mean."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec, Observation, ResponseLog, StateTracker
from recframe.references.posterior_greedy import posterior_mean
from recframe.references.posterior_of_log import fit_to_log
from recframe.references.step_reward import step_of, step_scores
from recframe_plugins.state_trackers.config import PosteriorConfig
from recframe_plugins.state_trackers.item_responses import ItemResponses
from recframe_plugins.state_trackers.mean import MeanTracker


class PosteriorTracker(MeanTracker):
    """state = [mean tracker's state | z],  item vector = [projected text | sqrt(D) (b_i, n_i) | a_i, m_i, s_i].

    z `[d]` is the posterior mean of the user's taste given the responses in the history, and b_i' z + n_i the expected reward of item i, in
    the Gaussian model of `recframe.references.posterior_greedy`, with loadings a_i, mean m_i and noise s_i of the item's response. A linear
    query of the state can thus score items by what `posterior_greedy` knows. The factor makes up for the divisor of the agents' queries.
    Where the reward is a step of a response of several values, such as a click of a rating, b_i' z + n_i orders items by its probability
    instead (`recframe.references.step_reward`).

    The model is fitted before training (`fit_responses`) and then fixed; without a fit it says nothing: z = 0. For items that were not in
    the log, b_i to s_i are what their texts tell about them (`ItemResponses`).
    """

    evidence: Tensor

    def __init__(self, config: PosteriorConfig, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(config, spec, data)
        self.random_steps = config.random_steps if spec.actions == "items" else 0
        self.text_dim, self.factors = config.item_dim, config.factors
        self.state_dim = config.state_dim + config.factors
        self.responses = ItemResponses(self.item_projection.texts, 2 * config.factors + 3)
        self.item_dim = config.item_dim + self.responses.table.shape[1]
        self.register_buffer("evidence", torch.zeros(len(spec.signals), device=spec.device))

    def fit_responses(self, log: ResponseLog, seed: int) -> None:
        """Fit the model; see `StateTracker.fit_responses`."""
        model = fit_to_log(log, self.spec.num_items, torch.Generator(self.spec.device).manual_seed(seed), self.factors)
        missing = self.factors - model.loadings.shape[1]
        step = step_of(log.signals @ model.evidence, log.rewards)
        expected = model.rewards if step is None else step_scores(model, step)
        loadings, weights = F.pad(model.loadings[:-1], (0, missing)), F.pad(expected[:-1, :-1], (0, missing))
        rewards = torch.cat([weights, expected[:-1, -1:]], dim=1) * self.item_dim**0.5
        self.evidence.copy_(model.evidence)
        known = torch.zeros(self.spec.num_items, dtype=torch.bool, device=rewards.device).index_fill_(0, log.items, True)
        rows = torch.cat([rewards, loadings, model.means[:-1, None], model.noise[:-1, None]], dim=1)
        # an answer to a question is no rating of it
        unseen = ~known & (torch.arange(self.spec.num_items, device=rows.device) < self.spec.first_question)
        self.responses.learn(rows, known, unseen, slice(self.factors + 1, 2 * self.factors + 2))

    @torch.no_grad()
    def start_query(self, query: nn.Linear, gain: float) -> None:
        """Start with `gain` times the expected rewards (or what orders items in their place) as scores; see `StateTracker.start_query`.

        What texts add to that is learned from zero: random numbers would only blur what is known. Without a fit nothing is known.
        """
        first, last = self.text_dim, self.text_dim + self.factors
        learned_from_zero = slice(0 if self.random_steps else first, None)
        query.weight[learned_from_zero] = 0.0
        query.bias[learned_from_zero] = 0.0
        query.weight[first:last, -self.factors :] = gain * torch.eye(self.factors, device=query.weight.device)
        query.bias[last] = gain

    def project_items(self, rows: Tensor | None = None) -> Tensor:
        """Item vectors `[M, D]`, or `[R, D]`; see `StateTracker.project_items`."""
        table = self.responses.table if rows is None else F.embedding(rows, self.responses.table)
        return torch.cat([super().project_items(rows), table], dim=1)

    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The state `[N, S + d]`."""
        state = super().forward(observation, items[:, : self.text_dim])
        history = observation.history_items
        shown = F.embedding(history.clamp(min=0), items[:, self.text_dim + self.factors + 1 :])
        loadings, means, noise = shown[..., :-2], shown[..., -2], shown[..., -1]
        present = history >= 0
        surprise = (observation.history_feedback @ self.evidence - means) * present
        # an entry that is missing says nothing: without loadings
        taste = posterior_mean(loadings * present.unsqueeze(2), noise, surprise)
        return torch.cat([state, taste], dim=1)

    def states(self, observation: Observation, items: Tensor) -> Tensor:
        """The states `[N, H, S + d]` at all places: a posterior is computed for each beginning; see `StateTracker.states`."""
        return StateTracker.states(self, observation, items)
