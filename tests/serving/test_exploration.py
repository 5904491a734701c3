"""Exploration in serving: slates are as often as their propensities say, which are those of the equations, under every rule."""

from __future__ import annotations

import math
from collections import Counter
from itertools import permutations

import numpy as np
import polars as pl
import pytest
import torch

import recframe
from recframe.errors import UserError
from recframe.interfaces import Agent, Catalog, Decision, EnvironmentSpec, NoExperience, Observation, best_items
from recframe.serving import QueryError, Question
from recframe.serving.choice_set import ChoiceSet
from recframe.serving.exploration import ExplorationConfig, Explorer
from recframe.serving.groups import AttributeGroups
from recframe.serving.preferences import FrozenDraws, Preferences
from recframe.serving.prepared import PreparedAgent
from recframe.serving.rules import read_rules

SCORES = np.array([0.3, 1.2, 0.9, -0.4, 0.1], dtype=np.float32)
GENRES = [["a"], ["a", "b"], ["b"], [], None]
ITEMS, K = len(SCORES), 3
IDS = [str(item) for item in range(ITEMS)]
GROUPS = AttributeGroups(Catalog(IDS, IDS, pl.DataFrame({"title": IDS, "genre": GENRES}), torch.ones(ITEMS)))
RULES = [
    {},
    {"at_most": {"genre": 1}},
    {"must_include": [3]},
    {"must_include": [0, 4], "at_most": {"genre": 1}, "excluded": [3]},
    {"candidates": [4, 1, 0, 2], "at_most": {"genre": 2}, "must_include": [2]},
]
CONFIGS = [
    ExplorationConfig("none"),
    ExplorationConfig("epsilon", epsilon=0.3),
    ExplorationConfig("boltzmann", temperature=0.7),
    ExplorationConfig("thompson", epsilon=0.2, draws=5),
    ExplorationConfig("thompson", epsilon=0.0, draws=8),
]


class Noisy(Agent):
    """Shows the items of the highest fixed scores; with noise on them when it explores."""

    def __init__(self, slate_size: int = ITEMS, noise: float = 1.0) -> None:
        super().__init__(EnvironmentSpec(4, slate_size, 2, ITEMS, ("click",)), seed=0)
        self.noise = noise

    @property
    def experience(self):
        return NoExperience()

    def act(self, observation, explore):
        scores = torch.from_numpy(SCORES).expand(len(observation.user), -1)
        if explore and self.noise:
            scores = scores + self.noise * torch.randn(scores.shape, generator=self.generator)
        return Decision(best_items(observation, scores, self.spec.slate_size))

    def rank(self, observation, k):
        return best_items(observation, torch.from_numpy(SCORES), k)

    def scores_of_items(self, observation, items):
        return torch.from_numpy(SCORES)[items]

    def losses(self, batch):
        return iter(())

    def optimizers(self):
        return {}


def set_up(agent, *, candidates=None, excluded=(), must_include=(), at_most=None, ranks=True, k=K):
    """The preferences of one person, and what may be shown to them."""
    rules = read_rules(must_include, at_most or {}, k, IDS, candidates, GROUPS)
    prepared = PreparedAgent(agent)
    observation = Observation(
        user=torch.zeros(1, dtype=torch.int64),
        history_items=torch.full((1, 2), -1),
        history_feedback=torch.zeros(1, 2, 1),
        candidates=None if candidates is None else torch.tensor([candidates]),
        excluded=torch.tensor([excluded]) if excluded else None,
        batch_size=[1],
    )
    of = None if candidates is None else torch.tensor(candidates)
    choice = ChoiceSet(ITEMS, of, torch.tensor(excluded, dtype=torch.int64), rules, k)
    first = prepared.rank(observation, k) if ranks else prepared.slates(observation)[:, :k]
    return Preferences(prepared, observation, ranks, first[0].tolist()), choice


def allowed(above, *, candidates=None, excluded=(), must_include=(), at_most=None):
    """A_j, written down from the definition."""
    left = [item for item in must_include if item not in above]
    if left and len(left) >= K - len(above):
        return left
    limit = (at_most or {}).get("genre", math.inf)

    def fits(item):
        together = {*above, *must_include, item}
        counts = Counter(genre for one in together for genre in GENRES[one] or ())
        return all(counts[genre] <= limit for genre in GENRES[item] or ())

    items = [item for item in (range(ITEMS) if candidates is None else candidates) if item not in above and item not in excluded]
    return [item for item in items if item in must_include or fits(item)]


def probability(slate, config, orders, rules):
    """The probability of a slate by the equations, in double precision; 0 if the rules do not allow it."""
    found, weights = 1.0, np.ones(len(orders))
    scores = SCORES.astype(np.float64)
    for place, item in enumerate(slate):
        left = allowed(slate[:place], **rules)
        if item not in left:
            return 0.0
        if config.kind == "boltzmann":
            found *= np.exp(scores[item] / config.temperature) / np.exp(scores[left] / config.temperature).sum()
            continue
        epsilon = 0.0 if config.kind == "none" else config.epsilon
        shown = np.array([next(one for one in order if one in left) for order in orders])
        likely = (1 - epsilon) * (shown == item) + epsilon / len(left)
        found *= (weights @ likely) / weights.sum() if weights.sum() else 0.0
        weights *= likely
    return float(found)


def orders_of(config):
    """The orders in which the policy, or each of its draws, would show all items."""
    if config.kind != "thompson":
        return [np.argsort(-SCORES)]
    noise = torch.randn(config.draws, ITEMS, generator=torch.Generator().manual_seed(FrozenDraws.SEED)).numpy()
    return list(np.argsort(-(SCORES + noise), axis=1))


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "+".join(rules) or "no rules")
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.kind} {config.epsilon}")
def test_propensities_are_those_of_the_equations_and_sum_to_one(config, rules):
    agent, explorer, orders = Noisy(), Explorer(config, seed=1), orders_of(config)
    expected = {slate: probability(slate, config, orders, rules) for slate in permutations(range(ITEMS), K)}
    # under some rules there are fewer items than places
    expected |= {
        slate: probability(slate, config, orders, rules)
        for length in range(K)
        for slate in permutations(range(ITEMS), length)
        if not allowed(slate, **rules)
    }
    expected = {slate: chance for slate, chance in expected.items() if chance}
    assert sum(expected.values()) == pytest.approx(1.0, abs=1e-12)
    samples, found = 3 if config.kind == "none" else 200, Counter()
    for seed in explorer.seeds(samples):
        chosen = explorer.choose(*set_up(agent, **rules), seed)
        slate = tuple(chosen.items)
        assert math.prod(chosen.propensities) == pytest.approx(expected[slate], rel=1e-6)
        found[slate] += 1
    for slate, chance in expected.items():
        assert abs(found[slate] / samples - chance) < 5 * math.sqrt(chance * (1 - chance) / samples) + 1e-9


def test_explored_says_whether_the_slate_is_another_one():
    agent = Noisy()
    greedy = Explorer(ExplorationConfig(), 0).choose(*set_up(agent), 0).items
    for config in CONFIGS[1:]:
        explorer = Explorer(config, 0)
        chosen = [explorer.choose(*set_up(agent), seed) for seed in explorer.seeds(50)]
        assert all(one.explored == (one.items != greedy) for one in chosen)
        assert any(one.explored for one in chosen)


@pytest.mark.parametrize("slate_size", [1, 2])
def test_draws_that_show_few_items_are_asked_again(slate_size):
    """Of slates shorter than what is asked for, the draws go on from place to place: still, they are fixed, and probabilities add up."""
    agent, explorer = Noisy(slate_size), Explorer(ExplorationConfig("thompson", epsilon=0.0, draws=6), 0)
    chances = {}
    for seed in explorer.seeds(120):
        chosen = explorer.choose(*set_up(agent, must_include=[3]), seed)
        assert chances.setdefault(tuple(chosen.items), chosen.propensities) == chosen.propensities
        assert len(set(chosen.items)) == K
        assert 3 in chosen.items
    assert sum(math.prod(propensities) for propensities in chances.values()) == pytest.approx(1.0)
    assert len(chances) > 2


def test_a_policy_that_does_not_rank_explores_by_its_slates():
    explorer = Explorer(ExplorationConfig("epsilon", epsilon=0.5), 0)
    chosen = [explorer.choose(*set_up(Noisy(slate_size=2), ranks=False, k=2), seed) for seed in explorer.seeds(100)]
    assert all(len(set(one.items)) == 2 for one in chosen)
    assert {item for one in chosen for item in one.items} == set(range(ITEMS))
    greedy = next(one for one in chosen if not one.explored)
    assert greedy.items == [1, 2]
    assert greedy.propensities == pytest.approx([0.5 + 0.5 / 5, 0.5 + 0.5 / 4])


def test_a_policy_without_randomness_has_no_draws():
    explorer = Explorer(ExplorationConfig("thompson"), 0)
    with pytest.raises(QueryError, match=r"exploration\.kind: thompson needs a policy that draws at random when it explores"):
        explorer.choose(*set_up(Noisy(noise=0.0)), 0)


def test_a_policy_without_scores_is_not_drawn_from_by_scores():
    agent = Noisy()
    agent.scores_of_items = lambda observation, items: None
    with pytest.raises(QueryError, match=r"exploration\.kind: boltzmann draws by scores"):
        Explorer(ExplorationConfig("boltzmann"), 0).choose(*set_up(agent), 0)


@pytest.mark.parametrize("wrong", [{"kind": "greedy"}, {"epsilon": 1.5}, {"temperature": 0.0}, {"draws": 0}])
def test_a_config_out_of_bounds_is_refused(wrong):
    with pytest.raises(UserError, match=rf"exploration\.{next(iter(wrong))}"):
        Explorer(ExplorationConfig(**wrong))


def test_a_served_policy_explores_and_the_same_seed_gives_the_same_slates(folder):
    policy = recframe.load_policy(folder)
    questions = [Question([str(film)], k=4, at_most={"genres": 20}) for film in range(10)] * 2
    for config in (ExplorationConfig("epsilon", epsilon=0.4), ExplorationConfig("boltzmann", temperature=0.05)):
        together = policy.recommend_many(questions, Explorer(config, seed=3))
        explorer = Explorer(config, seed=3)
        alone = [policy.recommend_many([question], explorer)[0] for question in questions]
        for one, other in zip(together, alone, strict=True):
            assert one.ids == other.ids
            assert [item.propensity for item in one] == pytest.approx([item.propensity for item in other], rel=1e-3)
        assert {answer.explored for answer in together} == {True, False}
        assert [answer.ids for answer in together] != [answer.ids for answer in policy.recommend_many(questions, Explorer(config, seed=4))]
    greedy = policy.recommend(["1"], k=4)
    assert policy.recommend(["1"], k=4, explorer=Explorer(ExplorationConfig())) == greedy
    assert policy.recommend(["1"], k=4) == greedy
