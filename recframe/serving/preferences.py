"""What a policy would show at each place of one slate, of the items that may be shown there."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import PAD, Observation
from recframe.serving.choice_set import ChoiceSet
from recframe.serving.prepared import PreparedAgent
from recframe.serving.query_error import QueryError


class Preferences:
    """The order in which a policy would show items to one person, as far as it was asked for.

    The items of a choice set only become fewer, so an item that was passed over is not looked at again.

    Parameters
    ----------
    prepared: the agent.   observation: of the person, batch size `[1]`.   ranks: whether the agent ranks.
    first: the first items of the order, with `PAD`s at the end where there are no more.
    """

    def __init__(self, prepared: PreparedAgent, observation: Observation, ranks: bool, first: list[int]) -> None:
        self.prepared = prepared
        self.observation = observation
        self._next = self._of_ranking if ranks else self._of_slates
        self._order, self._place = first, 0

    def best(self, choice: ChoiceSet) -> int | None:
        """The item to show at the next place. None: the policy would show none of them; what must be on the slate is taken in its order."""
        while True:
            while self._place < len(self._order) and self._order[self._place] not in choice:
                self._place += 1
            if self._place < len(self._order):
                return self._order[self._place]
            if not (more := self._next(choice)):
                return next(iter(choice.must_include), None)
            self._order, self._place = more, 0

    def scores(self, choice: ChoiceSet) -> Tensor:
        """The scores `[C]` float64 of the choice set's columns.

        Raises
        ------
        QueryError: the policy ranks by something else.
        """
        items = None if choice.candidates is None else choice.candidates.unsqueeze(0)
        if items is not None and not items.numel():
            return torch.zeros(0, dtype=torch.float64)
        scores = self.prepared.scores_of_all(self.observation) if items is None else self.prepared.scores(self.observation, items)
        if scores is None:
            raise QueryError("exploration.kind: boltzmann draws by scores, which this policy does not have; choose epsilon")
        return scores[0].double()

    def _of_ranking(self, choice: ChoiceSet) -> list[int] | None:
        """A longer beginning of the ranking."""
        known, items = len(self._order), self.prepared.agent.spec.num_items
        if known >= items or PAD in self._order[-1:]:
            return None
        ranked: list[int] = self.prepared.rank(self.observation, min(max(4 * known, 16), items))[0].tolist()
        return ranked

    def _of_slates(self, choice: ChoiceSet) -> list[int] | None:
        """A slate of what may still be shown."""
        slate: list[int] = self.prepared.slates(narrowed(self.observation, choice, self.prepared.agent.spec.slate_size))[0].tolist()
        return slate if any(item in choice for item in slate) else None


class FrozenDraws:
    """The orders in which an agent would show items to one person under draws of its own randomness, which are the same for every question.

    Each draw is a policy without randomness: the exploring agent with its generator in one of as many states.

    Parameters
    ----------
    prepared: the agent.   observation: of the person, batch size `[1]`.   number: of draws, M.
    """

    SEED = 7_919
    """The first state of the generator."""

    def __init__(self, prepared: PreparedAgent, observation: Observation, number: int) -> None:
        self._prepared = prepared
        self._observation = observation[torch.zeros(number, dtype=torch.int64)]
        self._orders: list[list[int]] = [[] for _ in range(number)]
        self._places = [0] * number
        self._asked = 0

    def best(self, choice: ChoiceSet) -> list[int | None]:
        """The item that each draw would show at the next place; None: it would show none of them.

        Raises
        ------
        QueryError: the agent draws nothing at random.
        """
        found = [self._first(draw, choice) for draw in range(len(self._orders))]
        if None in found:
            observation = narrowed(self._observation, choice, self._prepared.agent.spec.slate_size)
            more = self._prepared.exploring(observation, choice.places, self.SEED + self._asked).tolist()
            self._asked += 1
            for draw in (draw for draw, item in enumerate(found) if item is None):
                self._orders[draw], self._places[draw] = more[draw], 0
                found[draw] = self._first(draw, choice)
        return found

    def _first(self, draw: int, choice: ChoiceSet) -> int | None:
        order = self._orders[draw]
        while self._places[draw] < len(order):
            if order[self._places[draw]] in choice:
                return order[self._places[draw]]
            self._places[draw] += 1
        return None


def narrowed(observation: Observation, choice: ChoiceSet, slate_size: int) -> Observation:
    """The observations of N people (all the same) to whom only the items of a choice set may be shown."""
    now: Observation = observation.clone(recurse=False)
    users = len(observation.user)
    if choice.free:
        taken = torch.tensor(choice.slate, dtype=torch.int64).expand(users, -1)
        now.excluded = taken if observation.excluded is None else torch.cat([observation.excluded, taken], dim=1)
        return now
    items = choice.items
    now.candidates = torch.nn.functional.pad(items, (0, max(slate_size - len(items), 0)), value=PAD).expand(users, -1)
    now.excluded = None
    return now
