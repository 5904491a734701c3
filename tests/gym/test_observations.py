"""Observations for other libraries: text vectors instead of row numbers, squashed numbers, and values within the declared space."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.gym.observations import ObservationArrays, projection_axes
from recframe.interfaces import PAD, Catalog, standardized, symlog
from recframe.testing import toy_data, toy_observation, toy_spec

DATA = toy_data(num_items=12)
EVERYTHING = {"num_candidates": 5, "num_features": 3, "has_context": True}


def arrays_of(text_dims=None, data=DATA, **shape):
    spec = toy_spec(data, num_users=12, **shape)
    observation = toy_observation(spec, data, torch.Generator().manual_seed(3))
    return ObservationArrays(spec, data, text_dims), observation


def without_vectors(data):
    catalog = data.catalog
    return data._replace(catalog=Catalog(catalog.ids, catalog.texts, catalog.attributes, catalog.popularity))


def test_history_has_the_text_vector_and_feedback_of_each_item():
    arrays, observation = arrays_of()
    texts = standardized(DATA.catalog.text_vectors)
    history = arrays(observation)["history"]
    assert history.shape == (12, 5, texts.shape[1] + 2)
    for user in range(12):
        for place, item in enumerate(observation.history_items[user].tolist()):
            if item == PAD:
                assert not history[user, place].any()
            else:
                np.testing.assert_array_equal(history[user, place, :-2], texts[item])
                np.testing.assert_allclose(history[user, place, -2:], symlog(observation.history_feedback[user, place]))


def test_profiles_contexts_features_and_candidates_are_included_if_present():
    arrays, observation = arrays_of(**EVERYTHING)
    found = arrays(observation)
    assert list(arrays.space) == sorted(["history", "profile", "context", "features", "candidates"])
    np.testing.assert_array_equal(found["profile"], standardized(DATA.users.profiles.vectors)[observation.user])
    np.testing.assert_array_equal(found["context"], standardized(DATA.contexts.vectors)[observation.context])
    np.testing.assert_allclose(found["features"], symlog(observation.features))
    items = torch.cat([standardized(DATA.catalog.text_vectors), torch.zeros(1, 16)])
    np.testing.assert_array_equal(found["candidates"], items[observation.candidates])
    assert (observation.candidates == PAD).any()
    alone, observation = arrays_of(data=DATA._replace(users=None))
    assert list(alone.space) == ["history"] == list(alone(observation))


@pytest.mark.parametrize("text_dims", [None, 0, 3, 100])
def test_observations_are_in_the_space(text_dims):
    arrays, observation = arrays_of(text_dims, **EVERYTHING)
    observation.history_feedback = observation.history_feedback * torch.tensor([3e38, -1e6])
    observation.features = torch.full_like(observation.features, -3e38)
    found = arrays(observation)
    for user in range(12):
        assert {name: value[user] for name, value in found.items()} in arrays.space
    assert all(np.isfinite(box.high).all() for box in arrays.space.values())


def test_history_has_only_feedback_without_text_dims():
    arrays, observation = arrays_of(0, **EVERYTHING)
    assert sorted(arrays.space) == ["features", "history"]
    assert arrays.space["history"].shape == (5, 2)
    unread, observation = arrays_of(0, data=without_vectors(DATA))
    assert unread(observation)["history"].shape == (12, 5, 2)


def test_fewer_dims_are_the_leading_principal_components_of_the_items():
    arrays, observation = arrays_of(4)
    vectors = DATA.catalog.text_vectors
    reduced = torch.from_numpy(arrays(observation)["history"][..., :4])
    shown = observation.history_items
    some = (shown != PAD).all(dim=1)
    reference = torch.linalg.svd(vectors - vectors.mean(dim=0), full_matrices=False)
    scores = reference.U[:, :4] * reference.S[:4]
    scores = scores / scores.pow(2).mean().sqrt()
    torch.testing.assert_close(reduced[some].abs(), scores[shown[some]].abs(), atol=1e-4, rtol=1e-4)


def test_profiles_use_the_same_projection_as_items():
    """An item and a profile of one topic stay similar, so profiles can be compared with items."""
    arrays, observation = arrays_of(4)
    items, profiles = arrays._items[1:], torch.from_numpy(arrays(observation)["profile"])
    likeness = torch.nn.functional.normalize(profiles, dim=1) @ torch.nn.functional.normalize(items, dim=1).T
    topic_of_item, topic_of_user = torch.arange(12) % 5, observation.user % 5
    agree = topic_of_user[:, None] == topic_of_item
    assert likeness[agree].min() > likeness[~agree].max()


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_projection_axes_are_orthonormal_with_fixed_signs_and_order(seed, dims):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(20, 8, generator=generator) * torch.arange(1, 9)
    components = projection_axes(vectors, dims)
    torch.testing.assert_close(components.T @ components, torch.eye(dims), atol=1e-5, rtol=0)
    assert (components.gather(0, components.abs().argmax(dim=0, keepdim=True)) > 0).all()
    torch.testing.assert_close(projection_axes(-vectors, dims), components, atol=1e-3, rtol=0)
    torch.testing.assert_close(projection_axes(vectors.flip(0), dims), components, atol=1e-3, rtol=0)


def test_dims_without_variance_are_left_out():
    flat = torch.randn(30, 2, generator=torch.Generator().manual_seed(0)) @ torch.randn(2, 9, generator=torch.Generator().manual_seed(1))
    assert projection_axes(flat + 5.0, 6).shape == (9, 2)
    assert projection_axes(torch.ones(30, 9), 6).shape == (9, 1)


def test_items_with_equal_texts_have_a_valid_space():
    alike = replace(DATA.catalog, text_vectors=torch.ones(12, 16))
    arrays, observation = arrays_of(4, data=DATA._replace(catalog=alike))
    assert not arrays(observation)["history"][..., :1].any()
    assert (arrays.space["history"].low < arrays.space["history"].high).all()


def test_mistakes_are_reported_in_one_line():
    with pytest.raises(ValueError, match=r"^text_dims is the number of dims kept of text vectors, 0 or more \(None: all\), not -1$"):
        arrays_of(-1)
    with pytest.raises(ValueError, match=r"^the catalogue has no text vectors: use text_dims=0, or data whose texts have been encoded$"):
        arrays_of(8, data=without_vectors(DATA))
    blind = replace(toy_spec(DATA), actions="continuous", action_low=(0.0,), action_high=(1.0,))
    with pytest.raises(ValueError, match=r"^nothing is left to observe: this environment shows neither features nor texts; use text_dims"):
        ObservationArrays(blind, DATA, 0)


def test_unidentified_users_have_no_profile():
    arrays, observation = arrays_of()
    assert "profile" in arrays(observation)
    no_users = replace(arrays.spec, has_users=False)
    unidentified = ObservationArrays(no_users, DATA, None)
    assert "profile" not in unidentified(observation)
    assert "profile" not in unidentified.space.spaces
