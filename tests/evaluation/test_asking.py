"""Policies that ask: what metrics, rewards, samples and reference policies make of questions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.evaluation.simulated.evaluation import evaluate_policies
from recframe.evaluation.simulated.metrics import policy_means
from recframe.evaluation.simulated.rollout import rollout
from recframe.evaluation.simulated.samples import sample_recommendations
from recframe.experience import ColdItems, RewardSum
from recframe.interfaces import asks, self_information
from recframe.references.fitting.reference_policies import ReferenceBudget, reference_policies
from recframe.testing import toy_data
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.topic_world import TopicWorld
from recframe_plugins.rewards.click import Click
from recframe_plugins.rewards.config import (
    ClickConfig,
    DiversityConfig,
    FairnessConfig,
    NoveltyConfig,
    QuestionCostConfig,
    RepetitionConfig,
    RetentionConfig,
    SkipConfig,
)
from recframe_plugins.rewards.diversity import Diversity
from recframe_plugins.rewards.fairness import Fairness
from recframe_plugins.rewards.novelty import Novelty
from recframe_plugins.rewards.question_cost import QuestionCost
from recframe_plugins.rewards.repetition import Repetition
from recframe_plugins.rewards.retention import Retention
from recframe_plugins.rewards.skip import Skip

TOY = toy_data()
CONFIG = TopicWorldConfig(questions=["attributes"], slate_size=2, max_steps=8, leave_rate=0.0)
DATA = TopicWorld.training_data(CONFIG, TOY)
ITEMS, ROWS = 40, 45


def world(config=CONFIG, split="train", num_users=32):
    data = TopicWorld.training_data(config, TOY)
    return TopicWorld(config, data, num_users=num_users, history_length=6, split=split, device="cpu")


def rewards(catalog=DATA.catalog, **terms):
    chosen = terms or {"click": (Click(ClickConfig()), 1.0), "question_cost": (QuestionCost(QuestionCostConfig()), 0.25)}
    return RewardSum(chosen, catalog, frozenset({"click", "skip", "novelty"} & chosen.keys()))


def every_second_turn(observation, turn):
    """Asks in turns 1, 3, ...; else shows an item, and a question in the second place, which shows nothing."""
    item = torch.full_like(observation.user, turn)
    question = torch.full_like(item, ITEMS + turn % 5)
    return torch.stack([question, item] if turn % 2 else [item, question], dim=1)


def test_metrics_count_items_that_were_shown_and_turns_in_which_a_question_was_asked():
    episodes = rollout(every_second_turn, world(), rewards(), seed=3, max_steps=8)
    means = policy_means(episodes, DATA.catalog)
    clicks = episodes.clicks[::2, :, 0].double()
    assert not episodes.clicks[1::2].any()
    assert not episodes.clicks[:, :, 1].any()
    assert means["asked"] == pytest.approx(0.5)
    assert means["length"] == 8
    assert means["click_rate"] == pytest.approx(clicks.mean().item())
    assert means["coverage"] == pytest.approx(4 / ITEMS)
    assert means["gini"] == pytest.approx(1 - 4 / ITEMS)
    assert means["return"] == pytest.approx(clicks.sum(dim=0).mean().item() - 0.25 * 4)
    assert means["reward/question_cost"] == pytest.approx(-1.0)
    vectors = torch.nn.functional.normalize(TOY.catalog.text_vectors[[0, 2, 4, 6]].double(), dim=1)
    distances = 1 - vectors @ vectors.T
    assert means["diversity"] == pytest.approx(distances.sum().item() / 12)
    assert means["novelty"] == pytest.approx(self_information(TOY.catalog.popularity)[[0, 2, 4, 6]].mean().item())


def test_a_policy_that_only_asks_has_no_click_rate_in_the_table_and_none_that_training_could_choose_by():
    def only_asks(observation, turn):
        return torch.full((len(observation.user), 2), ITEMS)

    measured = evaluate_policies({"asks": only_asks}, world(), rewards(), DATA.catalog, seed=0, max_steps=4, resamples=50).policies["asks"]
    assert measured["asked"]["mean"] == 1.0
    assert measured["return"]["mean"] == -1.0
    assert not measured.keys() & {"click_rate", "coverage", "gini", "novelty", "diversity"}
    means = policy_means(rollout(only_asks, world(), rewards(), 0, 4), DATA.catalog)
    assert np.isnan(means["click_rate"])


TERMS = {
    "click": (Click(ClickConfig()), 1.0),
    "skip": (Skip(SkipConfig()), 1.0),
    "diversity": (Diversity(DiversityConfig()), 1.0),
    "novelty": (Novelty(NoveltyConfig()), 1.0),
    "repetition": (Repetition(RepetitionConfig()), 1.0),
    "retention": (Retention(RetentionConfig()), 1.0),
    "fairness": (Fairness(FairnessConfig()), 1.0),
}


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_0_where_nothing_is_shown_and_elsewhere_what_it_is_without_questions(name):
    """Slates with a question in the second place are rated as slates of one item in a world without questions."""
    term = {name: TERMS[name]}
    config = replace(CONFIG, answer_noise=0.0)
    # without leaving, users stay the same, and so does all that the terms compare
    asking = rollout(lambda seen, turn: torch.stack([seen.user * 0 + turn, seen.user * 0 + ITEMS], 1), world(config), rewards(**term), 3, 6)
    assert not asking.item_rewards[:, :, 1].any()
    alone = replace(config, questions=[], answer_noise=0.05, slate_size=1)
    plain = rollout(lambda seen, turn: seen.user[:, None] * 0 + turn, world(alone), rewards(TOY.catalog, **term), 3, 6)
    if name in ("click", "skip"):
        assert asking.item_rewards[:, :, 0].abs().max() == 1.0
    elif name == "retention":
        assert (asking.item_rewards[:, :, 0] == 1.0).all()
    else:
        torch.testing.assert_close(asking.item_rewards[:, :, 0], plain.item_rewards[:, :, 0])
    asked = rollout(lambda seen, turn: torch.full((32, 2), ITEMS), world(config), rewards(**term), 3, 6)
    assert not asked.item_rewards.any()


def test_references_do_not_ask_and_are_those_of_the_world_without_questions():
    environment, plain = world(num_users=64), world(replace(CONFIG, questions=[]), num_users=64)
    budget = ReferenceBudget(64, 2_000, 64)
    fitted = reference_policies(environment, rewards(), DATA, max_steps=4, seed=0, budget=budget)
    without = reference_policies(plain, rewards(TOY.catalog), TOY, max_steps=4, seed=0, budget=budget)
    assert fitted.keys() == without.keys() >= {"random", "popular", "fixed_slate", "greedy", "posterior_greedy", "oracle"}
    for name, policy in fitted.items():
        episodes = rollout(policy, world(split="evaluation"), rewards(), 5, 4)
        assert not asks(episodes.slates, ITEMS).any(), name
        assert (episodes.slates < ITEMS).all(), name
    first = rollout(fitted["random"], world(split="evaluation"), rewards(), 5, 1).slates
    assert torch.equal(
        first, rollout(without["random"], world(replace(CONFIG, questions=[]), "evaluation"), rewards(TOY.catalog), 5, 1).slates
    )


@pytest.mark.parametrize("candidates", [0, 10])
def test_references_that_were_fitted_without_cold_items_do_not_ask_among_them(candidates):
    cold = ColdItems(0.5, seed=0)
    environment = world(replace(CONFIG, num_candidates=candidates))
    known = cold.hidden_in(DATA)
    budget = ReferenceBudget(32, 1_000, 32)
    policies = reference_policies(cold.withheld_from(environment), rewards(), known, max_steps=3, seed=0, budget=budget)
    for name, policy in policies.items():
        episodes = rollout(policy, cold.alone_in(world(replace(CONFIG, num_candidates=candidates))), rewards(), 5, 3)
        assert torch.isin(episodes.slates, cold.drawn_from(ITEMS)).all(), name


def test_samples_show_the_question_in_place_of_the_slate():
    rows = sample_recommendations(every_second_turn, world(), rewards(), DATA, seed=3, num_users=1, num_turns=3)
    titles = DATA.catalog.titles
    assert [row.recommended for row in rows] == [[titles[0]], [titles[ITEMS + 1]], [titles[2]]]
    assert rows[2].history == [titles[0], titles[ITEMS + 1]]
    assert rows[1].reward == -0.25
