"""What is known of a person as the text of a prompt, by a template, in the tokens of a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from recframe.components.templates import pieces
from recframe.interfaces import PAD, Data, EnvironmentSpec, Observation, Role
from recframe.item_agents.prompts.feedback_text import FeedbackText
from recframe.item_agents.prompts.pieces import Tokens, joined_pieces, newest_that_fit, pushed_right
from recframe.item_agents.prompts.token_table import TokenTable

LONGEST_TITLE, LONGEST_TEXT = 32, 256
"""Tokens that are read of a title, and of a profile or a context."""


class TextPrompt(nn.Module):
    """What the template says, with `{history}` as one `entry` for each item, the oldest first.

    Tokens of titles, profiles, contexts and feedback are made once; those of new texts when they come. A prompt that is too long loses its
    oldest items.

    Parameters
    ----------
    prompt: a template with the fields profile, context and history.   entry: one with title and feedback. Other fields are given with each
        call of `tokens`.
    tokenizer: of `transformers`.   items: how many of the last items are read.   longest: the most tokens of a prompt.
    """

    def __init__(self, prompt: str, entry: str, tokenizer: Any, spec: EnvironmentSpec, data: Data, *, items: int, longest: int) -> None:
        super().__init__()
        self.device, self.items, self.longest = spec.device, items, longest
        self.template, self.entry = pieces(prompt), pieces(entry)
        texts = [piece.text for piece in (*self.template, *self.entry) if not piece.is_field]
        self.texts = TokenTable(tokenizer, texts, LONGEST_TEXT, spec.device)
        self.places = {text: row for row, text in enumerate(texts)}
        self.titles = TokenTable(tokenizer, data.catalog.titles, LONGEST_TITLE, spec.device)
        profiles = data.users.profiles.texts if spec.has_users and data.users and data.users.profiles else []
        self.profiles = TokenTable(tokenizer, profiles, LONGEST_TEXT, spec.device)
        self.contexts = TokenTable(tokenizer, data.contexts.texts if spec.has_context and data.contexts else [], LONGEST_TEXT, spec.device)
        self.feedback = FeedbackText(tokenizer, spec.signals, spec.device)
        self.start = torch.tensor(_start(tokenizer), dtype=torch.int64, device=spec.device)

    def names(self, field: str) -> bool:
        """Whether the template, or that of an entry, has the field."""
        return any(piece.is_field and piece.text == field for piece in (*self.template, *self.entry))

    def appended_texts(self, role: Role, first: int, texts: Sequence[str]) -> AbstractContextManager[None]:
        """Read further profiles or contexts, in the rows from `first` on, within a block."""
        return (self.profiles if role == "user" else self.contexts).appended(first, texts)

    def tokens(self, observation: Observation, others: Mapping[str, Tokens] | None = None) -> Tokens:
        """The tokens `[N, P]` of the prompts, padded in front.

        others: the tokens of other fields by their names: `[N, T]` of the template's, `[N, H, T]` of an entry's for `read_items`.
        """
        users, others = len(observation.user), others or {}
        everybody = torch.ones(users, 1, dtype=torch.bool, device=self.device)
        parts = [Tokens(self.start.expand(users, -1), everybody.expand(-1, len(self.start)))]
        place, entries = 0, None
        for piece in self.template:
            if not piece.is_field:
                parts.append(self.texts.of(torch.full((users,), self.places[piece.text], device=self.device)))
            elif piece.text == "history":
                place, entries = len(parts), self._entries(observation, others)
            elif piece.text in others:
                parts.append(others[piece.text])
            else:
                parts.append(self._field(piece.text, observation))
        if entries is not None:
            used = torch.stack([part.there.sum(dim=1) for part in parts]).sum(dim=0)
            kept = newest_that_fit(entries, self.longest - used)
            parts.insert(place, Tokens(kept.ids.flatten(1), kept.there.flatten(1)))
        ids, there = pushed_right(joined_pieces(parts))
        return Tokens(ids[:, -self.longest :], there[:, -self.longest :])

    def read_items(self, observation: Observation) -> Tensor:
        """The last items of the histories, which the prompt names, `[N, H]`."""
        items: Tensor = observation.history_items[:, -self.items :]
        return items

    def _field(self, name: str, observation: Observation) -> Tokens:
        rows = observation.user if name == "profile" else observation.context
        table = self.profiles if name == "profile" else self.contexts
        if rows is None or not table.width:
            nothing = torch.zeros(len(observation.user), 0, dtype=torch.int64, device=self.device)
            return Tokens(nothing, nothing.bool())
        return table.of(rows)

    def _entries(self, observation: Observation, others: Mapping[str, Tokens]) -> Tokens:
        """The tokens `[N, H, T]` of the entries of the last items."""
        items, feedback = self.read_items(observation), observation.history_feedback[:, -self.items :]
        there, parts = items != PAD, []
        for piece in self.entry:
            if not piece.is_field:
                parts.append(self.texts.of(torch.full_like(items, self.places[piece.text]).masked_fill(~there, -1)))
            elif piece.text == "title":
                parts.append(self.titles.of(items))
            elif piece.text == "feedback":
                parts.append(self.feedback.of(feedback, there))
            else:
                parts.append(others[piece.text])
        return joined_pieces(parts)


def _start(tokenizer: Any) -> list[int]:
    """The tokens that the tokenizer puts before a text."""
    whole, plain = tokenizer("a")["input_ids"], tokenizer("a", add_special_tokens=False)["input_ids"]
    return list(whole[: whole.index(plain[0])]) if plain and plain[0] in whole else []
