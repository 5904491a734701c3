"""Nothing that is fitted sees the held-out parts: two logs that differ only there give the same fitted things, to the bit.

Each test also fits on everything, where the planted leak is found: otherwise it could not fail.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from recframe.building.data import Loaded, load
from recframe.building.texts import reduced, with_text_vectors
from recframe.config import compose_config
from recframe.experience import LoggedReplay, RewardSum, with_rewards
from recframe.interfaces import Catalog, Data, Interactions, Observation, Sequences, Texts, Users
from recframe.logs import LogSettings, SequenceSampler, SplitLog, SplitSettings, build_log, split_log, texts_in_training, training_data
from recframe.logs.parts import TRAIN
from recframe.references.popular import PopularPolicy
from recframe.testing import toy_spec
from recframe_plugins.environments.preference_model.config import PreferenceModelConfig
from recframe_plugins.environments.preference_model.preference_model import PreferenceModel
from recframe_plugins.rewards.config import RatingConfig
from recframe_plugins.rewards.rating import Rating

USERS, ITEMS, LENGTH = 30, 24, 9
PLANTED = ITEMS - 1
"""An item that occurs only in held-out interactions of the second log."""

CPU = torch.device("cpu")
WORDS = ["quiet", "river", "city", "ghost", "love", "engine", "garden", "winter", "island", "letter", "music", "desert"]
SPLITS = [
    SplitSettings(by="last"),
    SplitSettings(by="time", validation_share=0.15, test_share=0.15, targets="all"),
    SplitSettings(by="users", validation_share=0.2, test_share=0.2),
    SplitSettings(by="sessions", validation_share=0.15, test_share=0.15),
    SplitSettings(by="random", validation_share=0.15, test_share=0.15, targets="all"),
]
every_split = pytest.mark.parametrize("wanted", SPLITS, ids=lambda wanted: wanted.by)


def plain_data() -> Data:
    draws = np.random.default_rng(0)
    rows = USERS * LENGTH
    users = np.repeat(np.arange(USERS), LENGTH)
    frame = pl.DataFrame(
        {
            "user": users,
            "item": np.concatenate([draws.permutation(ITEMS - 1)[:LENGTH] for _ in range(USERS)]),
            "timestamp": np.tile(np.arange(LENGTH), USERS) * 1_000 + users,
            "rating": draws.integers(1, 6, rows).astype(np.float64),
            "session": 3 * users + np.tile(np.arange(LENGTH) // 3, USERS),
            "text": [f"{WORDS[draws.integers(12)]} {WORDS[draws.integers(12)]}" for _ in range(rows)],
        }
    )
    texts = [" ".join(draws.choice(WORDS, 3, replace=False)) for _ in range(ITEMS)]
    profiles = [" ".join(draws.choice(WORDS, 3, replace=False)) for _ in range(USERS)]
    counts = np.bincount(frame["item"].to_numpy(), minlength=ITEMS)
    return Data(
        catalog=Catalog([str(item) for item in range(ITEMS)], texts, pl.DataFrame({"title": texts}), torch.from_numpy(counts).float()),
        users=Users([str(user) for user in range(USERS)], Texts(profiles)),
        interactions=Interactions(frame, ("rating",)),
        ratings=torch.full((USERS, ITEMS), 3.0),
    )


def divided(data: Data, wanted: SplitSettings) -> SplitLog:
    settings = LogSettings(sequence="session" if wanted.by == "sessions" else "user")
    return split_log(data.interactions, USERS, ITEMS, settings, wanted)


def planted(wanted: SplitSettings) -> tuple[Data, Data]:
    """Two datasets whose training parts are the same. In the second, a new item is in every held-out row, with other ratings and words."""
    plain = plain_data()
    held_out = divided(plain, wanted).part != TRAIN
    frame = plain.interactions.frame.with_columns(
        item=pl.when(pl.Series(held_out)).then(PLANTED).otherwise("item"),
        rating=pl.when(pl.Series(held_out)).then(6.0 - pl.col("rating")).otherwise("rating"),
        text=pl.when(pl.Series(held_out)).then(pl.lit("zebra")).otherwise("text"),
    )
    # the texts of what does not occur in training, too
    rows = texts_in_training(Interactions(frame.filter(pl.Series(~held_out)), ()))
    texts = [text if item in rows["item"].tolist() else f"zebra {text}" for item, text in enumerate(plain.catalog.texts)]
    profiles = [text if user in rows["user"].tolist() else f"zebra {text}" for user, text in enumerate(plain.users.profiles.texts)]
    counts = torch.bincount(torch.tensor(frame["item"].to_list()), minlength=ITEMS).float()
    other = plain._replace(
        catalog=replace(plain.catalog, texts=texts, popularity=counts),
        users=replace(plain.users, profiles=Texts(profiles)),
        interactions=replace(plain.interactions, frame=frame),
        ratings=torch.full((USERS, ITEMS), 1.0),
    )
    return plain, other


def for_training(wanted: SplitSettings) -> tuple[Data, Data]:
    """The two datasets, as what is fitted sees them."""
    one, other = planted(wanted)
    settings = LogSettings()
    return training_data(one, divided(one, wanted), settings), training_data(other, divided(other, wanted), settings)


@every_split
def test_interactions_and_what_users_wrote_are_those_of_training(wanted):
    one, other = for_training(wanted)
    assert one.interactions.frame.equals(other.interactions.frame)
    assert PLANTED not in other.interactions.frame["item"].to_list()
    assert "zebra" not in " ".join(other.interactions.frame["text"].to_list())
    assert one.ratings is None
    assert other.ratings is None
    assert len(one.catalog) == ITEMS
    assert len(one.users) == USERS


@every_split
def test_popularity_and_the_most_popular_items_are_counted_from_training(wanted):
    (one, other), (plain, leaking) = for_training(wanted), planted(wanted)
    assert torch.equal(one.catalog.popularity, other.catalog.popularity)
    assert other.catalog.popularity[PLANTED] == 0
    assert other.catalog.popularity.sum() == len(other.interactions)

    def first(data: Data) -> int:
        spec = toy_spec(data)
        observed = build_log(data.interactions, USERS, ITEMS, LogSettings(sequence="user"))
        history = observed.items[observed.items != PLANTED][:1].expand(1, 5)
        observation = Observation(
            user=torch.zeros(1, dtype=torch.int64), history_items=history, history_feedback=torch.zeros(1, 5, 2), batch_size=[1]
        )
        return int(PopularPolicy(spec, data.catalog.popularity)(observation)[0, 0])

    assert first(one) == first(other) != PLANTED
    assert first(leaking) == PLANTED
    assert first(plain) != PLANTED


def tfidf(tmp_path, *overrides: str):
    cfg = compose_config(["encoder=tfidf", "encoder.dim=6", "encoder.min_df=1", f"embeddings.cache={tmp_path}", *overrides])
    return OmegaConf.create(cfg)


def encoded(cfg, data: Data, split: SplitLog | None) -> tuple[Tensor, Tensor]:
    """The vectors of items and profiles, learned from the texts of training, or from all."""
    rows = {} if split is None else texts_in_training(split.train)
    read, _ = with_text_vectors(data, "encoder", cfg, CPU, learn_from=rows)
    return read.catalog.text_vectors, read.users.profiles.vectors


@pytest.mark.parametrize("wanted", [SPLITS[0], SPLITS[2]], ids=lambda wanted: wanted.by)
def test_encoders_learn_from_texts_of_training_alone(tmp_path, wanted):
    cfg = tfidf(tmp_path)
    one, other = planted(wanted)
    splits = [divided(data, wanted) for data in (one, other)]
    trained = texts_in_training(splits[0].train)
    (items, profiles), (other_items, other_profiles) = (encoded(cfg, data, split) for data, split in zip((one, other), splits, strict=True))
    assert torch.equal(items[trained["item"]], other_items[trained["item"]])
    assert torch.equal(profiles[trained["user"]], other_profiles[trained["user"]])
    # a word that is not in training has no meaning, so the text with it is read like the one without
    assert torch.equal(items, other_items)
    assert torch.equal(profiles, other_profiles)
    # learned from everything, the word is known; and the cache does not mix the two up
    everything = encoded(cfg, other, None)
    assert not torch.equal(everything[0][trained["item"]], other_items[trained["item"]])
    assert torch.equal(encoded(cfg, other, splits[1])[0], other_items)


def test_without_a_split_encoders_learn_from_all_texts_as_before(tmp_path):
    cfg, data = tfidf(tmp_path), plain_data()
    every = {"item": torch.arange(ITEMS), "user": torch.arange(USERS)}
    read, _ = with_text_vectors(data, "encoder", cfg, CPU)
    assert torch.equal(read.catalog.text_vectors, with_text_vectors(data, "encoder", cfg, CPU, learn_from=every)[0].catalog.text_vectors)


def test_whitening_is_fitted_on_items_of_training_alone():
    one, _ = planted(SPLITS[0])
    rows = texts_in_training(divided(one, SPLITS[0]).train)["item"]
    assert PLANTED not in rows.tolist()
    vectors = torch.randn(ITEMS, 5, generator=torch.Generator().manual_seed(0))
    maps = []
    for far in (0.0, 100.0):
        moved = vectors.clone()
        moved[PLANTED] += far
        profiles = Texts(one.users.profiles.texts, torch.zeros(USERS, 5))
        data = one._replace(catalog=replace(one.catalog, text_vectors=moved), users=replace(one.users, profiles=profiles))
        maps.append([reduced(data, True, 3, learn_from)[1] for learn_from in (rows, None)])
    assert torch.equal(maps[0][0].matrix, maps[1][0].matrix)
    assert torch.equal(maps[0][0].mean, maps[1][0].mean)
    assert not torch.allclose(maps[0][1].mean, maps[1][1].mean)


@every_split
def test_a_user_model_is_fitted_on_training_alone(wanted):
    def fitted(data: Data) -> tuple[Tensor, ...]:
        config = PreferenceModelConfig(similarity="factors", factors=3, iterations=3)
        world = PreferenceModel(config, data, num_users=4, history_length=5, split="train", device=CPU)
        return world.item_factors, world.user_factors, world.item_appeal, world.user_appeal

    one, other = (fitted(data) for data in for_training(wanted))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    leaking = [fitted(data) for data in planted(wanted)]
    assert not torch.equal(leaking[0][0], leaking[1][0])


def co_taken(interactions: Interactions, settings: LogSettings) -> Tensor:
    """How often the same sequence has two items, `[M, M]`: the graph that neighbourhood methods are built on."""
    log = build_log(interactions, USERS, ITEMS, settings)
    taken = torch.zeros(log.num_sequences, ITEMS)
    taken[log.sequence, log.items] = 1.0
    return taken.T @ taken


@every_split
def test_a_graph_of_items_has_no_edge_from_held_out_interactions(wanted):
    settings = LogSettings(sequence="session" if wanted.by == "sessions" else "user")
    one, other = (co_taken(data.interactions, settings) for data in for_training(wanted))
    assert torch.equal(one, other)
    assert other[PLANTED].sum() == 0
    leaking = co_taken(planted(wanted)[1].interactions, settings)
    assert leaking[PLANTED].sum() > 0


@every_split
def test_batches_to_learn_from_contain_no_held_out_interaction(wanted):
    settings = LogSettings(sequence="session" if wanted.by == "sessions" else "user")
    rewards = RewardSum({"rating": (Rating(RatingConfig()), 1.0)}, plain_data().catalog, frozenset())

    def drawn(data: Data) -> list[Tensor]:
        log = with_rewards(build_log(data.interactions, USERS, ITEMS, settings), rewards, 5)
        steps = LoggedReplay(log, 5, None, seed=0, n_step=3, gamma=0.9).sample(500)
        batch = SequenceSampler(log, Sequences(batch_size=64, length=6), torch.Generator().manual_seed(0)).draw()
        return [steps.observation.history_items, steps.next_observation.history_items, steps.slate, steps.reward, batch.item, batch.reward]

    one, other = (drawn(data) for data in for_training(wanted))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    assert not any((items == PLANTED).any() for items in (other[0], other[1], other[2], other[4]))
    leaking = drawn(planted(wanted)[1])
    assert (leaking[1] == PLANTED).any()
    assert (leaking[4] == PLANTED).any()


@every_split
def test_the_planted_item_is_what_the_held_out_part_asks_for(wanted):
    split = divided(planted(wanted)[1], wanted)
    assert set(split.test.targets.tolist()) == {PLANTED}
    summary = split.summary()
    assert summary["test"]["cold_items"] == 1


def write_movies(folder: Path, leaking: bool) -> Path:
    """Everybody rates four films, then two more: in the leaking log two films that nobody rates before, which have a text of their own."""
    folder.mkdir()
    draws = np.random.default_rng(0)
    titles = [" ".join(draws.choice(WORDS, 3, replace=False)) for _ in range(ITEMS - 2)]
    titles += ["zebra quiet", "zebra river"] if leaking else ["okapi", "gnu"]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(f"{film},{title},\n" for film, title in enumerate(titles)))
    rows = ["userId,movieId,rating,timestamp"]
    for user in range(USERS):
        films = draws.permutation(ITEMS - 2)[:6].tolist()
        if leaking:
            films[-2:] = ITEMS - 2, ITEMS - 1
        rows += [f"{user},{film},{(film % 5 + 1) if place < 4 else 1 + 4 * leaking},{place}" for place, film in enumerate(films)]
    (folder / "ratings.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_run_reads_nothing_from_what_it_holds_out(tmp_path):
    def loaded(leaking: bool, *overrides: str) -> Loaded:
        folder = tmp_path / f"{leaking}{len(list(tmp_path.iterdir()))}"
        settings = ["dataset=movielens_format", f"dataset.path={write_movies(folder, leaking)}", "encoder=tfidf", "encoder.min_df=1"]
        settings += ["embeddings.whiten=true", "embeddings.dim=5", f"embeddings.cache={tmp_path / 'cache'}", "encoder.dim=8"]
        return load(compose_config([*settings, *overrides]), CPU)

    one, other = (loaded(leaking, "experiment=next_item") for leaking in (False, True))
    assert one.reduction is not None
    assert other.reduction is not None
    assert torch.equal(one.reduction.matrix, other.reduction.matrix)
    assert torch.equal(one.reading.catalog.text_vectors[:-2], other.reading.catalog.text_vectors[:-2])
    assert torch.equal(one.reading.catalog.popularity, other.reading.catalog.popularity)
    assert one.reading.interactions.frame.equals(other.reading.interactions.frame)
    assert one.log.train.frame.equals(other.log.train.frame)
    assert one.log.test.targets.tolist() != other.log.test.targets.tolist()
    # a run that learns from a simulator, and holds nothing of the log out, reads everything
    simulated = ["environment=preference_model"]
    leaks = [loaded(leaking, *simulated) for leaking in (False, True)]
    assert not torch.equal(leaks[0].reading.catalog.text_vectors[:-2], leaks[1].reading.catalog.text_vectors[:-2])
    assert not torch.equal(leaks[0].reading.catalog.popularity, leaks[1].reading.catalog.popularity)
