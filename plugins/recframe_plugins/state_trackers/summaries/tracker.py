"""The state tracker summaries: an inner tracker's state, and a sentence about what the person has liked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.components import require_consistent
from recframe.errors import UserError
from recframe.interfaces import Data, EnvironmentSpec, ItemProjection, Observation, Shared, StateTracker
from recframe.interfaces.responses import ResponseLog
from recframe.llm import Chat
from recframe.llm.shared_chats import chat_for
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker
from recframe_plugins.state_trackers.summaries.config import SummariesConfig
from recframe_plugins.state_trackers.summaries.places import summarized
from recframe_plugins.state_trackers.summaries.sentences import Sentences


class SummariesTracker(StateTracker):
    """state = [inner state | ReLU(W LayerNorm(v) + b)], with the text vector v of a sentence about the history; zeros while there is none.

    A language model writes the sentence from the titles of the items and what the person did with them, the run's encoder reads it. It is
    written anew after `every` new items (`places`), and each history is asked about once (`Sentences`).

    Without an encoder (`use_encoder`), as where a tracker is tried or checked with toy data, nobody is asked and there are no sentences.

    Parameters
    ----------
    config: its `inner` holds the tracker itself, if one is given.
    chat: the access to the language model; by default that of `config.llm`.

    Raises
    ------
    ValueError: the encoder reads no text, so that a sentence would have no vector.
    UserError: raised by `forward`: the items have numbers of their own, which do not tell their titles.
    """

    writes_texts = True

    def __init__(self, config: SummariesConfig, spec: EnvironmentSpec, data: Data, chat: Chat | None = None) -> None:
        require_consistent(config)
        if data.catalog.text_vectors is None or not data.catalog.text_vectors.shape[1]:
            raise ValueError("state_tracker=summaries needs an encoder that reads texts, for its sentences; choose another encoder")
        # not the constructor of StateTracker: the items' projection is that of the inner tracker
        nn.Module.__init__(self)
        self.config, self.spec, self._data = config, spec, Shared(data)
        inner = next(iter(config.inner.values()), None)
        self.inner: StateTracker = MeanTracker(MeanConfig(history_length=config.history_length), spec, data) if inner is None else inner
        self.item_dim, self.state_dim = self.inner.item_dim, self.inner.state_dim + config.sentence_dim
        self.dropout_in_updates, self.random_steps = self.inner.dropout_in_updates, self.inner.random_steps
        self.sentences = Sentences(config, spec, data, chat_for(config.llm, "state_tracker.llm") if chat is None else chat)
        self.reading = nn.Linear(self.sentences.dim, config.sentence_dim, device=spec.device)

    def use_encoder(self, encode: Callable[[Sequence[str]], Tensor]) -> None:
        """Begin to ask for sentences, and read them with the run's encoder; copies do, too, and an inner tracker that writes texts."""
        self.sentences.encode = encode
        if self.inner.writes_texts:
            self.inner.use_encoder(encode)

    @property
    def item_projection(self) -> ItemProjection:  # type: ignore[override]  # the inner tracker's module, registered there
        """The inner tracker's."""
        return self.inner.item_projection

    def project_items(self, rows: Tensor | None = None) -> Tensor:
        """The inner tracker's."""
        return self.inner.project_items(rows)

    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The state `[N, S]` of each user."""
        if len(items) != self.spec.num_items and self.sentences.encode is not None:
            raise UserError(
                "state_tracker=summaries reads titles by the catalogue's numbers, and this agent gives the items of histories numbers of "
                "their own; use another state tracker, or another agent, such as dqn"
            )
        config = self.config
        about = summarized(observation, config.every, config.items_read, self.spec.history_length)
        vectors, told = self.sentences(about)
        read = F.relu(self.reading(F.layer_norm(vectors, vectors.shape[1:]))) * told.unsqueeze(1)
        return torch.cat([self.inner(observation, items), read], dim=1)

    def fit_responses(self, log: ResponseLog, seed: int) -> None:
        """The inner tracker learns."""
        self.inner.fit_responses(log, seed)

    def start_query(self, query: nn.Linear, gain: float) -> None:
        """Let the part of `query` that reads the inner state start from what the inner tracker knows.

        In the dimensions that it sets, sentences start at zero: random numbers would only blur what it knows.
        """
        size = self.inner.state_dim
        part = nn.utils.skip_init(nn.Linear, size, query.out_features, bias=query.bias is not None, device=query.weight.device)
        with torch.no_grad():
            part.weight.copy_(query.weight[:, :size])
            if query.bias is not None:
                part.bias.copy_(query.bias)
            self.inner.start_query(part, gain)
            known = (part.weight != query.weight[:, :size]).any(dim=1)
            query.weight[:, :size] = part.weight
            if query.bias is not None:
                known |= part.bias != query.bias
                query.bias.copy_(part.bias)
            query.weight[known, size:] = 0.0
