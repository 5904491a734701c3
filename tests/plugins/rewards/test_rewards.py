"""Properties of all built-in rewards, and the tags that each declares."""

import importlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.building.logs import require_signals
from recframe.config import ConfigError, compose_config, find_mistakes
from recframe.testing import check_component
from recframe_plugins.rewards.config import DwellConfig, FairnessConfig
from recframe_plugins.rewards.registration import recframe_register_components

COMPONENTS = []
recframe_register_components(COMPONENTS.append)
BY_NAME = {component.name: component for component in COMPONENTS}
# what asks a model needs one, and is checked in its own tests
WITHOUT_MODEL = [component for component in COMPONENTS if "asks_model" not in component.provides]
every_component = pytest.mark.parametrize("component", WITHOUT_MODEL, ids=lambda component: component.name)


def class_of(component):
    module, _, attribute = component.factory.partition(":")
    return getattr(importlib.import_module(module), attribute)


def build(component):
    return class_of(component)(component.config())


@every_component
def test_reward_conforms(component):
    check_component(component)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("dwell", DwellConfig(scale=60.0, maximum=30.0)),
        ("fairness", FairnessConfig(attribute="genres", target="popularity")),
        ("fairness", FairnessConfig(shares={"head": 0.5, "tail": 0.5})),
    ],
)
def test_reward_conforms_with_other_settings(name, config):
    check_component(BY_NAME[name], config)


def test_rewards_declare_their_requirements_and_whether_they_are_itemwise():
    assert {component.name: (component.requires, component.provides) for component in COMPONENTS} == {
        "click": ({"signal:click"}, {"itemwise"}),
        "rating": ({"signal:rating"}, {"itemwise"}),
        "skip": ({"signal:click"}, {"itemwise"}),
        "dwell": ({"signal:dwell"}, {"itemwise"}),
        "purchase": ({"signal:purchase"}, {"itemwise"}),
        "environment": ({"signal:reward"}, {"itemwise"}),
        "diversity": ({"actions:items"}, set()),
        "novelty": ({"actions:items"}, {"itemwise"}),
        "serendipity": ({"actions:items", "signal:click"}, set()),
        "repetition": ({"actions:items"}, set()),
        "question_cost": ({"actions:items", "questions"}, set()),
        "retention": (set(), set()),
        "sentiment": ({"says", "label:{label}={positive}", "label:{label}={negative}"}, set()),
        "fairness": ({"actions:items", "attribute:{attribute}"}, {"compares_users"}),
        "judge": ({"actions:items"}, {"asks_model"}),
    }


@every_component
@settings(max_examples=15)
@given(seed=st.integers(0, 1000), order=st.permutations(range(7)))
def test_permuting_users_permutes_rewards(component, data, random_step, seed, order):
    reward, transition = build(component), random_step(seed)
    reward.prepare(data)
    torch.testing.assert_close(reward(transition[torch.tensor(order)], data.catalog), reward(transition, data.catalog)[order])


@pytest.mark.parametrize("component", [c for c in WITHOUT_MODEL if c.name != "repetition"], ids=lambda component: component.name)
@settings(max_examples=15)
@given(seed=st.integers(0, 1000), order=st.permutations(range(4)))
def test_permuting_a_slate_permutes_all_rewards_except_repetition(component, data, random_step, rearranged, seed, order):
    reward, transition = build(component), random_step(seed)
    reward.prepare(data)
    torch.testing.assert_close(reward(rearranged(transition, order), data.catalog), reward(transition, data.catalog)[:, order])


@pytest.mark.parametrize("name", ["dwell", "environment", "retention", "click"])
def test_continuous_actions_have_one_reward_per_user(name, step, data):
    signals = {signal: [[1.0], [0.0]] for signal in ("dwell", "reward", "click")}
    transition = step(torch.randn(2, 3), leave=[False, True], item_reward=torch.zeros(2, 1), **signals)
    assert build(BY_NAME[name])(transition, data.catalog).tolist() == [[1.0], [0.0]]


@pytest.mark.parametrize(("name", "signal"), [("purchase", "purchase"), ("environment", "reward")])
def test_reward_is_refused_if_the_environment_lacks_its_signal(name, signal):
    (problem,) = find_mistakes(["environment=topic_world", f"reward=[{name}]"])
    assert problem.startswith(f"reward={name} needs a response signal {signal!r}, which environment=topic_world does not give (it gives: ")
    assert "click, rating" in problem


def test_fairness_requires_only_the_attribute_that_it_groups_by():
    (problem,) = find_mistakes(["reward=[fairness]", "reward.fairness.attribute=colour"])
    assert problem.startswith("reward=fairness needs a catalogue attribute 'colour', which dataset=synthetic does not give (it gives: ")
    assert "topics" in problem
    assert find_mistakes(["reward=[click,fairness]"]) == []
    assert find_mistakes(["reward=[click,fairness]", "reward.fairness.attribute=topics"]) == []


def test_shares_can_be_set_by_name():
    cfg = compose_config(["reward=[fairness]", "+reward.fairness.shares={head:0.25,tail:0.75}"])
    assert cfg.reward.fairness.shares == {"head": 0.25, "tail": 0.75}


def test_a_log_does_not_have_what_users_say():
    line = r"reward\.heard reads what users say after each step, which a log does not have; leave it out, or use stages=\[simulated\]"
    with pytest.raises(ConfigError, match=line):
        require_signals({"reward.heard": BY_NAME["sentiment"], "reward.click": BY_NAME["click"]}, ("click",), "log.csv")


def test_terms_that_can_rate_what_was_never_shown():
    assert {name for name in BY_NAME if not class_of(BY_NAME[name]).reads_response} == {
        *("diversity", "novelty", "repetition", "fairness", "judge", "question_cost")
    }
