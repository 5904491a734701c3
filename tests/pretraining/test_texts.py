"""The texts that a language model is pretrained on, and their batches."""

import polars as pl
import pytest
import torch

from recframe.interfaces import Catalog, Data, DataError, Interactions, Texts, Users
from recframe.pretraining.texts import Batches, batch_rows, split_texts, texts_of


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_texts_of_has_every_text_of_the_data_once():
    titles = ["one", "two", "one", " "]
    catalog = Catalog(list("abcd"), titles, pl.DataFrame({"title": titles}), torch.ones(4))
    frame = pl.DataFrame({"user": [0, 0], "item": [0, 1], "timestamp": [1, 2], "text": ["I liked it", None]})
    users = Users(["u"], Texts(["likes two"]))
    data = Data(catalog, users, Interactions(frame, ()), contexts=Texts(["in the evening", "two"]))
    assert texts_of(data) == ["one", "two", "likes two", "in the evening", "I liked it"]
    assert texts_of(Data(catalog)) == ["one", "two"]


def test_each_text_is_either_trained_on_or_held_out():
    texts = [f"text {i}" for i in range(40)]
    train, held_out = split_texts(texts, 0.1, seeded())
    assert len(held_out) == 4
    assert sorted(train + held_out) == sorted(texts)
    assert split_texts(texts, 0.1, seeded()) == (train, held_out)
    assert split_texts(texts, 0.1, seeded(1)) != (train, held_out)
    assert [len(part) for part in split_texts(texts[:2], 0.01, seeded())] == [1, 1]
    with pytest.raises(DataError, match="1 different texts; at least two are needed"):
        split_texts(texts[:1], 0.1, seeded())


def test_batches_are_bounded_in_tokens_and_have_each_text_once():
    counts = [3, 50, 4, 4, 9, 1, 8, 8, 2, 5] * 4
    batches = batch_rows(counts, 24, seeded())
    assert sorted(row for batch in batches for row in batch) == list(range(40))
    for batch in batches:
        padded = len(batch) * max(counts[row] for row in batch)
        assert padded <= 24 or len(batch) == 1
    assert batches != batch_rows(counts, 24, seeded(1))
    assert len(batches) == len(batch_rows(counts, 24, seeded(1)))


def batches_of(texts, **settings):
    options = {"batch_tokens": 4, "epochs": 3, "steps": None, "seed": 0} | settings
    return Batches(texts, [2] * len(texts), lambda chosen, generator: list(chosen), **options)


def test_an_epoch_has_every_text_and_steps_override_epochs():
    texts = [f"text {i}" for i in range(8)]
    three_epochs = list(batches_of(texts))
    assert len(three_epochs) == len(batches_of(texts)) == 12
    for epoch in range(3):
        assert sorted(text for batch in three_epochs[4 * epoch : 4 * epoch + 4] for text in batch) == texts
    assert three_epochs[:4] != three_epochs[4:8]
    assert len(list(batches_of(texts, steps=5))) == 5
