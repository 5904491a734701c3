"""State trackers: from an observation to a state vector, and from texts to item vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from recframe.interfaces.beginnings import beginnings
from recframe.interfaces.data import Data
from recframe.interfaces.environment import EnvironmentSpec
from recframe.interfaces.item_projection import ItemProjection
from recframe.interfaces.responses import ResponseLog
from recframe.interfaces.shared import Shared
from recframe.interfaces.types import Observation


class StateTracker(nn.Module, ABC):
    """Fuses history, feedback, profile and context into a state.

    Implement:

    - `forward(observation, items)`: the state `[N, S]` of each user.
    - `__init__`, which sets the attribute `state_dim` (S) and calls this class's constructor. That makes the item projection that agents
      score with.

    Built as `factory(config, spec, data)`; `data` contains the text vectors.

    Optional: `states`, the states at all places of a history, where they can be computed together.

    A tracker must ignore padding exactly: prepending `PAD` to a history changes nothing.
    """

    state_dim: int
    dropout_in_updates: float = 0.0
    """The share that is left out at random in updates. A tracker with dropout sets it: on-policy agents refuse it, as they compare the
    probabilities of updates with those of acting."""

    bidirectional: bool = False
    """Whether the tracker reads in both directions, and has `states_in_context`."""

    random_steps: int = 0
    """User-steps with random items before training whose responses `fit_responses` asks for; 0: none."""

    writes_texts: bool = False
    """Whether the tracker writes texts of its own, and is given `use_encoder`."""

    @abstractmethod
    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The state `[N, S]` of each user, given item vectors `[M, d]`.

        The observation's item numbers are rows of `items`: of all items, or of those that an agent selected and renumbered.
        """

    def states(self, observation: Observation, items: Tensor) -> Tensor:
        """The states `[N, H, S]` at all places of the histories: that at place t is `forward` of the history up to and with place t.

        For agents that learn from whole sequences. By default `forward` of all H beginnings, whose cost grows with the square of H; a
        tracker that reads in order overrides it with one pass.
        """
        states: Tensor = self(beginnings(observation), items).unflatten(0, observation.history_items.shape)
        return states

    def states_in_context(self, observation: Observation, items: Tensor) -> Tensor:
        """The states `[N, H, S]` at all places of the histories, each computed from the whole history, later places included.

        For agents that learn to predict masked items. Only `bidirectional` trackers have them; they provide the tag `bidirectional`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not read in both directions")

    def __init__(self, spec: EnvironmentSpec, data: Data, item_dim: int, id_embeddings: bool = False, id_gate: bool = False) -> None:
        super().__init__()
        if data.catalog.text_vectors is None:
            raise ValueError("a state tracker needs a catalogue with text vectors")
        self.spec = spec
        self.item_dim = item_dim
        self._data = Shared(data)
        self.item_projection = ItemProjection(data.catalog.text_vectors, item_dim, id_embeddings, id_gate)

    @property
    def data(self) -> Data:
        """The data that the tracker was built on, for agents that read more of it than a state, such as an item's popularity."""
        return self._data.values

    def project_items(self, rows: Tensor | None = None) -> Tensor:
        """Item vectors under the current weights: of all items, `[M, d]`, or of the items `rows` `[R]` int64, `[R, d]`.

        Agents that learn on a part of a large catalogue pass `rows`. An item's vector must not depend on which other items are projected.
        """
        vectors: Tensor = self.item_projection(rows)
        return vectors

    def fit_responses(self, log: ResponseLog, seed: int) -> None:
        """Learn from responses of training users to random items, once before training; called where `random_steps` is above 0.

        What is learned goes into buffers: those of the copies that an agent holds, such as target networks, are overwritten with them.
        """

    def use_encoder(self, encode: Callable[[Sequence[str]], Tensor]) -> None:
        """Take the function that gives vectors `[n, D]` of further texts, as the agent reads those of its data.

        Called where `writes_texts` is True, before the agent is built, so that the agent's copies of the tracker have it, too. Where it is
        not called, as in trials with toy data, the tracker does without: what it writes may cost money.
        """

    def start_query(self, query: nn.Linear, gain: float) -> None:
        """Let an agent's `query`, which maps states to queries of item vectors, start from what the tracker knows.

        A tracker that can tell the expected rewards of items changes the weights, in place, so that the items' scores, the products of
        query and item vectors divided by sqrt(d), are `gain` times these, plus what the other dimensions add. By default, nothing changes.
        """
