"""Working sets: the part of a large catalogue that a chunk is acted over, or an update made over, so that neither costs what all costs.

A working set is as many items as `working_items` says: those shown most lately, up to half as many, and others, every one as likely as any
other. What was shown is what a policy has found good: carrying it over from chunk to chunk is what keeps good items in the set, and the
random ones are how others come in.

Inside, items have numbers of their own: those that may be chosen come first, and behind them come those that are merely read, in histories
and past slates. Agents see such numbers only, and need not know what part of the catalogue they stand for.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.agent_options import WorkingSetConfig
from recframe.interfaces import PAD, EnvironmentSpec, Observation, StateTracker, Transition

SPARSE = 16
"""Of at least one number in so many items it is faster to count all items than to sort the numbers."""


class Items(NamedTuple):
    """The items that a decision or an update looks at: the whole catalogue, or a part of it, numbered anew.

    rows: `[R]` int64, different items: number i stands for item rows[i] of the catalogue. None: every number for itself.
    count: how many may be chosen, those numbered 0 to count - 1.
    lookup: whether the rows are merely read, in histories and past slates, while items are chosen under their numbers in the catalogue,
        which candidates and exclusions then have, too.
    """

    rows: Tensor | None
    count: int
    lookup: bool = False

    def vectors(self, tracker: StateTracker) -> Tensor:
        """Their vectors `[R, d]`, or `[M, d]`, under the tracker's present weights."""
        return tracker.project_items(self.rows)

    def in_catalog(self, numbers: Tensor) -> Tensor:
        """What chosen items' numbers, of any shape, stand for."""
        return numbers if self.rows is None or self.lookup else self.rows[numbers]


class WorkingSet:
    """Chooses the items to look at, and translates observations and batches to their numbers.

    With candidates, nothing else can be chosen: the items are then the candidates of all users and what their histories hold, exactly.
    A catalogue of up to `whole_catalog_items` is looked at whole, under its own numbers.

    Parameters
    ----------
    searched: whether an index finds items in the whole of a large catalogue, so that only what is read need be looked at.

    Raises
    ------
    ValueError: a working set would be too small for a slate.
    """

    def __init__(self, config: WorkingSetConfig, spec: EnvironmentSpec, searched: bool = False) -> None:
        self.whole = Items(None, spec.num_items)
        self.in_use = spec.actions == "items" and spec.num_items > config.whole_catalog_items
        self.searched = searched
        self.size = min(config.working_items, spec.num_items)
        needed = spec.slate_size + spec.num_excluded
        if self.in_use and not searched and not spec.num_candidates and self.size < needed:
            raise ValueError(
                f"agent.working_items ({self.size}) must be at least {needed}: the {spec.slate_size} of a slate and the "
                f"{spec.num_excluded} that the environment may exclude"
            )
        nothing = torch.zeros(0, dtype=torch.int64, device=spec.device)
        self._shown, self._showing = nothing, [nothing]
        self._chunk: Items | None = None
        # number of each item, and, last, of PAD; all PAD but while something is looked up
        self._numbers = torch.full((spec.num_items + 1 if self.in_use else 0,), PAD, device=spec.device)

    @property
    def shown(self) -> Tensor:
        """The items `[n]` shown in the chunk under way, or else in the last one; with repetitions."""
        return torch.cat(self._showing) if len(self._showing) > 1 else self._shown

    def start_chunk(self) -> None:
        """Forget the working set: the next one to act over begins with what was shown over this one."""
        self._shown, self._showing, self._chunk = self.shown, self._showing[:1], None

    def resume(self, shown: Tensor) -> None:
        """Go on from the saved `shown`."""
        self._shown, self._showing, self._chunk = shown.to(self._numbers.device), self._showing[:1], None

    def remember(self, slate: Tensor) -> None:
        """That the items `[N, K]` of the catalogue were shown."""
        if self.in_use:
            self._showing.append(slate.flatten())

    def for_acting(self, observation: Observation, generator: torch.Generator) -> tuple[Items, Observation]:
        """The items to choose among, the same ones until the next chunk, and the observation in their numbers."""
        if not self.in_use:
            return self.whole, observation
        if observation.candidates is not None:
            items = _exactly(self._counted(_named(observation))[0])
        else:
            items = self._chunk or self._drawn(*self._counted(self._shown), generator)
            # once a chunk the histories are new; after that they hold what is known, and the same items come back
            items = self._chunk = self._with(items, observation.history_items)
        (observation,), _ = self._translated(items, [observation])
        return items, observation

    def for_learning(self, batch: Transition, generator: torch.Generator) -> tuple[Items, Transition]:
        """Items to learn from a replayed batch over, those that it names among them, and the batch in their numbers.

        Of more named items than half a working set those named most often may be chosen; all can be looked up.
        """
        if not self.in_use:
            return self.whole, batch
        named, times = self._counted(_named_by(batch))
        items = _exactly(named) if batch.observation.candidates is not None else self._with(self._drawn(named, times, generator), named)
        return items, self._batch(items, batch)

    def of_chunk(self, batch: Transition, generator: torch.Generator) -> tuple[Items, Transition]:
        """The items that a chunk `[T, N]` was acted over, and the chunk in their numbers.

        A chunk that was acted over another working set is learned from over the present one and what it shows.
        """
        if not self.in_use:
            return self.whole, batch
        if batch.observation.candidates is not None:
            items = _exactly(self._counted(_named_by(batch))[0])
        else:
            acted = self._chunk or self._drawn(*self._counted(batch.slate), generator)
            assert acted.rows is not None
            choosable = self._with(Items(acted.rows[: acted.count], acted.count), batch.slate.flatten()).rows
            assert choosable is not None
            items = self._with(Items(choosable, len(choosable)), _named_by(batch))
        return items, self._batch(items, batch)

    def _drawn(self, shown: Tensor, times: Tensor, generator: torch.Generator) -> Items:
        """A working set: of the items `shown` those of the most `times`, up to half of it, and others uniformly.

        None are drawn where an index finds them.
        """
        if self.searched:
            # item 0, so that padding has something to be looked up in before there are histories
            return Items(shown.new_zeros(1), self.whole.count, lookup=True)
        kept = shown[times.topk(min(self.size // 2, len(shown))).indices].sort().values
        others = spread(self.whole.count - len(kept), self.size - len(kept), generator)
        # the others are counted without those kept: each is as much further on as there are kept ones before it
        before = torch.searchsorted(kept - torch.arange(len(kept), device=kept.device), others, right=True)
        return Items(torch.cat([kept, others + before]), self.size)

    def _with(self, items: Items, named: Tensor) -> Items:
        """The items, and behind them those that are named and not yet among them."""
        assert items.rows is not None
        missing = named[(self._look_up(items, [named])[0] == PAD) & (named != PAD)].unique()
        return items._replace(rows=torch.cat([items.rows, missing])) if len(missing) else items

    def _counted(self, named: Tensor) -> tuple[Tensor, Tensor]:
        """The items that are named, in order, and how many times."""
        if named.numel() < self.whole.count // SPARSE:
            numbers, times = named[named != PAD].unique(return_counts=True)
            return numbers, times
        times = torch.bincount(named.flatten() + 1, minlength=self.whole.count + 1)[1:]  # PAD, -1, is counted first
        numbers = times.nonzero().squeeze(1)
        return numbers, times[numbers]

    def _look_up(self, items: Items, numbers: list[Tensor]) -> list[Tensor]:
        """Item numbers of the catalogue, each tensor of any shape, as numbers of `items`; `PAD` for what is not among them."""
        assert items.rows is not None
        self._numbers[items.rows] = torch.arange(len(items.rows), device=items.rows.device)
        found = [self._numbers[one] for one in numbers]  # PAD, -1, is looked up in the last place, where PAD is
        self._numbers[items.rows] = PAD
        return found

    def _translated(self, items: Items, observations: list[Observation], *numbers: Tensor) -> tuple[list[Observation], list[Tensor]]:
        """Observations, and other item numbers, in the numbers of `items`."""
        numbered = ["history_items"] if items.lookup else ["history_items", "candidates", "excluded"]
        copies = [observation.clone(recurse=False) for observation in observations]
        fields = [(copy, name, value) for copy in copies for name in numbered if (value := getattr(copy, name)) is not None]
        found = self._look_up(items, [value for _, _, value in fields] + list(numbers))
        for (copy, name, _), value in zip(fields, found, strict=False):
            # what cannot be chosen in any case need not be excluded
            setattr(copy, name, torch.where(value < items.count, value, PAD) if name == "excluded" else value)
        return copies, found[len(fields) :]

    def _batch(self, items: Items, batch: Transition) -> Transition:
        copy = batch.clone(recurse=False)
        observations, (copy.slate,) = self._translated(items, [batch.observation, batch.next_observation], batch.slate)
        copy.observation, copy.next_observation = observations
        return copy


def spread(total: int, size: int, generator: torch.Generator) -> Tensor:
    """`size` different numbers below `total`, each equally likely to be among them, `[size]` int64.

    One from each of `size` stretches of a ring that begins anywhere: what that costs does not grow with `total`, and what lies beside
    each other in a catalogue, often alike, is not drawn together.
    """
    device = generator.device
    if not size:
        return torch.zeros(0, dtype=torch.int64, device=device)
    bounds = torch.arange(size + 1, device=device) * total // size
    luck = torch.rand(size, generator=generator, device=device, dtype=torch.float64)
    within = (luck * (bounds[1:] - bounds[:-1])).long()
    return (bounds[:-1] + within + torch.randint(total, (1,), generator=generator, device=device)) % total


def _exactly(rows: Tensor) -> Items:
    """These items, different ones, all of which may be chosen."""
    return Items(rows, len(rows))


def _named(observation: Observation) -> Tensor:
    """The items of the histories, and of the candidates if there are any, with repetitions and `PAD`s."""
    fields = [observation.history_items] if observation.candidates is None else [observation.history_items, observation.candidates]
    return torch.cat([items.flatten() for items in fields])


def _named_by(batch: Transition) -> Tensor:
    return torch.cat([batch.slate.flatten(), _named(batch.observation), _named(batch.next_observation)])
