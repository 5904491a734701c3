"""Softmax policies over items, and slates drawn from them without replacement: shared by the on-policy agents.

A slate is a Plackett-Luce draw (Plackett, 1975): its first item comes from the softmax of all scores, each further one from the
softmax of those left,

    log P(a_1, ..., a_K) = sum over k of  s(a_k) - log(sum over i not among a_1, ..., a_(k-1) of exp s(i)).

The K largest of the scores plus independent Gumbel noise are such a draw (Yellott, 1977; Kool et al., 2019). Slates of several items are
drawn that way, single items by the inverse of the distribution function: either goes through a catalogue of any size once, stretch by
stretch, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recframe.interfaces import Decision, Observation
from recframe.item_agents.support import Candidates, ItemRange, ItemSupport
from recframe.item_agents.top_columns import best_so_far, top_columns

MAX_SCORES = 2**22
"""Scores held at once in acting: for 64 users, the catalogue is gone through 65,536 items at a time."""


class Preferences(NamedTuple):
    """Scores of all items for N users: s(i) = <query, v_i> + repeat [i in the history], -inf where an item may not be shown.

    query: `[N, d]`.    repeat: `[N]`.    items: the vectors of all items that may be chosen, `[M, d]`.
    """

    query: Tensor
    repeat: Tensor
    observation: Observation
    items: Tensor

    def of(self, slate: Tensor) -> Tensor:
        """Scores `[N, K]` float32 of the items in `slate` `[N, K]`, which may all be shown."""
        again = (slate.unsqueeze(2) == self.observation.history_items.unsqueeze(1)).any(dim=2)
        # probabilities are compared with those of acting: whatever the losses' precision, they are summed up in full
        products = torch.einsum("nd,nkd->nk", self.query, F.embedding(slate, self.items)).float()
        return products + self.repeat.unsqueeze(1) * again

    def over(self, support: ItemSupport) -> Tensor:
        """Scores `[N, m]` float32 of a support's columns."""
        scores = support.add_(support.products(self.query, self.items).float(), self.observation.history_items, self.repeat)
        excluded = self.observation.excluded
        return scores if excluded is None else scores.masked_fill(support.contains(excluded), -torch.inf)


class ItemPolicy(nn.Module):
    """pi(i | s) proportional to exp((<W s + w, v_i> / sqrt(d) + r(s) [i in s's history]) / temperature).

    An inner product cannot single out the few items of the history, so what it is worth, or costs, to show an item again is a score of
    its own. Both start at a hundredth of their usual size: a policy learns best from near uniform (Andrychowicz et al., 2021, section 3.2).
    """

    def __init__(self, state_dim: int, item_dim: int, temperature: float, device: torch.device) -> None:
        super().__init__()
        self.temperature = temperature
        self.query = nn.Linear(state_dim, item_dim, device=device)
        self.repeat = nn.Linear(state_dim, 1, device=device)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(0.01)

    def forward(self, state: Tensor, observation: Observation, items: Tensor) -> Preferences:
        """The preferences in states `[N, S]`, given the vectors `[M, d]` of all items that may be chosen."""
        query = self.query(state) / (self.temperature * items.shape[1] ** 0.5)
        return Preferences(query, self.repeat(state).squeeze(1) / self.temperature, observation, items)


class SlateProbability(NamedTuple):
    """How likely slates are.

    log_prob: `[N]`, of the slate.     item_log_probs: `[N, K]`, of each of its items under the softmax of all items.
    entropy: `[N]`, of that softmax.
    """

    log_prob: Tensor
    item_log_probs: Tensor
    entropy: Tensor


def slate_probability(preferences: Preferences, slate: Tensor) -> SlateProbability:
    """How likely slates `[N, K]` are, differentiably."""
    observation = preferences.observation
    support: ItemSupport = ItemRange(0, len(preferences.items))
    if observation.candidates is not None:
        support = Candidates(observation.candidates)
    scores, own = preferences.over(support), preferences.of(slate)
    log_sum, entropy = LogSumAndEntropy.apply(scores)
    if slate.shape[1] == 1:
        log_probs = own - log_sum.unsqueeze(1)
        return SlateProbability(log_probs.squeeze(1), log_probs, entropy)
    others = scores.masked_fill(support.contains(slate), -torch.inf)
    # what the last item was chosen from is the others and itself
    last = torch.cat([others, own[:, -1:]], dim=1).logsumexp(dim=1)
    left = log_sums_left(own, last)
    return SlateProbability((own - left).sum(dim=1), own - log_sum.unsqueeze(1), entropy)


class LogSumAndEntropy(torch.autograd.Function):
    """Of scores s `[N, m]`, some of them perhaps -inf: log-sum L = log sum_i exp s_i and entropy H of the softmax p, `[N]` each.

    Both share one softmax, and their gradient is closed: dL / ds_i = p_i and dH / ds_i = -p_i (log p_i + H). What autograd would do
    with the formulas goes over the scores several times as often, and that is what learning from a chunk spends its time on.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> tuple[Tensor, Tensor]:
        """L and H."""
        p = scores.softmax(dim=1)
        # the likeliest item says what the sum is: log p = s - L
        log_sum = scores.amax(dim=1) - p.amax(dim=1).log()
        terms = (scores - log_sum.unsqueeze(1)).mul_(p)
        terms.masked_fill_(p == 0, 0.0)  # where s is -inf, the limit of p log p
        entropy = -terms.sum(dim=1)
        ctx.save_for_backward(p, terms, entropy)
        return log_sum, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, log_sum_grad: Tensor, entropy_grad: Tensor) -> Tensor:
        """The gradient of the scores."""
        p, terms, entropy = ctx.saved_tensors
        grad: Tensor = p * (log_sum_grad - entropy_grad * entropy).unsqueeze(1)
        return grad.addcmul_(terms, entropy_grad.unsqueeze(1), value=-1.0)


def log_sums_left(own: Tensor, last: Tensor) -> Tensor:
    """log of the sum of exp s over the items left when each item of a slate was chosen, `[N, K]`.

    own: scores of the slate's items, `[N, K]`.    last: the log-sum when the last one was chosen, `[N]`.

    Summed from the last item to the first: to subtract what was chosen from the sum of all would leave nothing of the digits where a
    policy is nearly sure.
    """
    return torch.cat([last.unsqueeze(1), own[:, :-1].flip(1)], dim=1).logcumsumexp(dim=1).flip(1)


@torch.no_grad()
def best_slate(preferences: Preferences, k: int) -> Decision:
    """The most likely slates `[N, k]`: the items of the highest scores."""
    best: tuple[Tensor, Tensor] | None = None
    for scores, support in _stretches(preferences, k):
        top, columns = top_columns(scores, min(k, scores.shape[1]))
        best = best_so_far(best, top, support.items_at(columns), k)
    assert best is not None
    return Decision(best[1])


@torch.no_grad()
def draw_slate(preferences: Preferences, k: int, generator: torch.Generator) -> Decision:
    """Slates `[N, k]` drawn without replacement, and their exact log-probabilities."""
    if k == 1:
        return _draw_item(preferences, generator)
    perturbed = ((scores + gumbel(scores.shape, generator), scores, items) for scores, items in _stretches(preferences, k))
    chosen = _top(perturbed, k)
    left = log_sums_left(chosen.scores, torch.logaddexp(chosen.log_rest, chosen.scores[:, -1]))
    return Decision(chosen.items, (chosen.scores - left).sum(dim=1))


def _draw_item(preferences: Preferences, generator: torch.Generator) -> Decision:
    """The same for slates of one item: a random number for each user, instead of noise for each item.

    Each stretch draws by the inverse of its distribution function, and its item takes the place of the one before with the share that
    the stretch has of the probability so far (as in reservoir sampling).
    """
    total = torch.full_like(preferences.repeat, -torch.inf).unsqueeze(1)
    item, score = torch.zeros_like(total, dtype=torch.int64), total
    for scores, support in _stretches(preferences, 1):
        log_sum = scores.logsumexp(dim=1, keepdim=True)
        # sums and random numbers of double precision: of single precision, they would leave no room for unlikely items
        below = (scores - log_sum).exp_().cumsum(dim=1, dtype=torch.float64)
        luck, change = torch.rand(2, len(scores), 1, generator=generator, device=generator.device, dtype=torch.float64)
        # the first item whose sum is above, so never one of probability 0; where there is none in a stretch, it is not taken
        column = torch.searchsorted(below, luck * below[:, -1:], right=True).clamp_(max=scores.shape[1] - 1)
        total = torch.logaddexp(total, log_sum)
        taken = change < (log_sum - total).exp()
        item = torch.where(taken, support.items_at(column), item)
        score = torch.where(taken, scores.gather(1, column), score)
    return Decision(item, (score - total).squeeze(1))


def gumbel(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise, -log E of exponential E = -log(1 - U).

    The smallest of many E decides who wins, and there a single-precision uniform number has hardly any digits: a second one adds them.
    """
    device = generator.device
    uniform = torch.rand(shape, generator=generator, device=device)
    uniform.add_(torch.rand(shape, generator=generator, device=device), alpha=2.0**-24)
    # E stays finite: an item that may be shown must not be as unlikely as one that may not
    return uniform.clamp_(max=1 - 2.0**-24).neg_().log1p_().neg_().log_().neg_()


def _stretches(preferences: Preferences, k: int) -> Iterator[tuple[Tensor, ItemSupport]]:
    """The scores `[N, m]` of all items, as many at a time as memory is meant to hold, or of the candidates."""
    observation, num_items = preferences.observation, len(preferences.items)
    if observation.candidates is not None:
        support: ItemSupport = Candidates(observation.candidates)
        yield preferences.over(support), support
        return
    stretch = max(MAX_SCORES // len(preferences.query), k)
    for first in range(0, num_items, stretch):
        support = ItemRange(first, min(first + stretch, num_items))
        yield preferences.over(support), support


class _Chosen(NamedTuple):
    """keys, scores, items: `[N, k]` of the k items of the highest keys, best first.    log_rest: `[N]`, log-sum of all other scores."""

    keys: Tensor
    scores: Tensor
    items: Tensor
    log_rest: Tensor


def _top(stretches: Iterator[tuple[Tensor, Tensor, ItemSupport]], k: int) -> _Chosen:
    """The k best by key of all stretches, each of keys `[N, m]`, scores `[N, m]` and items."""
    best: _Chosen | None = None
    for keys, scores, support in stretches:
        found = _split(keys, scores, min(k, keys.shape[1]))
        best = found._replace(items=support.items_at(found.items)) if best is None else _merged(best, found, support, k)
    assert best is not None
    return best


def _split(keys: Tensor, scores: Tensor, k: int) -> _Chosen:
    """The k best by key; `items` are columns."""
    top, columns = keys.topk(k, dim=1)
    return _Chosen(top, scores.gather(1, columns), columns, scores.scatter(1, columns, -torch.inf).logsumexp(dim=1))


def _merged(best: _Chosen, found: _Chosen, support: ItemSupport, k: int) -> _Chosen:
    both = torch.cat([best.items, support.items_at(found.items)], dim=1)
    kept = _split(torch.cat([best.keys, found.keys], dim=1), torch.cat([best.scores, found.scores], dim=1), k)
    log_rest = torch.stack([kept.log_rest, best.log_rest, found.log_rest]).logsumexp(dim=0)
    return _Chosen(kept.keys, kept.scores, both.gather(1, kept.items), log_rest)
