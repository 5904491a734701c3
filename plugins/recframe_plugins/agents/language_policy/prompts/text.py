"""The prompt of a trained language model: a text by a template, as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import PAD, Observation, Role, StateTracker
from recframe.item_agents import renumbered
from recframe_plugins.agents.language_policy.book import CodeBook
from recframe_plugins.agents.language_policy.code_tokens import CodeTokens
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.prompts.feedback_text import FeedbackText
from recframe_plugins.agents.language_policy.prompts.pieces import Tokens, joined_pieces, newest_that_fit, pushed_right
from recframe_plugins.agents.language_policy.prompts.template import pieces
from recframe_plugins.agents.language_policy.prompts.token_table import TokenTable
from recframe_plugins.agents.language_policy.reading import PromptVectors

LONGEST_TITLE, LONGEST_TEXT = 32, 256
"""Tokens that are read of a title, and of a profile or a context."""


class TextPrompt(nn.Module):
    """What the template says, with `{history}` as one `entry` for each item, the oldest first.

    Tokens of titles, profiles, contexts and feedback are made once; those of new texts when they come. A prompt that is too long loses its
    oldest items.

    Parameters
    ----------
    embeddings: the model's input embeddings, which the backbone owns.   tokenizer: the model's.   items: as of `HistoryPrompt`.
    """

    def __init__(self, config: LanguagePolicyConfig, state_tracker: StateTracker, embeddings: Any, tokenizer: Any, items: int) -> None:
        super().__init__()
        spec, data = state_tracker.spec, state_tracker.data
        self.device, self.items, self.longest = spec.device, items, config.prompt_tokens
        self.template, self.entry = pieces(config.prompt), pieces(config.entry_template)
        self._embeddings = (embeddings,)
        self.vocabulary: int = embeddings.weight.shape[0]
        texts = [piece.text for piece in (*self.template, *self.entry) if not piece.is_field]
        self.texts = TokenTable(tokenizer, texts, LONGEST_TEXT, spec.device)
        self.places = {text: row for row, text in enumerate(texts)}
        self.titles = TokenTable(tokenizer, data.catalog.titles, LONGEST_TITLE, spec.device)
        profiles = data.users.profiles.texts if spec.has_users and data.users and data.users.profiles else []
        self.profiles = TokenTable(tokenizer, profiles, LONGEST_TEXT, spec.device)
        self.contexts = TokenTable(tokenizer, data.contexts.texts if spec.has_context and data.contexts else [], LONGEST_TEXT, spec.device)
        self.feedback = FeedbackText(tokenizer, spec.signals, spec.device)
        self.start = torch.tensor(_start(tokenizer), dtype=torch.int64, device=spec.device)
        reads_state = any(piece.is_field and piece.text == "state" for piece in self.template)
        self.state_tracker = state_tracker if reads_state else None
        self.state = nn.Linear(state_tracker.state_dim, embeddings.weight.shape[1], device=spec.device) if reads_state else None

    def appended_texts(self, role: Role, first: int, texts: Sequence[str]) -> AbstractContextManager[None]:
        """Read further profiles or contexts, in the rows from `first` on, within a block."""
        return (self.profiles if role == "user" else self.contexts).appended(first, texts)

    def length(self, observation: Observation) -> int:
        """The most tokens of a prompt."""
        return self.longest

    def forward(self, observation: Observation, tokens: CodeTokens, book: CodeBook) -> PromptVectors:
        """The prompts of N users."""
        ids, there = self.tokens(observation, tokens, book)
        text = F.embedding(ids.clamp(max=self.vocabulary - 1), self._embeddings[0].weight)
        number = ids - self.vocabulary
        # numbers above the vocabulary are codes, and the first after these the state
        is_state = number == len(tokens.read)
        codes = F.embedding(number.clamp(min=0).masked_fill(is_state, 0), tokens.read)
        read = torch.where((number >= 0).unsqueeze(2), codes, text)
        if self.state is not None:
            read = torch.where(is_state.unsqueeze(2), self._state(observation).unsqueeze(1), read)
        return PromptVectors(read, there)

    def tokens(self, observation: Observation, tokens: CodeTokens, book: CodeBook) -> Tokens:
        """The tokens `[N, P]` of the prompts, padded in front; codes have numbers from the size of the vocabulary on."""
        users = len(observation.user)
        everybody = torch.ones(users, 1, dtype=torch.bool, device=self.device)
        parts = [Tokens(self.start.expand(users, -1), everybody.expand(-1, len(self.start)))]
        place, entries = 0, None
        for piece in self.template:
            if not piece.is_field:
                parts.append(self.texts.of(torch.full((users,), self.places[piece.text], device=self.device)))
            elif piece.text == "history":
                place, entries = len(parts), self.entries(observation, tokens, book)
            elif piece.text == "state":
                parts.append(Tokens(torch.full((users, 1), self.vocabulary + len(tokens.read), device=self.device), everybody))
            else:
                parts.append(self._field(piece.text, observation))
        if entries is not None:
            used = torch.stack([part.there.sum(dim=1) for part in parts]).sum(dim=0)
            kept = newest_that_fit(entries, self.longest - used)
            parts.insert(place, Tokens(kept.ids.flatten(1), kept.there.flatten(1)))
        ids, there = pushed_right(joined_pieces(parts))
        return Tokens(ids[:, -self.longest :], there[:, -self.longest :])

    def _field(self, name: str, observation: Observation) -> Tokens:
        rows = observation.user if name == "profile" else observation.context
        table = self.profiles if name == "profile" else self.contexts
        if rows is None or not table.width:
            nothing = torch.zeros(len(observation.user), 0, dtype=torch.int64, device=self.device)
            return Tokens(nothing, nothing.bool())
        return table.of(rows)

    def entries(self, observation: Observation, tokens: CodeTokens, book: CodeBook) -> Tokens:
        """The tokens `[N, H, T]` of the entries of the last items."""
        items, feedback = observation.history_items[:, -self.items :], observation.history_feedback[:, -self.items :]
        there, parts = items != PAD, []
        for piece in self.entry:
            if not piece.is_field:
                parts.append(self.texts.of(torch.full_like(items, self.places[piece.text]).masked_fill(~there, -1)))
            elif piece.text == "title":
                parts.append(self.titles.of(items))
            elif piece.text == "feedback":
                parts.append(self.feedback.of(feedback, there))
            else:
                ids = self.vocabulary + tokens.rows(book.of(items))
                parts.append(Tokens(ids, there.unsqueeze(2).expand_as(ids)))
        return joined_pieces(parts)

    def _state(self, observation: Observation) -> Tensor:
        assert self.state_tracker is not None
        assert self.state is not None
        rows, (items,) = renumbered([observation.history_items])
        copy: Observation = observation.clone(recurse=False)
        copy.history_items, copy.candidates, copy.excluded = items, None, None
        state: Tensor = self.state(self.state_tracker(copy, self.state_tracker.project_items(rows)))
        return state


def _start(tokenizer: Any) -> list[int]:
    """The tokens that the tokenizer puts before a text."""
    whole, plain = tokenizer("a")["input_ids"], tokenizer("a", add_special_tokens=False)["input_ids"]
    return list(whole[: whole.index(plain[0])]) if plain and plain[0] in whole else []
