"""Working sets: parts of a large catalogue that limit the cost of acting and of learning.

A working set holds `working_items` items: up to half of them were shown recently, and the others are drawn uniformly. The items shown are
those that a policy has found good, so carrying them over from chunk to chunk keeps good items in the set; the random ones are how other
items enter it. Questions (`recframe.interfaces.asks`) are few, and always in it.

The items of a working set have numbers of their own. Those that may be chosen come first; after them come items that are only read, in
histories and past slates. Agents see these numbers only, and need not know which part of the catalogue they stand for.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.agent_options import WorkingSetConfig
from recframe.interfaces import PAD, EnvironmentSpec, Observation, SequenceBatch, StateTracker, Transition

SPARSE = 16
"""Items of the catalogue per given number above which sorting the numbers is faster than counting all items."""


class Items(NamedTuple):
    """The items that a decision or an update uses: the whole catalogue, or a part of it with its own numbers.

    rows: `[R]` int64, distinct: number i stands for item rows[i] of the catalogue. None: the numbers are those of the catalogue.
    num_items: how many items may be chosen: those numbered 0 to num_items - 1.
    lookup: whether the rows are only read, in histories and past slates, while chosen items, candidates and exclusions have the numbers of
        the catalogue.
    sampled: how many of those that may be chosen, the last ones, are a uniform sample of `population` items of the catalogue; 0: none.
    """

    rows: Tensor | None
    num_items: int
    lookup: bool = False
    sampled: int = 0
    population: int = 0

    def vectors(self, tracker: StateTracker) -> Tensor:
        """The items' vectors `[R, d]`, or `[M, d]`, with the tracker's current weights."""
        return tracker.project_items(self.rows)

    def in_catalog(self, numbers: Tensor) -> Tensor:
        """The catalogue numbers of chosen items, given their numbers here, of any shape."""
        return numbers if self.rows is None or self.lookup else self.rows[numbers]

    @property
    def log_weights(self) -> Tensor | None:
        """The logarithm of how many items of the catalogue each item that may be chosen stands for, `[num_items]`; None: one each.

        Sums over the catalogue, such as a softmax's, are estimated without bias by sums over these items times the weights (Bengio &
        Senecal, 2008).
        """
        if not self.sampled or self.rows is None:
            return None
        weights = torch.zeros(self.num_items, device=self.rows.device)
        weights[-self.sampled :] = math.log(self.population / self.sampled)
        return weights


class WorkingSet:
    """Selects the items to act or learn over, and translates observations and batches to their numbers.

    With candidates, no other item can be chosen: the items are then exactly the candidates of all users and the items of their histories.
    A catalogue of up to `whole_catalog_items` is used as a whole, under its own numbers.

    Parameters
    ----------
    uses_index: whether an index finds items in the whole of a large catalogue; the items are then only those that are read.

    Raises
    ------
    ValueError: the working set is too small for a slate.
    """

    def __init__(self, config: WorkingSetConfig, spec: EnvironmentSpec, uses_index: bool = False) -> None:
        self.whole = Items(None, spec.num_items)
        self.in_use = spec.actions == "items" and spec.num_items > config.whole_catalog_items
        self.uses_index = uses_index
        self.size = min(config.working_items, spec.num_items)
        self._questions = torch.arange(spec.first_question, spec.num_items, device=spec.device)
        needed = spec.slate_size + spec.num_excluded
        if self.in_use and not uses_index and not spec.num_candidates and self.size < needed:
            raise ValueError(
                f"agent.working_items ({self.size}) must be at least {needed}: the {spec.slate_size} items of a slate and the "
                f"{spec.num_excluded} items that the environment may exclude"
            )
        nothing = torch.zeros(0, dtype=torch.int64, device=spec.device)
        self._shown, self._showing = nothing, [nothing]
        self._chunk: Items | None = None
        # the number of each item and, in the last place, of PAD; all PAD except during a look-up
        self._numbers = torch.full((spec.num_items + 1 if self.in_use else 0,), PAD, device=spec.device)

    @property
    def shown(self) -> Tensor:
        """The items `[n]` shown in the current chunk, or else in the last one, with repetitions."""
        return torch.cat(self._showing) if len(self._showing) > 1 else self._shown

    def start_chunk(self) -> None:
        """Drop the working set: the next one starts from the items shown in this chunk."""
        self._shown, self._showing, self._chunk = self.shown, self._showing[:1], None

    def restore(self, shown: Tensor) -> None:
        """Restore a saved `shown`."""
        self._shown, self._showing, self._chunk = shown.to(self._numbers.device), self._showing[:1], None

    def record_shown(self, slate: Tensor) -> None:
        """Record that the slates `[N, K]`, in catalogue numbers, were shown."""
        if self.in_use:
            self._showing.append(slate.flatten())

    def for_acting(self, observation: Observation, generator: torch.Generator) -> tuple[Items, Observation]:
        """The items to choose among, the same until the next chunk, and the observation in their numbers."""
        if not self.in_use:
            return self.whole, observation
        if observation.candidates is not None:
            items = _exactly(self._count(_items_in(observation))[0])
        else:
            items = self._chunk or self._draw(*self._count(self._shown), generator)
            # only at the start of a chunk do histories hold unknown items; later steps return the same items
            items = self._chunk = self._extend(items, observation.history_items)
        (observation,), _ = self._translate(items, [observation])
        return items, observation

    def for_learning(self, batch: Transition, generator: torch.Generator) -> tuple[Items, Transition]:
        """Items to learn from a replayed batch over, including all items that occur in it, and the batch in their numbers.

        Of these, at most half a working set may be chosen, those that occur most often; all can be read.
        """
        if not self.in_use:
            return self.whole, batch
        named, times = self._count(_items_in_batch(batch))
        items = _exactly(named) if batch.observation.candidates is not None else self._extend(self._draw(named, times, generator), named)
        return items, self._translate_batch(items, batch)

    def for_imitation(self, batch: Transition, generator: torch.Generator) -> tuple[Items, Transition]:
        """As `for_learning`, but all items of the slates may be chosen, because they are the targets of a softmax over the items."""
        if not self.in_use or self.uses_index or batch.observation.candidates is not None:
            return self.for_learning(batch, generator)
        items = self._extend(self._around(self._count(batch.slate)[0], generator), _items_in_batch(batch))
        return items, self._translate_batch(items, batch)

    def for_sequences(self, batch: SequenceBatch, generator: torch.Generator) -> tuple[Items, SequenceBatch]:
        """Items to learn from sequences over, of which all items of the batch may be chosen, and the batch in their numbers."""
        if not self.in_use:
            return self.whole, batch
        items = self._around(self._count(batch.item)[0], generator)
        copy: SequenceBatch = batch.clone(recurse=False)
        (copy.item,) = self._look_up(items, [batch.item])
        return items, copy

    def for_chunk(self, batch: Transition, generator: torch.Generator) -> tuple[Items, Transition]:
        """The items that a chunk `[T, N]` was acted over, and the chunk in their numbers.

        If it was acted over another working set, the items are those of the current one and those of the chunk's slates.
        """
        if not self.in_use:
            return self.whole, batch
        if batch.observation.candidates is not None:
            items = _exactly(self._count(_items_in_batch(batch))[0])
        else:
            acted = self._chunk or self._draw(*self._count(batch.slate), generator)
            assert acted.rows is not None
            choosable = self._extend(Items(acted.rows[: acted.num_items], acted.num_items), batch.slate.flatten()).rows
            assert choosable is not None
            items = self._extend(Items(choosable, len(choosable)), _items_in_batch(batch))
        return items, self._translate_batch(items, batch)

    def _draw(self, shown: Tensor, times: Tensor, generator: torch.Generator) -> Items:
        """A working set: up to half of it are the items `shown` the most `times`, and the others are drawn uniformly.

        With an index, none are drawn.
        """
        if self.uses_index:
            # item 0, so that padding can be looked up before there are histories
            return Items(shown.new_zeros(1), self.whole.num_items, lookup=True)
        return self._around(shown[times.topk(min(self.size // 2, len(shown))).indices].sort().values, generator)

    def _around(self, kept: Tensor, generator: torch.Generator) -> Items:
        """The distinct items `kept`, in order, and others drawn uniformly: `size` items, and at least as many others as are kept."""
        if len(self._questions):
            kept = torch.cat([kept, self._questions]).unique()
        population = self.whole.num_items - len(kept)
        sampled = min(max(self.size - len(kept), len(kept)), population)
        others = distinct_numbers(population, sampled, generator)
        # `others` numbers the items without those kept: add the number of kept items before each
        before = torch.searchsorted(kept - torch.arange(len(kept), device=kept.device), others, right=True)
        return Items(torch.cat([kept, others + before]), len(kept) + sampled, sampled=sampled, population=population)

    def _extend(self, items: Items, named: Tensor) -> Items:
        """The items, followed by the `named` items that are not among them."""
        assert items.rows is not None
        missing = named[(self._look_up(items, [named])[0] == PAD) & (named != PAD)].unique()
        return items._replace(rows=torch.cat([items.rows, missing])) if len(missing) else items

    def _count(self, named: Tensor) -> tuple[Tensor, Tensor]:
        """The distinct `named` items, in order, and how many times each occurs."""
        if named.numel() < self.whole.num_items // SPARSE:
            numbers, times = named[named != PAD].unique(return_counts=True)
            return numbers, times
        times = torch.bincount(named.flatten() + 1, minlength=self.whole.num_items + 1)[1:]  # PAD, -1, is counted first
        numbers = times.nonzero().squeeze(1)
        return numbers, times[numbers]

    def _look_up(self, items: Items, numbers: list[Tensor]) -> list[Tensor]:
        """Catalogue numbers, in tensors of any shape, translated to numbers of `items`; `PAD` for items not among them."""
        assert items.rows is not None
        self._numbers[items.rows] = torch.arange(len(items.rows), device=items.rows.device)
        found = [self._numbers[one] for one in numbers]  # PAD, -1, is looked up in the last place, which holds PAD
        self._numbers[items.rows] = PAD
        return found

    def _translate(self, items: Items, observations: list[Observation], *numbers: Tensor) -> tuple[list[Observation], list[Tensor]]:
        """Observations, and other item numbers, translated to the numbers of `items`."""
        numbered = ["history_items"] if items.lookup else ["history_items", "candidates", "excluded"]
        copies = [observation.clone(recurse=False) for observation in observations]
        fields = [(copy, name, value) for copy in copies for name in numbered if (value := getattr(copy, name)) is not None]
        found = self._look_up(items, [value for _, _, value in fields] + list(numbers))
        for (copy, name, _), value in zip(fields, found, strict=False):
            # an item that cannot be chosen need not be excluded
            setattr(copy, name, torch.where(value < items.num_items, value, PAD) if name == "excluded" else value)
        return copies, found[len(fields) :]

    def _translate_batch(self, items: Items, batch: Transition) -> Transition:
        copy: Transition = batch.clone(recurse=False)
        observations, (copy.slate,) = self._translate(items, [batch.observation, batch.next_observation], batch.slate)
        copy.observation, copy.next_observation = observations
        return copy


def distinct_numbers(total: int, size: int, generator: torch.Generator) -> Tensor:
    """`size` distinct numbers below `total`, each with the same probability of being drawn, `[size]` int64.

    A stratified sample: one number from each of `size` segments of a ring with a random start. The cost does not grow with `total`, and
    neighbours in a catalogue, which are often similar, are not drawn together.
    """
    device = generator.device
    if not size:
        return torch.zeros(0, dtype=torch.int64, device=device)
    bounds = torch.arange(size + 1, device=device) * total // size
    draws = torch.rand(size, generator=generator, device=device, dtype=torch.float64)
    within = (draws * (bounds[1:] - bounds[:-1])).long()
    return (bounds[:-1] + within + torch.randint(total, (1,), generator=generator, device=device)) % total


def _exactly(rows: Tensor) -> Items:
    """Exactly these distinct items, all of which may be chosen."""
    return Items(rows, len(rows))


def _items_in(observation: Observation) -> Tensor:
    """The items of the histories and of the candidates, if there are any, with repetitions and `PAD`s."""
    fields = [observation.history_items] if observation.candidates is None else [observation.history_items, observation.candidates]
    return torch.cat([items.flatten() for items in fields])


def _items_in_batch(batch: Transition) -> Tensor:
    return torch.cat([batch.slate.flatten(), _items_in(batch.observation), _items_in(batch.next_observation)])
