"""A logged stage that learns from a log of random items in the simulator."""

import polars as pl
import pytest
import torch

from recframe.building.parts import assemble
from recframe.building.simulated_log import random_interactions
from recframe.config import compose_config, validate

SMALL = [
    *["encoder=tfidf", "embeddings.cache=null", "dataset.num_items=40", "dataset.num_users=30", "agent=language_policy"],
    *["stages=[logged,simulated]", "logged.simulated_steps=2000", "cold_items.share=0.2"],
]


def parts(*overrides):
    return assemble(validate(compose_config([*SMALL, *overrides])))


@pytest.fixture(scope="module")
def simulated():
    return parts()


def test_it_has_as_many_steps_of_training_people_and_no_cold_items(simulated):
    environment = simulated.environment(64, "train")
    interactions = random_interactions(environment, 2000, seed=0)
    frame = interactions.frame
    assert frame.height == 2048
    assert interactions.feedback == ("click", "rating")
    held_out = set(simulated.evaluation_environment().people.tolist())
    assert not held_out & set(frame["user"].to_list())
    cold = set(simulated.cold_items.drawn_from(40).tolist())
    assert len(cold) == 8
    assert not cold & set(frame["item"].to_list())


def test_a_session_is_of_one_person_and_goes_on_step_by_step(simulated):
    frame = random_interactions(simulated.environment(64, "train"), 2000, seed=0).frame
    sessions = frame.group_by("session").agg(
        people=pl.col("user").n_unique(), steps=pl.len(), first=pl.col("timestamp").min(), last=pl.col("timestamp").max()
    )
    assert sessions["people"].max() == 1
    assert (sessions["last"] - sessions["first"] + 1 == sessions["steps"]).all()
    assert sessions.height > 64


def test_it_is_split_as_any_log_and_the_same_for_all_seeds(simulated):
    other = parts("seed=7")
    assert simulated.log.train.frame.equals(other.log.train.frame)
    assert len(simulated.log.validation) > 0
    assert len(simulated.log.test) > 0
    assert torch.equal(simulated.log.test.targets, other.log.test.targets)
