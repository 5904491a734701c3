"""A trained agent for a catalogue with further items at its end, which nobody has met: it knows their texts alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Agent, Catalog, Data, EnvironmentSpec
from recframe.serving.new_items import DescribedItems
from recframe.serving.query_error import QueryError
from recframe.tracking.learned_shapes import extend_items, names_of_learned_shape

Build = Callable[[EnvironmentSpec, Data], Agent]
"""Builds the untrained agent of a policy's config for a specification and data."""


def data_with_more(data: Data, items: DescribedItems, vectors: Tensor) -> Data:
    """The data with further items, which have no interactions.   vectors: `[n, D]`, of their texts, as the policy reads them."""
    catalog = data.catalog
    assert catalog.text_vectors is not None
    return data._replace(
        catalog=Catalog(
            catalog.ids + items.ids,
            catalog.texts + items.texts,
            pl.concat([catalog.attributes, items.attributes]),
            torch.cat([catalog.popularity, catalog.popularity.new_zeros(len(items.ids))]),
            torch.cat([catalog.text_vectors, vectors]),
        )
    )


def agent_with_more(agent: Agent, data: Data, build: Build, name: str) -> Agent:
    """The trained agent, built again for the data with further items, with its weights.

    It can be built if nothing of what it has learned belongs to single items: then its weights have the shapes that they had.

    name: how messages call the agent.

    Raises
    ------
    QueryError: it has learned something about each item.
    """
    num_items, before = len(data.catalog), agent.spec.num_items
    # networks draw their first weights from torch's own generator, which belongs to the caller
    with torch.random.fork_rng(devices=[]):
        larger = build(replace(agent.spec, num_items=num_items), data)
    taken_over, fixed = names_of_learned_shape(agent)
    state = agent.state_dict()
    now = {key: value.shape for key, value in larger.state_dict().items() if isinstance(value, Tensor)}
    by_item = [key for key, shape in now.items() if key not in taken_over and key in state and state[key].shape != shape]
    by_item += [key for key in fixed if before in state[key].shape]
    if by_item:
        raise QueryError(
            f"new items: {name} has learned something about each item ({by_item[0]}), and nothing about new ones; policies that read "
            "items by their texts alone can take them (state_tracker.id_embeddings=false, and an encoder that reads texts)"
        )
    larger.load_state_dict(state)
    extend_items(larger, num_items)
    return larger
