"""The prompt of a trained language model: a text by a template, with the codes of items and the tracked state as tokens of their own."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import PAD, Observation, StateTracker
from recframe.item_agents import renumbered
from recframe.item_agents.prompts.pieces import Tokens
from recframe.item_agents.prompts.text_prompt import TextPrompt
from recframe.language_models.reading import PromptVectors
from recframe_plugins.agents.language_policy.book import CodeBook
from recframe_plugins.agents.language_policy.code_tokens import CodeTokens
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig


class PolicyPrompt(TextPrompt):
    """A `TextPrompt` with the fields codes, of an entry, and state.

    Parameters
    ----------
    embeddings: the model's input embeddings, which the backbone owns.   tokenizer: the model's.   items: as of `HistoryPrompt`.
    """

    def __init__(self, config: LanguagePolicyConfig, state_tracker: StateTracker, embeddings: Any, tokenizer: Any, items: int) -> None:
        spec, texts = state_tracker.spec, (config.prompt, config.entry_template)
        super().__init__(*texts, tokenizer, spec, state_tracker.data, items=items, longest=config.prompt_tokens)
        self._embeddings = (embeddings,)
        self.vocabulary: int = embeddings.weight.shape[0]
        self.state_tracker = state_tracker if self.names("state") else None
        self.state = nn.Linear(state_tracker.state_dim, embeddings.weight.shape[1], device=spec.device) if self.names("state") else None

    def length(self, observation: Observation) -> int:
        """The most tokens of a prompt."""
        return self.longest

    def forward(self, observation: Observation, tokens: CodeTokens, book: CodeBook) -> PromptVectors:
        """The prompts of N users."""
        ids, there = self.numbered(observation, tokens, book)
        text = F.embedding(ids.clamp(max=self.vocabulary - 1), self._embeddings[0].weight)
        number = ids - self.vocabulary
        # numbers above the vocabulary are codes, and the first after these the state
        is_state = number == len(tokens.read)
        codes = F.embedding(number.clamp(min=0).masked_fill(is_state, 0), tokens.read)
        read = torch.where((number >= 0).unsqueeze(2), codes, text)
        if self.state is not None:
            read = torch.where(is_state.unsqueeze(2), self._state(observation).unsqueeze(1), read)
        return PromptVectors(read, there)

    def numbered(self, observation: Observation, tokens: CodeTokens, book: CodeBook) -> Tokens:
        """The tokens `[N, P]` of the prompts, padded in front; codes have numbers from the size of the vocabulary on."""
        others = {}
        if self.names("state"):
            ids = torch.full((len(observation.user), 1), self.vocabulary + len(tokens.read), device=self.device)
            others["state"] = Tokens(ids, torch.ones_like(ids, dtype=torch.bool))
        if self.names("codes"):
            items = self.read_items(observation)
            ids = self.vocabulary + tokens.rows(book.of(items))
            others["codes"] = Tokens(ids, (items != PAD).unsqueeze(2).expand_as(ids))
        return self.tokens(observation, others)

    def _state(self, observation: Observation) -> Tensor:
        assert self.state_tracker is not None
        assert self.state is not None
        rows, (items,) = renumbered([observation.history_items])
        copy: Observation = observation.clone(recurse=False)
        copy.history_items, copy.candidates, copy.excluded = items, None, None
        state: Tensor = self.state(self.state_tracker(copy, self.state_tracker.project_items(rows)))
        return state
