"""Logs for tests of recommenders: random ones, and those of people with tastes."""

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Log
from recframe.logs import HeldOut


def log_of(sequences: list[list[int]], num_items: int, clicks=None, ratings=None) -> Log:
    """A log of these items; everything is a click, and has the rating 1, unless said otherwise. User s has sequence s."""
    lengths = torch.tensor([len(items) for items in sequences])
    size = int(lengths.sum())
    click = torch.ones(size) if clicks is None else torch.as_tensor(clicks).float()
    rating = torch.ones(size) if ratings is None else torch.as_tensor(ratings).float()
    return Log(
        users=torch.repeat_interleave(torch.arange(len(sequences)), lengths),
        items=torch.tensor([item for items in sequences for item in items]),
        timestamps=torch.arange(size) * 60,
        signals=("click", "rating"),
        feedback=torch.stack([click, rating], dim=1),
        offsets=torch.nn.functional.pad(lengths.cumsum(0), (1, 0)),
        num_items=num_items,
        num_users=len(sequences),
    )


def random_log(seed: int, sequences: int = 30, num_items: int = 17) -> Log:
    """Sequences of 1 to 9 random items, some of them twice; most are clicks, with ratings from 1 to 5."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 10, (sequences,), generator=generator)
    items = [torch.randint(num_items, (int(length),), generator=generator).tolist() for length in lengths]
    size = int(lengths.sum())
    clicks, ratings = torch.rand(size, generator=generator) < 0.8, torch.randint(1, 6, (size,), generator=generator)
    return log_of(items, num_items, clicks, ratings)


def tastes(seed: int, people: int = 300, num_items: int = 60, groups: int = 6, length: int = 9) -> tuple[Log, HeldOut, Tensor]:
    """The log of people who mostly take items of their own group (number modulo `groups`), a query for each, and the groups of the items.

    In each group, low numbers are taken most.
    """
    generator = torch.Generator().manual_seed(seed)
    group = torch.arange(num_items) % groups
    likes = torch.where(group == torch.arange(people).unsqueeze(1) % groups, 12.0, 1.0) / (3.0 + torch.arange(num_items) // groups)
    taken = torch.multinomial(likes, length + 1, generator=generator)
    whole = log_of(taken.tolist(), num_items)
    ends = whole.offsets[1:] - 1
    queries = HeldOut(whole, whole.offsets[:-1], ends, whole.users[ends], whole.items[ends], torch.arange(people + 1))
    return log_of(taken[:, :-1].tolist(), num_items), queries, group


def spec_of(log: Log, **choices) -> EnvironmentSpec:
    return EnvironmentSpec(4, 1, 5, log.num_items, log.signals, **choices)


def hit_rate(ranker, held_out: HeldOut, k: int = 5) -> float:
    """The share of queries whose target is among the first k items, without the history."""
    (queries,) = held_out.batches(len(held_out), 0)
    return float((ranker.rank(queries.observation, k) == queries.targets.unsqueeze(1)).any(dim=1).float().mean())
