"""The built-in rewards: what a response is worth."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.testing import check_component, toy_data, toy_spec, toy_transition
from recframe_plugins.rewards.click import Click
from recframe_plugins.rewards.config import ClickConfig, RatingConfig, recframe_register_components
from recframe_plugins.rewards.rating import Rating

COMPONENTS = []
recframe_register_components(COMPONENTS.append)
DATA = toy_data()


@pytest.fixture(params=[1, 5])
def transition(request):
    spec = toy_spec(DATA, slate_size=request.param, signals=("click", "rating"))
    return toy_transition(spec, DATA, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_the_contract_holds(component):
    check_component(component)


def test_each_declares_the_one_signal_it_reads_and_that_it_judges_items_alone():
    assert {component.name: (component.requires, component.provides) for component in COMPONENTS} == {
        "click": ({"signal:click"}, {"itemwise"}),
        "rating": ({"signal:rating"}, {"itemwise"}),
    }


def test_a_click_is_worth_one(transition):
    transition.response.signals["click"] = torch.zeros(transition.slate.shape)
    transition.response.signals["click"][0, 0] = 1.0
    reward = Click(ClickConfig())(transition, DATA.catalog)
    assert reward.shape == transition.slate.shape
    assert reward[0, 0] == 1.0
    assert reward.sum() == 1.0


def test_a_rating_is_worth_itself_by_default_clicked_or_not(transition):
    transition.response.signals["click"] = torch.zeros(transition.slate.shape)
    reward = Rating(RatingConfig())(transition, DATA.catalog)
    torch.testing.assert_close(reward, transition.response.signals["rating"])


def test_a_rating_is_measured_from_the_centre_in_units_of_the_scale(transition):
    transition.response.signals["rating"] = torch.full(transition.slate.shape, 5.0)
    transition.response.signals["rating"][0, 0] = 2.0
    reward = Rating(RatingConfig(centre=3.0, scale=2.0))(transition, DATA.catalog)
    assert reward[0, 0] == -0.5
    assert reward[1, 0] == 1.0


@given(centre=st.floats(-5, 5), scale=st.floats(0.1, 10), share=st.floats(0, 1))
def test_the_reward_of_an_expected_rating_is_the_expected_reward(centre, scale, share):
    spec = toy_spec(DATA, signals=("click", "rating"))
    transition = toy_transition(spec, DATA, torch.Generator().manual_seed(0))
    reward = Rating(RatingConfig(centre=centre, scale=scale))

    def worth(rating):
        transition.response.signals["rating"] = torch.full(transition.slate.shape, rating)
        return reward(transition, DATA.catalog)

    mixed = share * worth(1.0) + (1 - share) * worth(5.0)
    torch.testing.assert_close(worth(share * 1.0 + (1 - share) * 5.0), mixed, rtol=1e-4, atol=1e-4)
