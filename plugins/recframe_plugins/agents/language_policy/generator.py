"""Items written code by code: draws with their exact probabilities, probabilities of given items, and the search for the best ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from recframe.errors import ModelError
from recframe.interfaces import PAD, Decision, EnvironmentSpec, Observation, StateTracker, own_draws
from recframe.item_codes import AllowedItems, item_codes
from recframe.item_codes.config import CODES_SEED
from recframe.item_codes.titles import TransformersTokens
from recframe.language_models.backbone import Backbone
from recframe.language_models.reading import Reading
from recframe_plugins.agents.language_policy.book import CodeBook
from recframe_plugins.agents.language_policy.code_tokens import CodeTokens, VocabularyTokens
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.open_codes import Taken, drawn, open_log_probs, taken
from recframe_plugins.agents.language_policy.pretrained import pretrained
from recframe_plugins.agents.language_policy.prompts.history import HistoryPrompt
from recframe_plugins.agents.language_policy.prompts.text import PolicyPrompt
from recframe_plugins.agents.language_policy.statistics import WritingStatistics

Parts = TypeVar("Parts", bound=tuple[Tensor, ...])
Result = TypeVar("Result")


BRANCH_TOKENS = 512
"""Tokens that branch off a prompt in one pass: how each sees the others is a table of all pairs."""

BRANCH_LOGITS = 2**25
"""Scores of codes that are computed at once."""


class SlateEvaluation(NamedTuple):
    """How probable given slates are, with gradient.

    log_prob: `[N]`, of the slate: the sum of `token_log_probs`.
    entropy: `[N]`, the sum of the entropies of all choices of a code on the way; over slates that the policy has drawn, its mean is the
        entropy of the slates' distribution.
    value: `[N]`, the value head's estimate.
    token_log_probs: `[N, K, L]`, of each code of each item, under the mask under which it was written.
    is_choice: `[N, K, L]` bool, where more than one code was open; elsewhere the code says nothing about the policy.
    """

    log_prob: Tensor
    entropy: Tensor
    value: Tensor
    token_log_probs: Tensor
    is_choice: Tensor


class PathEvaluation(NamedTuple):
    """How probable given items are, each by itself: of each of their codes, `[N, C, L]`, as in `SlateEvaluation`."""

    log_probs: Tensor
    entropy: Tensor
    is_choice: Tensor


class Ranking(NamedTuple):
    """Items `[N, k]` int64, the most probable first, `PAD` where there are no more, and their log-probabilities `[N, k]`, -inf there."""

    items: Tensor
    log_probs: Tensor


class _Written(NamedTuple):
    """Items `[N, B]`, and their log-probabilities and the entropies on their way, `[N, B]` each."""

    items: Tensor
    log_prob: Tensor
    entropy: Tensor


class ItemGenerator(nn.Module):
    """P(i | s) = product over the levels l of P(c_l(i) | s, c_1(i), ..., c_(l-1)(i)), each a softmax over the codes that are open.

    A code is open if an item that may be shown begins with it: the sum of P over these items is one, and no other item has a probability. A
    slate is drawn item by item; items that were taken leave the tree, and the model does not read what is on the slate. So the
    log-probability of a slate is the sum of its items', each among those left.

    Sampling is from the model's own distribution: no temperature, no top-k, no generation settings of a model.
    """

    def __init__(self, config: LanguagePolicyConfig, spec: EnvironmentSpec, state_tracker: StateTracker) -> None:
        super().__init__()
        self.config, self.spec = config, spec
        catalog, items = state_tracker.data.catalog, config.history_items or spec.history_length
        if items > spec.history_length:
            raise ModelError(
                f"agent.history_items={items}: observations have the last {spec.history_length} items; leave it out, or set "
                "state_tracker.history_length to as many"
            )
        self.prompt: HistoryPrompt | PolicyPrompt
        if config.model is None:
            self.book = CodeBook(item_codes(config.codes, catalog, CODES_SEED), catalog)
            self.backbone = Backbone.from_scratch(config.layers, config.width, config.heads).to(spec.device)
            self.codes = CodeTokens(self.book, self.backbone.dim, spec.device)
            self.prompt = HistoryPrompt(state_tracker, self.backbone.dim, items, self.book if config.history_tokens == "codes" else None)
        else:
            self.backbone, read, write, tokenizer = pretrained(config, spec.device)
            titles = config.codes.kind == "titles"
            in_tokens = TransformersTokens(tokenizer, before=" ") if titles else None
            self.book = CodeBook(item_codes(config.codes, catalog, CODES_SEED, tokens=in_tokens), catalog, compact=titles)
            if titles:
                self.codes = VocabularyTokens(self.book, self.backbone.dim, spec.device, read, write)
            else:
                self.codes = CodeTokens(self.book, self.backbone.dim, spec.device, read.weight, write.weight)
            self.prompt = PolicyPrompt(config, state_tracker, read, tokenizer, items)
        self.value = nn.Linear(self.backbone.dim, 1, device=spec.device)
        self.statistics = WritingStatistics(self.book)

    @property
    def levels(self) -> int:
        """L, the codes that are written for an item."""
        return self.book.levels

    def forward(self, compute: Callable[[ItemGenerator], Result]) -> Result:
        """`compute(self)`: with `torch.func.functional_call`, under other parameters."""
        return compute(self)

    def may_show(self, observation: Observation, items: Tensor, among: Tensor | None = None) -> Tensor:
        """Which of `items` `[N, C]` each user may be shown, `[N, C]` bool; `PAD` is no item.

        among: here and below, `[M]` bool, the items that may be written for anyone; None: all.
        """
        return self.book.tree.is_allowed(self.book.tree.allowed(observation, among), items)

    def read(self, observation: Observation) -> Reading:
        """The prompts of N users, read."""
        prompt = self.prompt(observation, self.codes, self.book)
        self.statistics.read(prompt.present.numel())
        return Reading(self.backbone, prompt)

    @torch.no_grad()
    def draw(
        self, observation: Observation, generator: torch.Generator, explore: bool = True, k: int | None = None, among: Tensor | None = None
    ) -> Decision:
        """Slates `[N, k]` drawn item by item, with their log-probabilities `[N]`; without `explore` the k most probable items, best first.

        k: None: K of the specification.
        """
        k = k or self.spec.slate_size
        if not explore:
            return Decision(self.rank(observation, k).items)
        size = (k, self.levels)
        uniform = own_draws(
            lambda n: torch.rand(n, *size, generator=generator, device=generator.device, dtype=torch.float64), len(observation.user)
        )
        slate, log_prob = self._in_parts(lambda rows: self._slates(observation[rows], uniform[rows], among), observation, self.levels)
        return Decision(slate, log_prob)

    @torch.no_grad()
    def generations(self, observation: Observation, count: int, generator: torch.Generator, among: Tensor | None = None) -> Tensor:
        """`count` items for each user, drawn independently, `[N, count]`: the same item may be drawn again."""
        size = (count, self.levels)
        uniform = torch.rand(len(observation.user), *size, generator=generator, device=generator.device, dtype=torch.float64)
        return self._in_parts(lambda rows: self._groups(observation[rows], uniform[rows], among), observation, count * self.levels)[0]

    def _slates(self, observation: Observation, uniform: Tensor, among: Tensor | None) -> tuple[Tensor, Tensor]:
        """One item after the other by `uniform` `[N, K, L]`, each without those before it."""
        tree, reading = self.book.tree, self.read(observation)
        allowed, written = tree.allowed(observation, among), []
        for place in range(uniform.shape[1]):
            written.append(self._written(reading, allowed, uniform[:, place : place + 1]))
            allowed = tree.without(allowed, written[-1].items)
        items, log_prob, entropy = (torch.cat(parts, dim=1) for parts in zip(*written, strict=True))
        self.statistics.wrote(items, self.may_show(observation, items, among))
        self.statistics.chose(entropy)
        return items, log_prob.sum(dim=1)

    def _groups(self, observation: Observation, uniform: Tensor, among: Tensor | None) -> tuple[Tensor]:
        """Items `[N, G]` by `uniform` `[N, G, L]`, side by side."""
        written = self._written(self.read(observation), self.book.tree.allowed(observation, among), uniform)
        self.statistics.wrote(written.items, self.may_show(observation, written.items, among))
        self.statistics.chose(written.entropy)
        return (written.items,)

    def _written(self, reading: Reading, allowed: AllowedItems, uniform: Tensor) -> _Written:
        """Items drawn in B branches, by `uniform` `[N, B, L]`."""
        reading.restart()
        branches = uniform.shape[1]
        node = torch.zeros(uniform.shape[:2], dtype=torch.int64, device=uniform.device)
        hidden, choices = reading.last.unsqueeze(1).expand(-1, branches, -1), []
        for level in range(self.levels):
            log_probs = open_log_probs(self.codes.logits(hidden, level), self.book.tree.allowed_codes(node, allowed, level))
            code = drawn(log_probs, uniform[..., level])
            choices.append(taken(log_probs, code))
            node = self.book.tree.step(node, code)
            if level < self.levels - 1:
                hidden = self._write(reading, code, level)
        log_prob, entropy = (torch.stack([one[part] for one in choices]).sum(dim=0) for part in (0, 1))
        return _Written(self.book.item(node), log_prob, entropy)

    def _write(self, reading: Reading, code: Tensor, level: int) -> Tensor:
        """The vectors `[N, B, E]` after one more code in each branch, `[N, B]`."""
        self.statistics.read(code.numel())
        return reading.write(self.codes.vectors(code.unsqueeze(2), level).squeeze(2))

    def evaluate(self, observation: Observation, slate: Tensor) -> SlateEvaluation:
        """The probabilities of slates `[N, K]`, as they are drawn, and the values of the observations, with gradient."""
        tokens = slate.shape[1] * self.levels
        return SlateEvaluation(*self._in_parts(lambda rows: self._evaluated(observation[rows], slate[rows]), observation, tokens))

    def _evaluated(self, observation: Observation, slate: Tensor) -> tuple[Tensor, ...]:
        users, k = slate.shape
        reading = self.read(observation)
        # the k-th item was drawn without those before it
        row = torch.arange(users, device=slate.device).repeat_interleave(k)
        before = torch.ones(k, k, dtype=torch.bool, device=slate.device).tril(diagonal=-1).repeat(users, 1)
        allowed = self.book.tree.without(self.book.tree.allowed(observation).rows(row), slate[row].masked_fill(~before, PAD))
        path = self._of_paths(reading, slate, allowed, flat=True)
        value = self.value(reading.last).squeeze(1)
        return path.log_probs.sum(dim=(1, 2)), path.entropy.sum(dim=(1, 2)), value, path.log_probs, path.is_choice

    def values(self, observation: Observation) -> Tensor:
        """The value head's estimates `[N]`, with gradient."""
        return self._in_parts(lambda rows: (self._values(observation[rows]),), observation, 0)[0]

    def _values(self, observation: Observation) -> Tensor:
        values: Tensor = self.value(self.read(observation).last).squeeze(1)
        return values

    def log_prob_of_items(self, observation: Observation, items: Tensor, among: Tensor | None = None) -> Tensor:
        """log P(i | s) `[N, C]` of items `[N, C]`, with gradient; -inf for those that may not be shown, and for `PAD`."""
        return self.evaluate_items(observation, items, among).log_probs.sum(dim=2)

    def evaluate_items(self, observation: Observation, items: Tensor, among: Tensor | None = None) -> PathEvaluation:
        """The probabilities of the codes of items `[N, C]`, each item by itself, with gradient."""
        tokens = items.shape[1] * self.levels
        return PathEvaluation(*self._in_parts(lambda rows: self._of_items(observation[rows], items[rows], among), observation, tokens))

    def _of_items(self, observation: Observation, items: Tensor, among: Tensor | None) -> PathEvaluation:
        reading, allowed = self.read(observation), self.book.tree.allowed(observation, among)
        size = max(BRANCH_TOKENS // self.levels, 1)
        parts = [self._of_paths(reading, part, allowed) for part in items.split(size, dim=1)]
        return PathEvaluation(*(torch.cat(values, dim=1) for values in zip(*parts, strict=True)))

    def _of_paths(self, reading: Reading, items: Tensor, allowed: AllowedItems, flat: bool = False) -> PathEvaluation:
        """The codes of `items` `[N, C]`.

        flat: `allowed` is that of each of the N * C items, otherwise of each of the N users.
        """
        codes = self.book.of(items)
        prefix = self.codes.vectors(codes[..., :-1])
        self.statistics.read(prefix[..., 0].numel())
        first = reading.last[:, None, None].expand(-1, items.shape[1], -1, -1)
        hidden = torch.cat([first, reading.branches(prefix)], dim=2)
        nodes = self.book.path(items)
        choices = []
        for level in range(self.levels):
            node = nodes[..., level]
            is_open = self.book.tree.allowed_codes(node.reshape(-1, 1) if flat else node, allowed, level)
            logits = self.codes.logits(hidden[:, :, level], level)
            choices.append(taken(open_log_probs(logits, is_open.view_as(logits)), codes[..., level]))
        return PathEvaluation(*(torch.stack([getattr(one, name) for one in choices], dim=2) for name in Taken._fields))

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Ranking:
        """The k most probable items, by beam search; exactly in catalogues of up to `exact_items` items."""
        beams = self.spec.num_items if self.spec.num_items <= self.config.exact_items else max(self.config.beams, k)
        return Ranking(*self._in_parts(lambda rows: self._ranked(observation[rows], k, beams), observation, beams * self.levels))

    @torch.no_grad()
    def log_probs(self, observation: Observation) -> Tensor:
        """log P(i | s) `[N, M]` of all items, -inf for those that may not be shown: what follows each prefix of codes is computed once."""
        tokens = min(self.book.tree.num_items * self.levels, BRANCH_TOKENS)
        return self._in_parts(lambda rows: (self._of_all(observation[rows]),), observation, tokens)[0]

    def _of_all(self, observation: Observation) -> Tensor:
        """log P(i | s) `[N, M]`, from the root of the tree on."""
        reading, tree, users = self.read(observation), self.book.tree, len(observation.user)
        allowed = tree.allowed(observation)
        log_probs = reading.last.new_full((users, len(tree)), -torch.inf, dtype=torch.float32)
        log_probs[:, 0] = 0.0
        for level in range(self.levels):
            nodes = torch.arange(self.book.num_prefixes[level], device=log_probs.device) + tree.offsets[level]
            size = min(BRANCH_TOKENS // max(level, 1), BRANCH_LOGITS // (users * self.book.sizes[level]))
            for part in nodes.split(max(size, 1)):
                hidden = self._after_prefixes(reading, part, level)
                is_open = tree.allowed_codes(part.expand(users, -1), allowed, level)
                of_codes = open_log_probs(self.codes.logits(hidden, level), is_open)
                # the children of neighbours are neighbours
                place = torch.arange(len(part), device=part.device).repeat_interleave(tree.child_end[part] - tree.child_first[part])
                children = torch.arange(len(place), device=part.device) + tree.child_first[part[0]]
                log_probs[:, children] = log_probs[:, part[place]] + of_codes[:, place, tree.code[children]]
        leaves = torch.arange(tree.num_items, device=log_probs.device) + tree.offsets[self.levels]
        found = log_probs[:, leaves[self.book.item(leaves).argsort()]]
        best = found.max(dim=1, keepdim=True)
        items = best.indices.masked_fill(best.values.isneginf(), PAD)
        self.statistics.wrote(items, self.may_show(observation, items))
        return found

    def _after_prefixes(self, reading: Reading, nodes: Tensor, level: int) -> Tensor:
        """The vectors `[N, B, E]` after the `level` codes that lead to each of B nodes."""
        if not level:
            return reading.last.unsqueeze(1)
        codes = self.book.of(self.book.item(nodes))[:, :level]
        self.statistics.read(len(reading.last) * codes.numel())
        return reading.branches(self.codes.vectors(codes).expand(len(reading.last), -1, -1, -1))[:, :, -1]

    def _ranked(self, observation: Observation, k: int, beams: int) -> tuple[Tensor, Tensor]:
        """Beam search: the `beams` most probable prefixes of each length that lead to an item that may be shown."""
        reading, allowed = self.read(observation), self.book.tree.allowed(observation)
        node, hidden = torch.zeros_like(observation.user).unsqueeze(1), reading.last.unsqueeze(1)
        score = torch.zeros_like(node, dtype=torch.float32)
        for level in range(self.levels):
            log_probs = open_log_probs(self.codes.logits(hidden, level), self.book.tree.allowed_codes(node, allowed, level))
            size = log_probs.shape[2]
            width = min(beams, self.book.num_prefixes[level + 1], node.shape[1] * size)
            score, chosen = (score.unsqueeze(2) + log_probs).flatten(1).topk(width, dim=1)
            parent, code = chosen // size, chosen % size
            node = self.book.tree.step(node.gather(1, parent), code).masked_fill(score.isneginf(), -1)
            if level < self.levels - 1:
                reading.follow(parent)
                hidden = self._write(reading, code, level)
        items = self.book.item(node)[:, :k]
        self.statistics.wrote(items, self.may_show(observation, items))
        missing = k - items.shape[1]
        return F.pad(items, (0, missing), value=PAD), F.pad(score[:, :k], (0, missing), value=-torch.inf)

    def _in_parts(self, compute: Callable[[Tensor], Parts], observation: Observation, tokens: int) -> Parts:
        """The results of `compute(rows)` for all users, of so many at a time that their tokens are bounded; joined in order.

        With gradient, what is needed of a part is computed again in the backward pass, so that memory is that of one part.
        """
        users = len(observation.user)
        size = max(self.config.batch_tokens // (self.prompt.length(observation) + tokens), 1)
        rows = torch.arange(users, device=observation.user.device)
        if users <= size:
            return compute(rows)
        if torch.is_grad_enabled():
            results = [checkpoint(compute, part, use_reentrant=False) for part in rows.split(size)]
        else:
            results = [compute(part) for part in rows.split(size)]
        return tuple(torch.cat(values) for values in zip(*results, strict=True))  # type: ignore[return-value]
