"""Softmax policies over items, and slates drawn from them without replacement.

A slate is a Plackett-Luce draw (Plackett, 1975): its first item is drawn from the softmax of all scores, each further item from the
softmax of the scores left,

    log P(a_1, ..., a_K) = sum over k of  s(a_k) - log(sum over i not among a_1, ..., a_(k-1) of exp s(i)).

The K largest of the scores plus independent Gumbel noise are such a draw (Yellott, 1977; Kool et al., 2019). Slates of several items are
drawn in this way, single items by the inverse of the distribution function. Both read the scores of a catalogue once, part by part, in
bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recframe.interfaces import Decision, Observation, own_draws
from recframe.item_agents.item_columns import CandidateColumns, ItemColumns, ItemRange
from recframe.item_agents.item_scores import QueryScores
from recframe.item_agents.prior_scores import prior_weight
from recframe.item_agents.working_set import Items

MAX_SCORES = 2**22
"""Scores computed at once in drawing: for 64 users, 65,536 items at a time."""


@dataclass(eq=False)
class PolicyScores(QueryScores):
    """Scores of which a policy is the softmax, in float32 whatever the precision of the losses: it compares probabilities of acting and
    of learning.
    """

    observation: Observation

    def products(self, chosen: Tensor) -> Tensor:
        """<query, v_i> `[N, C]` float32 of the items numbered `chosen` `[N, C]`."""
        return super().products(chosen).float()

    def column_products(self, columns: ItemColumns) -> Tensor:
        """<query, v_i> `[N, m]` float32 of the items in `columns`; -inf in columns that hold no item."""
        return super().column_products(columns).float()

    def allowed(self, columns: ItemColumns) -> Tensor:
        """The same, with -inf for excluded items."""
        scores, excluded = self.over(columns), self.observation.excluded
        return scores if excluded is None else scores.masked_fill(columns.contains(excluded), -torch.inf)


class ItemPolicy(nn.Module):
    """pi(i | s) proportional to exp((<W s + w, v_i> / sqrt(d) + r(s) [i in s's history]) / temperature + prior(i)).

    An inner product cannot single out the few items of the history, so showing an item again has a term of its own. The weights of both
    terms are initialized at a hundredth of the usual size: a policy learns best from near uniform (Andrychowicz et al., 2021, section 3.2).

    Parameters
    ----------
    prior_start: the weight at the start of a prior over candidates (`EnvironmentSpec.prior_weight`); None: there is none.
    """

    def __init__(self, state_dim: int, item_dim: int, temperature: float, device: torch.device, prior_start: float | None = None) -> None:
        super().__init__()
        self.temperature = temperature
        self.query = nn.Linear(state_dim, item_dim, device=device)
        self.repeat = nn.Linear(state_dim, 1, device=device)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(0.01)
        self.prior = prior_weight(prior_start, device)

    def forward(self, state: Tensor, observation: Observation, items: Tensor) -> PolicyScores:
        """The scores in states `[N, S]`, given the vectors `[M, d]` of all items that may be chosen."""
        query = self.query(state) / (self.temperature * items.shape[1] ** 0.5)
        repeat = self.repeat(state).squeeze(1) / self.temperature
        prior = None if self.prior is None else self.prior(observation)
        return PolicyScores(query, repeat, observation.history_items, items, observation, prior=prior)


class SlateProbability(NamedTuple):
    """Probabilities of slates.

    log_prob: `[N]`, of the slate.     item_log_probs: `[N, K]`, of each of its items under the softmax over all items.
    entropy: `[N]`, of that softmax.
    """

    log_prob: Tensor
    item_log_probs: Tensor
    entropy: Tensor


def slate_probability(policy: PolicyScores, slate: Tensor) -> SlateProbability:
    """The probabilities of slates `[N, K]`, differentiable."""
    candidates = policy.observation.candidates
    columns: ItemColumns = ItemRange(0, len(policy.items)) if candidates is None else CandidateColumns(candidates)
    scores, own = policy.allowed(columns), policy.of(slate)
    log_sum, entropy = LogSumAndEntropy.apply(scores)  # type: ignore[no-untyped-call]  # torch
    if slate.shape[1] == 1:
        log_probs = own - log_sum.unsqueeze(1)
        return SlateProbability(log_probs.squeeze(1), log_probs, entropy)
    others = scores.masked_fill(columns.contains(slate), -torch.inf)
    # the last item was chosen among itself and the items not in the slate
    last = torch.cat([others, own[:, -1:]], dim=1).logsumexp(dim=1)
    left = log_sums_left(own, last)
    return SlateProbability((own - left).sum(dim=1), own - log_sum.unsqueeze(1), entropy)


class LogSumAndEntropy(torch.autograd.Function):
    """Log-sum L = log sum_i exp s_i and entropy H of the softmax p of scores s `[N, m]`, which may be -inf; `[N]` each.

    Both use one softmax, and their gradients have a closed form: dL / ds_i = p_i and dH / ds_i = -p_i (log p_i + H). Autograd would pass
    over the scores several times as often, and these passes take most of the time of learning from a chunk.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> tuple[Tensor, Tensor]:
        """L and H."""
        p = scores.softmax(dim=1)
        # the most probable item gives the sum: log p = s - L
        log_sum = scores.amax(dim=1) - p.amax(dim=1).log()
        terms = (scores - log_sum.unsqueeze(1)).mul_(p)
        terms.masked_fill_(p == 0, 0.0)  # the limit of p log p where s is -inf
        entropy = -terms.sum(dim=1)
        ctx.save_for_backward(p, terms, entropy)
        return log_sum, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, log_sum_grad: Tensor, entropy_grad: Tensor) -> Tensor:
        """The gradient with respect to the scores."""
        p, terms, entropy = ctx.saved_tensors
        grad: Tensor = p * (log_sum_grad - entropy_grad * entropy).unsqueeze(1)
        return grad.addcmul_(terms, entropy_grad.unsqueeze(1), value=-1.0)


def log_sums_left(own: Tensor, last: Tensor) -> Tensor:
    """The log of the sum of exp s over the items that were left when each item of a slate was chosen, `[N, K]`.

    own: scores of the slate's items, `[N, K]`.    last: the log-sum when the last one was chosen, `[N]`.

    Summed from the last item to the first: subtracting the chosen items from the sum of all would lose all digits where a policy is nearly
    deterministic.
    """
    return torch.cat([last.unsqueeze(1), own[:, :-1].flip(1)], dim=1).logcumsumexp(dim=1).flip(1)


def allowed_columns(observation: Observation, items: Items) -> ItemColumns:
    """The columns of the items that sums run over: the candidates if there are any, otherwise all items that may be chosen."""
    candidates = observation.candidates
    return ItemRange(0, items.num_items) if candidates is None else CandidateColumns(candidates)


def allowed_scores(scores: QueryScores, observation: Observation, items: Items) -> Tensor:
    """The scores `[N, m]` float32 in the `allowed_columns`, -inf for items that may not be shown."""
    columns = allowed_columns(observation, items)
    values = scores.over(columns).float()
    return values if observation.excluded is None else values.masked_fill(columns.contains(observation.excluded), -torch.inf)


def weighted(scores: Tensor, observation: Observation, items: Items) -> Tensor:
    """`scores` `[N, m]` in the `allowed_columns` plus their log-weights: a softmax or log-sum over them estimates that of the catalogue."""
    weights = items.log_weights if observation.candidates is None else None
    return scores if weights is None else scores + weights


def log_probability(policy: PolicyScores, chosen: Tensor, items: Items) -> Tensor:
    """log pi(i | s) `[N, C]` of the items numbered `chosen` `[N, C]`, differentiable; over a working set, the log-sum is estimated.

    Its negative is the cross-entropy of the next item.
    """
    scores = weighted(allowed_scores(policy, policy.observation, items), policy.observation, items)
    return policy.of(chosen) - scores.logsumexp(dim=1, keepdim=True)


@torch.no_grad()
def draw_slate(policy: PolicyScores, k: int, generator: torch.Generator) -> Decision:
    """Slates `[N, k]` drawn without replacement, and their exact log-probabilities."""
    if k == 1:
        return _draw_item(policy, generator)
    perturbed = ((scores + gumbel(scores.shape, generator), scores, items) for scores, items in _parts(policy, k))
    chosen = _top(perturbed, k)
    left = log_sums_left(chosen.scores, torch.logaddexp(chosen.log_rest, chosen.scores[:, -1]))
    return Decision(chosen.items, (chosen.scores - left).sum(dim=1))


def _draw_item(policy: PolicyScores, generator: torch.Generator) -> Decision:
    """`draw_slate` for single items: two random numbers for each user, instead of noise for each item.

    In each part of the catalogue an item is drawn by the inverse of the part's distribution function. It replaces the item drawn before
    with the part's share of the probability so far (as in reservoir sampling).
    """
    total = torch.full_like(policy.repeat, -torch.inf).unsqueeze(1)
    item, score = torch.zeros_like(total, dtype=torch.int64), total
    for scores, columns in _parts(policy, 1):
        log_sum = scores.logsumexp(dim=1, keepdim=True)
        # sums and random numbers in double precision: in single precision, improbable items could never be drawn
        below = (scores - log_sum).exp_().cumsum(dim=1, dtype=torch.float64)
        draws, replaces = own_draws(
            lambda n: torch.rand(2, n, 1, generator=generator, device=generator.device, dtype=torch.float64), len(scores), dim=1
        )
        # the first item whose sum is above, so never one of probability 0; a part without any probability is not taken
        chosen = torch.searchsorted(below, draws * below[:, -1:], right=True).clamp_(max=scores.shape[1] - 1)
        total = torch.logaddexp(total, log_sum)
        taken = replaces < (log_sum - total).exp()
        item = torch.where(taken, columns.items_at(chosen), item)
        score = torch.where(taken, scores.gather(1, chosen), score)
    return Decision(item, (score - total).squeeze(1))


def gumbel(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise, -log E of exponential E = -log(1 - U).

    The smallest of many E is the winner, and near 0 a single-precision uniform number has few digits: a second number adds them.
    """
    device = generator.device
    users, *others = shape

    def draw() -> Tensor:
        return own_draws(lambda n: torch.rand(n, *others, generator=generator, device=device), users)

    uniform = draw().add_(draw(), alpha=2.0**-24)
    # E stays finite: items that may be shown must not get -inf, the score of those that may not
    return uniform.clamp_(max=1 - 2.0**-24).neg_().log1p_().neg_().log_().neg_()


def _parts(policy: PolicyScores, k: int) -> Iterator[tuple[Tensor, ItemColumns]]:
    """The scores `[N, m]` of the candidates, or of all items, at most `MAX_SCORES` at a time."""
    candidates, num_items = policy.observation.candidates, len(policy.items)
    if candidates is not None:
        columns: ItemColumns = CandidateColumns(candidates)
        yield policy.allowed(columns), columns
        return
    size = max(MAX_SCORES // len(policy.query), k)
    for first in range(0, num_items, size):
        columns = ItemRange(first, min(first + size, num_items))
        yield policy.allowed(columns), columns


class _Chosen(NamedTuple):
    """The k items of the highest keys, best first: keys, scores, items `[N, k]`.    log_rest: `[N]`, the log-sum of all other scores."""

    keys: Tensor
    scores: Tensor
    items: Tensor
    log_rest: Tensor


def _top(parts: Iterator[tuple[Tensor, Tensor, ItemColumns]], k: int) -> _Chosen:
    """The k items of the highest keys in all parts, each of which has keys `[N, m]`, scores `[N, m]` and columns."""
    best: _Chosen | None = None
    for keys, scores, columns in parts:
        found = _split(keys, scores, min(k, keys.shape[1]))
        best = found._replace(items=columns.items_at(found.items)) if best is None else _merged(best, found, columns, k)
    assert best is not None
    return best


def _split(keys: Tensor, scores: Tensor, k: int) -> _Chosen:
    """The k highest keys; `items` are column numbers."""
    top, columns = keys.topk(k, dim=1)
    return _Chosen(top, scores.gather(1, columns), columns, scores.scatter(1, columns, -torch.inf).logsumexp(dim=1))


def _merged(best: _Chosen, found: _Chosen, columns: ItemColumns, k: int) -> _Chosen:
    both = torch.cat([best.items, columns.items_at(found.items)], dim=1)
    kept = _split(torch.cat([best.keys, found.keys], dim=1), torch.cat([best.scores, found.scores], dim=1), k)
    log_rest = torch.stack([kept.log_rest, best.log_rest, found.log_rest]).logsumexp(dim=0)
    return _Chosen(kept.keys, kept.scores, both.gather(1, kept.items), log_rest)
