"""The dataset synthetic: a catalogue and users, generated from latent topics and written as text. It needs no file."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Catalog, Data, Dataset, Texts, Users
from recframe_plugins.datasets.synthetic.config import SyntheticConfig
from recframe_plugins.datasets.synthetic.text import ITEM_CHOICES, PROFILE_CHOICES, TitleRegister, write_item, write_profile
from recframe_plugins.datasets.synthetic.utterances import generate_utterances
from recframe_plugins.datasets.synthetic.vocabulary import TOPICS
from recframe_plugins.datasets.text_template import as_text, check_template, fill_template, text_columns

__all__ = ["Synthetic"]

# Probabilities that an item is about 1, 2 or 3 topics, and that a user has 1, 2 or 3 tastes.
TOPICS_PER_ITEM = (0.45, 0.4, 0.15)
TASTES_PER_USER = (0.25, 0.45, 0.3)
# A topic with a smaller weight could not be recognised from the text.
LEAST_WEIGHT = 0.15


class Mixtures(NamedTuple):
    """Topic mixtures of n items or users over at most L topics each, in descending order of weight.

    topics: `[n, L]` int64, rows of `TOPICS`.   weights: `[n, L]` float64, sum to 1, 0 beyond the size of the mixture.
    sizes: `[n]` int64, the size of the mixture.   absent: `[n]` int64, a topic that is not in it.
    """

    topics: Tensor
    weights: Tensor
    sizes: Tensor
    absent: Tensor

    def lists(self) -> tuple[list[list[int]], list[list[float]]]:
        """Topics and weights as lists without padding."""
        sizes = self.sizes.tolist()
        topics = [row[:size] for row, size in zip(self.topics.tolist(), sizes, strict=True)]
        return topics, [row[:size] for row, size in zip(self.weights.tolist(), sizes, strict=True)]

    def frame(self) -> pl.DataFrame:
        """Columns `topics` (names) and `topic_weights` (f32, sum to 1)."""
        inside = torch.arange(self.topics.shape[1]) < self.sizes[:, None]
        names = pl.Series([topic.name for topic in TOPICS])
        return pl.DataFrame(
            {
                "topics": nested(names.gather(self.topics[inside].numpy()), self.sizes),
                "topic_weights": nested(pl.Series(self.weights[inside].float().numpy()), self.sizes),
            }
        )


def nested(values: pl.Series, lengths: Tensor) -> pl.Series:
    """A column of lists with the given `lengths` (all > 0) and concatenated `values`; much faster than from Python lists."""
    rows = torch.repeat_interleave(torch.arange(len(lengths)), lengths).numpy()
    return pl.DataFrame({"row": rows, "values": values}).group_by("row", maintain_order=True).agg("values")["values"]


def draw_mixtures(n: int, num_topics: int, sizes: tuple[float, ...], generator: torch.Generator) -> Mixtures:
    """Draw mixtures of up to `len(sizes)` topics; `sizes` are the probabilities of their sizes. At least one topic is always absent."""
    largest = min(len(sizes), num_topics - 1)
    counts = 1 + torch.multinomial(torch.tensor(sizes[:largest]), n, replacement=True, generator=generator)
    topics = torch.rand(n, num_topics, generator=generator).topk(largest + 1, dim=1).indices
    inside = torch.arange(largest) < counts[:, None]
    shares = torch.empty(n, largest, dtype=torch.float64).exponential_(generator=generator) * inside
    weights = inside * (LEAST_WEIGHT + (1 - LEAST_WEIGHT * counts[:, None]) * shares / shares.sum(dim=1, keepdim=True))
    return Mixtures(topics[:, :largest], weights.sort(dim=1, descending=True).values, counts, topics.gather(1, counts[:, None]).squeeze(1))


def draw_choices(n: int, below: tuple[int, ...], generator: torch.Generator) -> list[list[int]]:
    """Draw integers `[n, len(below)]`, uniform below each bound."""
    uniform = torch.rand(n, len(below), generator=generator, dtype=torch.float64)
    return (uniform * torch.tensor(below)).long().tolist()


def long_tail(n: int, generator: torch.Generator) -> Tensor:
    """Popularity shares `[n]` float32 that sum to 1: Zipf-Mandelbrot, 1 / (rank + 10), with ranks assigned at random."""
    shares = 1 / (torch.randperm(n, generator=generator).double() + 11)
    return (shares / shares.sum()).float()


class Synthetic(Dataset):
    """Generated data: items about one to three topics, and users with one to three tastes, written as text.

    Items do not depend on `num_users`, and items and users do not depend on `utterances`. `catalog.attributes` holds title, description,
    tags, topics and topic_weights. `users.attributes` holds topics and topic_weights, the true tastes for the simulation. If requested,
    `contexts` holds the texts that users can say, with intent, sentiment and time_of_day as attributes. There are no interactions.
    """

    def __init__(self, config: SyntheticConfig) -> None:
        self.config = config

    def load(self) -> Data:
        """Generate everything; the same config gives the same data.

        Raises
        ------
        DataError: the text template of the items cannot be filled.
        """
        root = torch.Generator().manual_seed(self.config.seed)
        item_seed, user_seed = torch.randint(2**62, (2,), generator=root).tolist()
        contexts = None
        if self.config.utterances:
            said = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=root)))
            contexts = generate_utterances(self.config.utterances, self.config.num_topics, said)
        return Data(
            catalog=self.generate_catalog(torch.Generator().manual_seed(item_seed)),
            users=self.generate_users(torch.Generator().manual_seed(user_seed)),
            contexts=contexts,
        )

    def generate_catalog(self, generator: torch.Generator) -> Catalog:
        """The `num_items` items."""
        n = self.config.num_items
        mixtures = draw_mixtures(n, self.config.num_topics, TOPICS_PER_ITEM, generator)
        choices = draw_choices(n, ITEM_CHOICES, generator)
        register = TitleRegister()
        items = [write_item(*item, register) for item in zip(choices, *mixtures.lists(), strict=True)]
        titles, descriptions, tags = zip(*items, strict=True)
        written = {
            "title": titles,
            "description": descriptions,
            "tags": nested(pl.Series([*chain.from_iterable(tags)]), torch.tensor([len(row) for row in tags])),
        }
        attributes = pl.DataFrame(written).hstack(mixtures.frame())
        check_template(self.config.text_template, text_columns(attributes))
        return Catalog(
            ids=[f"item-{number}" for number in range(n)],
            texts=fill_template(self.config.text_template, as_text(attributes)),
            attributes=attributes,
            popularity=long_tail(n, generator),
        )

    def generate_users(self, generator: torch.Generator) -> Users:
        """The `num_users` users."""
        n = self.config.num_users
        mixtures = draw_mixtures(n, self.config.num_topics, TASTES_PER_USER, generator)
        choices = draw_choices(n, PROFILE_CHOICES, generator)
        profiles = [write_profile(*user) for user in zip(choices, *mixtures.lists(), mixtures.absent.tolist(), strict=True)]
        return Users(ids=[f"user-{number}" for number in range(n)], profiles=Texts(profiles), attributes=mixtures.frame())
