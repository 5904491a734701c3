"""Fits `posterior_greedy` to what training people would say to every item.

The loadings are the leading principal components of the true expected responses of training people at the start of a session: the
maximum-likelihood solution of the model with their sample covariance (Tipping & Bishop, 1999). What the truth does not say is chosen by
cross-validation over people: which signal of a response is the evidence, how many components there are (the shrinkage of the covariance),
and how noisy a response is. Each choice predicts best the rewards of a random log of people who are not in the fit, from the observed
history alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import EnvironmentSpec
from recframe.references.evidence import evidence_candidates
from recframe.references.fitting.expected_rewards import ExpectedResponses
from recframe.references.fitting.random_log import RandomLog
from recframe.references.fitting.response_log import response_log
from recframe.references.item_means import mean_values
from recframe.references.posterior_greedy import PosteriorGreedyPolicy, ResponseModel
from recframe.references.posterior_of_log import fit_to_log

FOLDS = 4
MAX_DIMS = 128
# rows of the log that each choice is judged by, and how many are predicted at once
MAX_ROWS = 8_192
CHUNK_ROWS = 1_024
# factors on the noise that are tried
NOISE_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
MIN_NOISE = 1e-6


class Components(NamedTuple):
    """A response and the reward of all items on the principal components of the response, over P people.

    evidence: `[F]`.   means: m `[M]`.   loadings: `[M, k]`, of standard normal factors.   rewards: n `[M]`.   reward_loadings: `[M, k]`.
    """

    evidence: Tensor
    means: Tensor
    loadings: Tensor
    rewards: Tensor
    reward_loadings: Tensor

    def model(self, dims: int, variance: Tensor, noise_factor: float, repeat: Tensor) -> ResponseModel:
        """The model with the first `dims` components, whose noise is what they leave of the `variance` `[M]` of an observed response."""
        loadings = self.loadings[:, :dims]
        noise = noise_factor * torch.maximum(variance - loadings.square().sum(dim=1), 0.05 * variance)
        rewards = torch.cat([self.reward_loadings[:, :dims], self.rewards[:, None]], dim=1)
        return ResponseModel(
            evidence=self.evidence,
            means=F.pad(self.means, (0, 1)),
            loadings=F.pad(loadings, (0, 0, 0, 1)),
            noise=F.pad(noise.clamp(min=MIN_NOISE), (0, 1), value=1.0),
            rewards=F.pad(rewards, (0, 0, 0, 1)),
            repeat=repeat,
        )


class Choice(NamedTuple):
    """What cross-validation chooses: the weights of the signals `[F]`, d, and the factor on the noise."""

    evidence: Tensor
    dims: int
    noise_factor: float


def fit_posterior_greedy(responses: ExpectedResponses | None, log: RandomLog, spec: EnvironmentSpec, seed: int) -> PosteriorGreedyPolicy:
    """The policy fitted on the true expected responses of training people and a random log of the same people.

    Where the truth is unknown (None), the model is fitted to the log alone, as the agent of the same name does (`fit_to_log`).
    """
    generator = torch.Generator(spec.device).manual_seed(seed)
    model = fit_to_log(response_log(log, spec), spec.num_items, generator) if responses is None else _fit(responses, log, spec, generator)
    return PosteriorGreedyPolicy(spec.slate_size, model)


def _fit(responses: ExpectedResponses, log: RandomLog, spec: EnvironmentSpec, generator: torch.Generator) -> ResponseModel:
    judge = CrossValidation(responses, log, spec, generator)
    candidates = evidence_candidates([_centred(table) for table in responses.signals.values()], _centred(responses.rewards))
    sizes = [2**power for power in range(MAX_DIMS.bit_length())]
    evidence = min(candidates, key=lambda e: min(judge.error(Choice(e, dims, 1.0)) for dims in (4, 16)))
    choice, previous = Choice(evidence, 8, 1.0), None
    while choice != previous:
        previous = choice
        choice = min((choice._replace(dims=dims) for dims in sizes), key=judge.error)
        choice = min((choice._replace(noise_factor=factor) for factor in NOISE_FACTORS), key=judge.error)
    return components(responses, evidence).model(choice.dims, judge.variance(evidence), choice.noise_factor, judge.repeat(choice))


def components(responses: ExpectedResponses, evidence: Tensor, kept: Tensor | None = None) -> Components:
    """The principal components of the response with the weights `evidence` `[F]` over the people in the rows `kept`, or over all."""
    rows = slice(None) if kept is None else kept
    signals = [table[rows] for table in responses.signals.values()]
    response = sum((weight * table for weight, table in zip(evidence[1:], signals[1:], strict=True)), evidence[0] * signals[0])
    rewards = responses.rewards[rows]
    centred, people = _centred(response), len(response)
    # at most P - 1 components of P people: the product of people with people is the smaller one
    variances, left = torch.linalg.eigh((centred @ centred.T).double() / people)
    left = left.flip(1)[:, : min(MAX_DIMS, max(1, people - 1))]
    informative = variances.flip(0)[: left.shape[1]] > 1e-9 * variances[-1].clamp(min=1e-30)
    factors = (left * informative).to(centred) / people**0.5
    return Components(evidence, response.mean(dim=0), centred.T @ factors, rewards.mean(dim=0), _centred(rewards).T @ factors)


class CrossValidation:
    """Predicts a sample of a random log, each row by a model that was fitted without its person."""

    def __init__(self, responses: ExpectedResponses, log: RandomLog, spec: EnvironmentSpec, generator: torch.Generator) -> None:
        self.responses = responses
        self.log = log
        self.num_items = spec.num_items
        device = log.slates.device
        fold_of_person = torch.randperm(len(responses.people), generator=generator, device=device) % FOLDS
        people = log.observations.user if spec.has_users else log.users
        place = torch.searchsorted(responses.people, people).clamp(max=len(responses.people) - 1)
        # people of the log who are not among the responses are in no fit
        fold = torch.where(responses.people[place] == people, fold_of_person[place], 0)
        order = torch.randperm(len(fold), generator=generator, device=device)[: max(1, MAX_ROWS // spec.slate_size)]
        self.folds = [(order[fold[order] == number], (fold_of_person != number).nonzero().squeeze(1)) for number in range(FOLDS)]
        self.folds = [(rows, kept) for rows, kept in self.folds if len(rows) and len(kept)]
        # of one evidence at a time: in a large catalogue, the components of all would be many times the responses
        self._components: tuple[tuple[float, ...], list[Components]] = ((), [])
        self._errors: dict[tuple[tuple[float, ...], int, float], float] = {}

    def error(self, choice: Choice) -> float:
        """The variance of what the predicted rewards of items that are not in the history miss."""
        key = (tuple(choice.evidence.tolist()), choice.dims, choice.noise_factor)
        if key not in self._errors:
            missed, again = self._missed(choice)
            # a common offset, such as of users who tire in the course of a session, does not change what is shown
            self._errors[key] = float(missed[~again].double().var(correction=0)) if (~again).any() else 0.0
        return self._errors[key]

    def repeat(self, choice: Choice) -> Tensor:
        """By how much the rewards of items in the history exceed what is predicted, shrunk to zero."""
        missed, again = self._missed(choice)
        offset = missed[~again].mean() if (~again).any() else missed.new_zeros(())
        return ((missed - offset) * again).sum() / (again.sum() + 1)

    def variance(self, evidence: Tensor) -> Tensor:
        """The variance of an observed response to each item, shrunk to the mean variance, `[M]`."""
        response = (self.log.signals @ evidence).flatten().double()
        items = self.log.slates.flatten()
        surprise = response - mean_values(items, response, self.num_items)[items]
        return mean_values(items, surprise.square(), self.num_items).to(evidence)

    def _missed(self, choice: Choice) -> tuple[Tensor, Tensor]:
        """The reward minus its prediction `[n, K]`, and whether the item was in the history."""
        log, parts, repeated = self.log, [], []
        variance = self.variance(choice.evidence)
        for (rows, _), fitted in zip(self.folds, self._fitted(choice.evidence), strict=True):
            model = fitted.model(choice.dims, variance, choice.noise_factor, variance.new_zeros(()))
            for chunk in rows.split(CHUNK_ROWS):
                history, slates = log.observations.history_items[chunk], log.slates[chunk]
                query = model.query(history, log.observations.history_feedback[chunk])
                parts.append(log.item_rewards[chunk] - torch.einsum("nd,nkd->nk", query, model.rewards[slates]))
                repeated.append((slates[:, :, None] == history[:, None, :]).any(dim=2))
        return torch.cat(parts), torch.cat(repeated)

    def _fitted(self, evidence: Tensor) -> list[Components]:
        key = tuple(evidence.tolist())
        if key != self._components[0]:
            self._components = ((), [])
            self._components = (key, [components(self.responses, evidence, kept) for _, kept in self.folds])
        return self._components[1]


def _centred(table: Tensor) -> Tensor:
    return table - table.mean(dim=0)
