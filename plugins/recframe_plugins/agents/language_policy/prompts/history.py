"""The prompt of a decoder that is made from scratch: the codes of the last items with their feedback, and the state tracker's state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recframe.interfaces import PAD, Observation, StateTracker, symlog
from recframe.item_agents import renumbered
from recframe.language_models.backbone import first_deviation
from recframe.language_models.reading import PromptVectors
from recframe_plugins.agents.language_policy.book import CodeBook
from recframe_plugins.agents.language_policy.code_tokens import CodeTokens


class HistoryPrompt(nn.Module):
    """[start] [item] ... [item] [state].

    The state, a token of its own, is the last: items written after it have read it, while the history before it is the same whatever comes
    later. So the prompts at all places of a history are one pass over the history, and one state token for each place.

    Parameters
    ----------
    items: how many of the last items are read; the state tracker reads the whole history.
    book: of which an item of the history has one token for each of its codes; None: a single token, the sum of their vectors.
    """

    def __init__(self, state_tracker: StateTracker, dim: int, items: int, book: CodeBook | None) -> None:
        super().__init__()
        device = state_tracker.spec.device
        self.state_tracker = state_tracker
        self.items = items
        # in a tuple, so that it is not registered twice
        self._book = (book,)
        self.start = nn.Parameter(torch.zeros(dim, device=device))
        self.feedback = nn.Linear(len(state_tracker.spec.signals), dim, device=device)
        self.state = nn.Linear(state_tracker.state_dim, dim, device=device)
        # not louder than the codes that it is added to
        nn.init.normal_(self.feedback.weight, std=first_deviation(dim))
        nn.init.zeros_(self.feedback.bias)

    @property
    def tokens_per_item(self) -> int:
        """L, which weights that are loaded may change, or 1."""
        return 1 if self._book[0] is None else self._book[0].levels

    def length(self, observation: Observation) -> int:
        """The tokens of a prompt."""
        return 2 + self.tokens_per_item * min(self.items, observation.history_items.shape[1])

    def forward(self, observation: Observation, tokens: CodeTokens, book: CodeBook) -> PromptVectors:
        """The prompts of N users."""
        history, (state_observation, vectors) = self.history(observation, tokens, book), self.readable(observation)
        state = self.state(self.state_tracker(state_observation, vectors)).unsqueeze(1)
        present = torch.cat([history.present, torch.ones_like(history.present[:, :1])], dim=1)
        return PromptVectors(torch.cat([history.tokens, state], dim=1), present)

    def history(self, observation: Observation, tokens: CodeTokens, book: CodeBook) -> PromptVectors:
        """The part before the state, which grows at its end as a history does."""
        items, feedback = observation.history_items[:, -self.items :], observation.history_feedback[:, -self.items :]
        there = items != PAD
        codes = tokens.vectors(book.of(items))
        marks = self.feedback(symlog(feedback))
        if self._book[0] is None:
            read, present = codes.sum(dim=2) + marks, there
        else:
            read, present = (codes + marks.unsqueeze(2)).flatten(1, 2), there.repeat_interleave(self.tokens_per_item, dim=1)
        start = self.start.expand(len(items), 1, -1)
        return PromptVectors(torch.cat([start, read], dim=1), torch.cat([torch.ones_like(present[:, :1]), present], dim=1))

    def states(self, observation: Observation, places: Tensor) -> Tensor:
        """The state tokens `[n, E]` at the `places` `[N, H]` bool of the histories, in order."""
        state_observation, vectors = self.readable(observation)
        states: Tensor = self.state(self.state_tracker.states(state_observation, vectors)[places])
        return states

    def readable(self, observation: Observation) -> tuple[Observation, Tensor]:
        """The observation with the items of its histories under numbers of their own, and the vectors of these items."""
        rows, (items,) = renumbered([observation.history_items])
        copy: Observation = observation.clone(recurse=False)
        copy.history_items, copy.candidates, copy.excluded = items, None, None
        return copy, self.state_tracker.project_items(rows)
