"""Supervised learning: the cross-entropy of the items that people took, code by code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from recframe.interfaces import NO_LIST, PAD, EnvironmentSpec, Experience, Log, Observation, SequenceBatch, Sequences, Transition
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.logged.met_before import MetBefore
from recframe_plugins.agents.language_policy.logged.replayed import clicked, replay_of
from recframe_plugins.agents.language_policy.open_codes import open_log_probs, taken
from recframe_plugins.agents.language_policy.packing import Branches, read_branches
from recframe_plugins.agents.language_policy.prompts.history import HistoryPrompt
from recframe_plugins.agents.language_policy.rules import OPTIMIZER, LearningRule

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy
    from recframe_plugins.agents.language_policy.generator import ItemGenerator


class CrossEntropy(LearningRule):
    """-log P(i | s) of the items that people took, among all items that occur in the log and could be recommended.

    A decoder that is made from scratch learns from all places of a sequence in one pass. Where observations have a context or features,
    which sequences lack, or the log says among what single decisions chose, for models that read text, and for those that read less of the
    history than the state tracker, it learns from single interactions: in one pass, later places would have read items that they do not
    read when they act.
    """

    def __init__(self, config: LanguagePolicyConfig, spec: EnvironmentSpec) -> None:
        super().__init__(config)
        self.length = spec.history_length
        reads_all = config.history_items is None or config.history_items == self.length
        self.whole_sequences = self._fits = config.model is None and reads_all and not (spec.has_context or spec.num_features)

    @property
    def experience(self) -> Experience:
        """Whole sequences, or transitions."""
        size = self.config.batch_size
        return Sequences(size, self.length, with_choices=True) if self.whole_sequences else replay_of(size)

    def prepare_to_learn(self, log: Log) -> None:
        """Read whether the log says among what its decisions chose."""
        choices, says = log.choices, False
        if choices is not None:
            # a list of exclusions takes the place of the items met before, also if it is empty
            says = bool((choices.listed | (choices.excluded != NO_LIST) | (choices.above > 0)).any())
        self.whole_sequences = self._fits and not says

    def losses(self, agent: LanguagePolicy, batch: SequenceBatch | Transition) -> Iterator[tuple[str, Tensor]]:
        """One step; none for a batch in which nothing was taken."""
        policy = agent.policy
        among = agent.logged_items.among
        log_probs = sequence_log_probs(policy, batch, among) if isinstance(batch, SequenceBatch) else taken_log_probs(policy, batch, among)
        if len(log_probs):
            yield OPTIMIZER, -log_probs.mean()


def taken_log_probs(policy: ItemGenerator, batch: Transition, among: Tensor | None) -> Tensor:
    """log P `[n]` of all items of slates that were taken, and that may be shown."""
    path = policy.evaluate_items(batch.observation, batch.slate, among)
    log_probs = path.log_probs.sum(dim=2)
    learned = clicked(batch) & ~log_probs.isneginf()
    policy.statistics.chose(path.entropy.sum(dim=2)[learned])
    return log_probs[learned]


def sequence_log_probs(policy: ItemGenerator, batch: SequenceBatch, among: Tensor | None) -> Tensor:
    """log P(next item) `[n]` of all places of sequences `[B, L + 1]` after which an item was taken.

    The history is read once. At each of these places the state token and the codes of the next item branch off from it: they see the items
    up to that place, and each other.
    """
    items = batch.item[:, :-1]
    observation = Observation(user=batch.user, history_items=items, history_feedback=batch.feedback[:, :-1], batch_size=[len(items)])
    target = batch.item[:, 1:].masked_fill(items == PAD, PAD)
    if batch.clicked is not None:
        target = target.masked_fill(~batch.clicked[:, 1:], PAD)
    met: MetBefore | None = None
    if batch.earlier is not None:
        met = MetBefore(policy.book.tree, batch.earlier, batch.item, among)
        target = target.masked_fill(met.again[:, 1:], PAD)
    learned = target != PAD
    if not bool(learned.any()):
        return policy.value.weight.new_zeros(0)
    assert isinstance(policy.prompt, HistoryPrompt)
    sequence, place = learned.nonzero(as_tuple=True)
    codes = policy.book.of(target[learned])
    states = policy.prompt.states(observation, learned).unsqueeze(1)
    tokens = torch.cat([states, policy.codes.vectors(codes[:, :-1])], dim=1)
    branches = Branches(tokens, sequence, 1 + policy.prompt.tokens_per_item * (place + 1))
    history = policy.prompt.history(observation, policy.codes, policy.book)
    hidden, passed = read_branches(policy.backbone, history, branches, policy.config.batch_tokens)
    policy.statistics.read(passed)
    nodes = policy.book.path(target[learned])
    closed = None if met is None else [met.closed(level, nodes[:, level], sequence, place) for level in range(policy.levels)]
    return _log_probs(policy, hidden, codes, nodes, among, closed)


def _log_probs(
    policy: ItemGenerator, hidden: Tensor, codes: Tensor, nodes: Tensor, among: Tensor | None, closed: list[Tensor] | None
) -> Tensor:
    """log P `[n]` of items by the vectors before each code, `[n, L, E]`, their codes `[n, L]`, and their paths `[n, L + 1]`.

    closed: for each level the codes `[n, S]` bool that are not open, besides those that lead to no item of `among`; None: there are none.
    """
    choices = []
    allowed = None if among is None else policy.book.tree.anyone(len(nodes), among)
    for level in range(policy.levels):
        is_open = policy.book.tree.allowed_codes(nodes[:, level], allowed, level)
        is_open = is_open if closed is None else is_open & ~closed[level]
        choices.append(taken(open_log_probs(policy.codes.logits(hidden[:, level], level), is_open), codes[:, level]))
    policy.statistics.chose(torch.stack([choice.entropy for choice in choices]).sum(dim=0))
    return torch.stack([choice.log_prob for choice in choices]).sum(dim=0)
