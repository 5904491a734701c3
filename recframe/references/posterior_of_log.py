"""Fits the model of `posterior_greedy` to logged responses, each to a few of the items: what an agent can do that knows no truth.

A person's responses to one item in several sessions are not independent: what is peculiar to this person and item comes again. Their mean
of n responses is one observation, with the variance p + t / n, where t is the variance of a person's responses to an item about their mean,
and p that of what the factors do not explain and comes again. It counts (p + t) / (p + t / n) times as much as one response. Without this,
a model of people who always say the same (t = 0) would take their peculiarities for tastes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import ResponseLog
from recframe.references.evidence import evidence_candidates
from recframe.references.factor_analysis import Factors, ResponseTable, fit_factors, loadings_of
from recframe.references.item_means import mean_values
from recframe.references.posterior_greedy import ResponseModel

# the dims with which the evidence is chosen, and the most that are tried then by default
FIRST_DIMS = 8
MAX_DIMS = 16


def fit_to_log(log: ResponseLog, num_items: int, generator: torch.Generator, max_dims: int = MAX_DIMS) -> ResponseModel:
    """The model by Bayesian factor analysis (`fit_factors`). Items that are not in the log have the mean reward, and no loadings.

    The evidence and the number of factors, one of `tried_dims(max_dims)`, are those that predict best what people who are not in the fit
    say to one half of a session's items from what they say to the other half.
    """
    # what a repeated item is worth is fitted by itself, as people may tire of it
    fresh = log.rows((~log.repeated).nonzero().squeeze(1))
    rewards = _centred(fresh.items, fresh.rewards)
    candidates = evidence_candidates([_centred(fresh.items, signal) for signal in fresh.signals.unbind(1)], rewards)
    judge = _Judge(fresh, num_items, generator, max(max_dims, MAX_DIMS))
    evidence = min(candidates, key=lambda e: judge.error(e, FIRST_DIMS)) if len(candidates) > 1 else candidates[0]
    dims = min(tried_dims(max_dims), key=lambda d: judge.error(evidence, d))
    fit = _fit(fresh, evidence, dims, num_items, judge.start)
    return fit.model._replace(repeat=_repeat(log, fit))


def tried_dims(max_dims: int) -> list[int]:
    """The numbers of factors that are tried: the powers of two from 2 on that are below `max_dims`, and `max_dims` itself."""
    return [*(2**power for power in range(1, max_dims.bit_length()) if 2**power < max_dims), max_dims]


class _Fit(NamedTuple):
    """A model, and the factors `[P, d]` of the people with these numbers `[P]`, ascending."""

    model: ResponseModel
    numbers: Tensor
    factors: Tensor


def _fit(log: ResponseLog, evidence: Tensor, dims: int, num_items: int, start: Tensor) -> _Fit:
    """Fit to a log without repeated items. `start` `[M, D]` are random numbers, of which d columns are used."""
    numbers, people = log.people.unique(return_inverse=True)
    pairs = _pairs(log, people, log.signals @ evidence, num_items)
    # only the items of the log take memory of d^2
    shown, items = pairs.items.unique(return_inverse=True)
    means, reward_means = mean_values(pairs.items, pairs.responses, num_items), mean_values(pairs.items, pairs.rewards, num_items)
    surprise, reward = pairs.responses - means[pairs.items], pairs.rewards - reward_means[pairs.items]
    scale, reward_scale = (values.square().mean().sqrt().clamp(min=1e-6) for values in (surprise, reward))
    surprise, passing = surprise / scale, pairs.passing / scale**2

    def table(values: Tensor) -> ResponseTable:
        return ResponseTable(pairs.people, items, values, len(numbers), len(shown))

    def fitted(weights: Tensor) -> tuple[Factors, ResponseTable]:
        counts = table(weights)
        squares = (weights * surprise.square()).sum()
        return fit_factors(counts, table(weights * surprise), squares, len(items), start[shown, :dims]), counts

    weights = pairs.weights((1.0 - passing).clamp(min=0.0), passing)
    factors, counts = fitted(weights)
    # the noise is the mean of w (p + t / n)
    lasting = (factors.noise - passing * (weights / pairs.counts).mean()) / weights.mean()
    again = pairs.weights(lasting.clamp(min=0.0), passing)
    if not torch.allclose(again, weights, rtol=0.01):
        weights = again
        factors, counts = fitted(weights)
    reward_loadings = loadings_of(factors, counts, table(weights * reward / reward_scale)) * reward_scale
    # an uncertain loading makes a response less informative; that of an item without responses is as uncertain as the prior
    noise = scale**2 * (factors.noise + factors.uncertainty.diagonal(dim1=1, dim2=2).sum(dim=1))
    unseen = scale**2 * (factors.noise + factors.prior.sum())

    def all_items(values: Tensor) -> Tensor:
        return values.new_zeros(num_items + 1, *values.shape[1:]).index_copy_(0, shown, values)

    model = ResponseModel(
        evidence=evidence,
        means=F.pad(means, (0, 1)),
        loadings=all_items(factors.loadings * scale),
        noise=unseen.expand(num_items + 1).index_copy(0, shown, noise),
        rewards=torch.cat([all_items(reward_loadings), F.pad(reward_means, (0, 1))[:, None]], dim=1),
        repeat=scale.new_zeros(()),
    )
    return _Fit(model, numbers, factors.people)


class _Pairs(NamedTuple):
    """The mean response and reward `[n]` of each person, a row of those in the fit, to each item, from `counts` `[n]` responses.

    passing: t of the module docstring, a scalar; 0 if nobody responded to an item twice.
    """

    people: Tensor
    items: Tensor
    responses: Tensor
    rewards: Tensor
    counts: Tensor
    passing: Tensor

    def weights(self, lasting: Tensor, passing: Tensor) -> Tensor:
        """(p + t) / (p + t / n) `[n]` with p = `lasting` and t = `passing`; 1 if both are 0."""
        total = lasting + passing
        return torch.where(total > 0, total / (lasting + passing / self.counts).clamp(min=1e-12), 1.0)


def _pairs(log: ResponseLog, people: Tensor, responses: Tensor, num_items: int) -> _Pairs:
    pairs, place = (people * num_items + log.items).unique(return_inverse=True)
    counts = torch.bincount(place, minlength=len(pairs)).to(responses)

    def means(values: Tensor) -> Tensor:
        return values.new_zeros(len(pairs)).index_add_(0, place, values) / counts

    mean = means(responses)
    passing = (responses - mean[place]).square().sum() / (counts - 1).sum().clamp(min=1)
    return _Pairs(pairs // num_items, pairs % num_items, mean, means(log.rewards), counts, passing)


class _Judge:
    """The errors of models on people who are not in the fit."""

    def __init__(self, log: ResponseLog, num_items: int, generator: torch.Generator, max_dims: int) -> None:
        self.num_items = num_items
        device = log.items.device
        self.start = torch.randn(num_items, max_dims, generator=generator, device=device)
        numbers, people = log.people.unique(return_inverse=True)
        fitted = (torch.randperm(len(numbers), generator=generator, device=device) % 2 == 0)[people]
        given = torch.rand(len(people), generator=generator, device=device) < 0.5
        self.fitted, self.given, self.asked = (log.rows(part.nonzero().squeeze(1)) for part in (fitted, ~fitted & given, ~fitted & ~given))

    def error(self, evidence: Tensor, dims: int) -> float:
        """The variance of what the predicted rewards miss; 0 if there are too few people."""
        if not all(len(part.people) for part in (self.fitted, self.given, self.asked)):
            return 0.0
        model = _fit(self.fitted, evidence, dims, self.num_items, self.start).model
        # what a person said in other sessions would tell more than a session does
        numbers, sessions = torch.cat([self.given.sessions, self.asked.sessions]).unique(return_inverse=True)
        given, asked = sessions.split([len(self.given.items), len(self.asked.items)])
        factors = _factors(model, given, self.given, len(numbers))
        missed = self.asked.rewards - _predicted(model, factors[asked], self.asked.items)
        return float(missed.double().var(correction=0))


def _factors(model: ResponseModel, sessions: Tensor, log: ResponseLog, num_sessions: int) -> Tensor:
    """E[z | x] `[S, d]` given the responses in each session; `sessions` `[n]` are the numbers of theirs."""
    shown, items = log.items.unique(return_inverse=True)
    loadings, noise = model.loadings[shown], model.noise[shown, None]
    surprise = log.signals @ model.evidence - model.means[log.items]
    counts = ResponseTable(sessions, items, torch.ones_like(surprise), num_sessions, len(shown))
    sums = ResponseTable(sessions, items, surprise, num_sessions, len(shown))
    dims = loadings.shape[1]
    precision = counts.over_items(loadings[:, :, None] * (loadings / noise)[:, None, :]) + torch.eye(dims, device=noise.device)
    factor = torch.linalg.cholesky_ex(precision).L
    return torch.cholesky_solve(sums.over_items(loadings / noise)[:, :, None], factor).squeeze(2)


def _predicted(model: ResponseModel, factors: Tensor, items: Tensor) -> Tensor:
    """Expected rewards `[n]` of `items` `[n]` for people with these factors `[n, d]`."""
    rewards = model.rewards[items]
    return (factors * rewards[:, :-1]).sum(dim=1) + rewards[:, -1]


def _repeat(log: ResponseLog, fit: _Fit) -> Tensor:
    """By how much the reward of a repeated item exceeds its expectation, shrunk to zero, a scalar."""
    place = torch.searchsorted(fit.numbers, log.people).clamp(max=len(fit.numbers) - 1)
    counted = log.repeated & (fit.numbers[place] == log.people)
    missed = log.rewards - _predicted(fit.model, fit.factors[place], log.items)
    return (missed * counted).sum() / (counted.sum() + 1)


def _centred(items: Tensor, values: Tensor) -> Tensor:
    return values - mean_values(items, values, int(items.max()) + 1)[items]
