"""RecSim documents: topics and places of the items of a catalogue, and the candidates drawn from it."""

from dataclasses import replace

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.interfaces import DataError
from recframe_plugins.environments.recsim.documents import main_topics, places


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_topic_is_the_first_entry_of_a_list_or_the_value(items_about):
    catalog = items_about([["jazz", "space"], ["cooking"], ["space"], [], None, ["jazz"]]).catalog
    numbers, names = main_topics(catalog, "topics")
    assert names == ["", "cooking", "jazz", "space"]
    assert numbers.tolist() == [2, 1, 3, 0, 0, 2]
    assert numbers.dtype == torch.int64
    years = replace(catalog, attributes=catalog.attributes.with_columns(year=pl.Series([1999, 2004, 1999, None, 2004, 1980])))
    assert main_topics(years, "year")[0].tolist() == [2, 3, 2, 0, 3, 1]
    assert main_topics(years, "year")[1] == ["", "1980", "1999", "2004"]


def test_unknown_attribute_is_refused_in_one_line(make, recsim):
    with pytest.raises(DataError, match=r"the catalogue has no attribute 'mood'; it has title, topics") as refused:
        make(recsim, topic_attribute="mood")
    assert "\n" not in str(refused.value)


@given(counts=st.lists(st.integers(1, 60), min_size=1, max_size=6), seed=st.integers(0, 2**31))
def test_length_of_a_topics_interval_is_its_share(items_about, counts, seed):
    topics = [f"topic {number}" for number, count in enumerate(counts) for _ in range(count)]
    catalog = items_about([topics[i] for i in torch.randperm(len(topics), generator=seeded(seed))]).catalog
    place = places(catalog, "topics", seeded(seed))
    numbers, _ = main_topics(catalog, "topics")
    ends = torch.tensor(counts, dtype=torch.float64).cumsum(0) / len(topics)
    starts = torch.cat([torch.zeros(1, dtype=torch.float64), ends[:-1]])
    assert (place >= starts[numbers] - 1e-12).all()
    assert (place <= ends[numbers] + 1e-12).all()
    assert (place < 1.0).all()


@pytest.mark.parametrize("attribute", ["topics", None])
def test_places_are_uniform_for_any_topics(items_about, attribute):
    n = 4000
    # topics of 10, 20, 30 and 40 per cent
    catalog = items_about([["abbbccdddd"[i % 10]] for i in range(n)]).catalog
    place = places(catalog, attribute, seeded()).sort().values
    # Kolmogorov-Smirnov: one sample in a thousand exceeds this distance
    assert (place - torch.arange(n) / n).abs().max() < 1.95 / n**0.5


def test_places_within_a_topic_are_random_and_determined_by_the_generator(items_about):
    catalog = items_about([["jazz"]] * 50).catalog
    assert len(places(catalog, "topics", seeded()).unique()) == 50
    assert torch.equal(places(catalog, "topics", seeded(3)), places(catalog, "topics", seeded(3)))
    assert not torch.equal(places(catalog, "topics", seeded(3)), places(catalog, "topics", seeded(4)))


PROPERTY = {"interest_evolution": "quality", "interest_exploration": "quality", "long_term_satisfaction": "clickbait_score"}


@pytest.mark.parametrize("attribute", ["topics", None])
def test_documents_depend_only_on_the_world_seed(make, recsim, attribute):
    def documents(**options):
        return getattr(make(recsim, topic_attribute=attribute, **options), PROPERTY[recsim])

    assert torch.equal(documents(), documents(split="evaluation", num_users=3))
    assert not torch.equal(documents(), documents(world_seed=1))


def test_candidates_are_drawn_again_only_if_resampling_is_on(make, recsim, random_slates):
    for resample in (True, False):
        environment = make(recsim, num_candidates=8, resample_documents=resample, max_steps=3)
        first = environment.reset(0).candidates
        assert first.shape == (16, 8)
        for slate in random_slates(environment, 7):
            # beyond max_steps, so that new users are included
            step = environment.step(slate)
            for observation in (step.observation, step.next_observation):
                assert torch.equal(observation.candidates, first) is not resample
        assert not torch.equal(environment.reset(1).candidates, first)


def test_candidates_that_are_not_resampled_are_saved_with_the_session(make, recsim, random_slates):
    environment, other = (make(recsim, num_candidates=8, resample_documents=False) for _ in range(2))
    first = environment.reset(0).candidates
    other.reset(1)
    assert torch.equal(other.load_state_dict(environment.state_dict()).candidates, first)
    assert torch.equal(other.step(random_slates(other, 1)[0]).observation.candidates, first)


def test_observations_do_not_identify_users(make, recsim, random_slates):
    environment = make(recsim)
    observations = [environment.reset(0), environment.step(random_slates(environment, 1)[0]).observation]
    for observation in observations:
        assert (observation.user == 0).all()
        assert observation.features is None
        assert observation.context is None
    assert environment.spec.num_features == 0
