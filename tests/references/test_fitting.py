"""Fitted reference policies: each uses only the information it may have, and uses it well."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.evaluation.simulated.rollout import InformedPolicy, rollout
from recframe.evaluation.table import REFERENCES
from recframe.references.fitting.fixed_slates import best_fixed_slate, list_lengths
from recframe.references.fitting.greedy import fit_greedy
from recframe.references.fitting.random_log import collect_random_log
from recframe.references.fitting.reference_policies import ReferenceBudget, mean_return, reference_policies
from recframe.references.fixed_slate import FixedSlatePolicy
from recframe.references.greedy import TextComponents
from recframe.references.item_means import mean_item_rewards
from recframe.references.popular import PopularPolicy

SMALL = ReferenceBudget(log_sessions=256, log_slates=4_000, sessions=128)


@pytest.fixture(scope="module")
def environment(world):
    return world.environment("train", num_users=128)


@pytest.fixture(scope="module")
def references(world, environment):
    return reference_policies(environment, world.rewards, world.data, max_steps=20, seed=0, budget=SMALL)


def test_there_are_six_policies_and_only_the_oracle_knows_the_truth(references):
    assert tuple(references) == ("random", "popular", "fixed_slate", "greedy", "posterior_greedy", "oracle")
    assert set(references) <= set(REFERENCES)
    assert [name for name, policy in references.items() if isinstance(policy, InformedPolicy)] == ["oracle"]


def test_policies_with_more_information_have_higher_returns(world, references):
    evaluation = world.environment("evaluation", num_users=500)
    returns = {name: mean_return(policy, evaluation, world.rewards, 20, [11]) for name, policy in references.items()}
    assert returns["oracle"] > 1.05 * returns["greedy"]
    assert returns["greedy"] > 1.5 * returns["random"]
    assert returns["greedy"] > 1.1 * returns["fixed_slate"]
    assert returns["fixed_slate"] > 1.1 * returns["random"]


def test_the_best_fixed_slate_changes_from_turn_to_turn_when_repetition_bores(world, environment, references):
    slates = rollout(references["fixed_slate"], environment, world.rewards, 5, 20).slates
    assert (slates == slates[:, :1]).all(), "the same schedule for all users"
    assert len(slates[:6, 0].unique()) == 6
    constant = FixedSlatePolicy(environment.spec, slates[0, 0], torch.zeros(40))
    rest, bored = (mean_return(p, environment, world.rewards, 20, [5]) for p in (references["fixed_slate"], constant))
    assert rest > 1.3 * bored


def test_lists_of_all_lengths_up_to_the_longest_session_are_tried(world):
    tried = []

    def score(policy):
        tried.append(policy.item_list.items.tolist())
        return -abs(len(tried[-1]) - 8)

    blind = world.environment("train", knows_truth=False)
    best = best_fixed_slate(blind, world.rewards, [torch.arange(40.0), -torch.arange(40.0)], score, max_steps=20, seed=0)
    assert list_lengths(1, 20) == [1, 2, 4, 8, 16, 20]
    assert tried[:6] == [list(range(39, 39 - length, -1)) for length in list_lengths(1, 20)]
    # the others have the best of these lengths, or the longest
    assert tried[6:8] == [list(range(8)), list(range(20))]
    assert [len(items) for items in tried[8:]] == [8, 20, 8, 20]
    assert best.item_list.items.tolist() == list(range(39, 31, -1))


def test_among_candidates_every_ranking_is_tried_as_one_that_stays_the_same(world):
    blind = world.environment(knows_truth=False, num_candidates=7)
    wanted = torch.arange(40.0).flip(0)
    tried = []

    def score(policy):
        tried.append(len(policy.item_list))
        # the first ranking is the best with its longest list, the second one with its shortest
        first = int(policy.item_list.items[0])
        return {39: 0.1 * len(policy.item_list), 0: 9.0 - len(policy.item_list)}.get(first, 0.0)

    best = best_fixed_slate(blind, world.rewards, [torch.arange(40.0), wanted], score, max_steps=20, seed=0)
    assert best.item_list.items.tolist() == [0]
    assert tried == [1, 2, 4, 8, 16, 20, 1, 20, 1, 20, 1, 20]


def test_greedy_learns_tastes_and_boredom_from_a_log(world, environment):
    log = collect_random_log(environment, world.rewards, [1, 2, 3, 4], 20, 4_000)
    policy = fit_greedy(log, environment.spec, world.data, seed=0)
    assert policy.shown_weight < -0.1
    probe = world.environment(num_users=300)
    observation = probe.reset(9)
    for turn in range(3):
        predicted, true = policy.predict(observation), probe.truth().signals["click"]
        ranks = [scores.argsort(dim=1).argsort(dim=1).float() for scores in (predicted, true)]
        correlation = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(*ranks, strict=True)]).mean()
        assert correlation > 0.6
        observation = probe.step(policy(observation, turn)).observation


def test_only_the_oracle_asks_for_the_truth(world, references):
    blind = world.environment(knows_truth=False)
    for name in ("random", "popular", "fixed_slate", "greedy", "posterior_greedy"):
        rollout(references[name], blind, world.rewards, 0, 3)
    unaided = reference_policies(
        world.environment("train", knows_truth=False), world.rewards, world.data, max_steps=5, seed=0, budget=SMALL
    )
    assert list(unaided) == ["random", "popular", "fixed_slate", "greedy", "posterior_greedy"]


@pytest.mark.parametrize("slate_size", [1, 3])
def test_every_policy_shows_only_candidates(world, slate_size):
    options = {"slate_size": slate_size, "num_candidates": 7}
    train = world.environment("train", **options)
    policies = reference_policies(train, world.rewards, world.data, max_steps=5, seed=0, budget=SMALL)
    for policy in policies.values():
        # the toy environment refuses other items
        slates = rollout(policy, world.environment(**options), world.rewards, 0, 5).slates
        assert all(len(set(slate)) == slate_size for slate in slates.flatten(end_dim=1).tolist())


def test_slates_of_several_items_hold_no_item_twice(world):
    train = world.environment("train", slate_size=3)
    for policy in reference_policies(train, world.rewards, world.data, max_steps=5, seed=0, budget=SMALL).values():
        slates = rollout(policy, world.environment(slate_size=3), world.rewards, 0, 9).slates
        assert all(len(set(slate)) == 3 for slate in slates.flatten(end_dim=1).tolist())


def test_policies_are_not_tuned_on_the_sessions_they_were_fitted_on(world):
    train = world.environment("train", num_users=64)
    reference_policies(train, world.rewards, world.data, max_steps=2, seed=0, budget=replace(SMALL, log_slates=10**6))
    times = Counter(train.resets)
    logged = [seed for seed, count in times.items() if count == 2]  # the random log, and the mean truth
    planned = [seed for seed, count in times.items() if 2 < count < 10]
    tried = [seed for seed, count in times.items() if count > 10]
    assert len(logged) == 4
    assert len(planned) == 1
    assert len(tried) == 2


def test_the_same_seed_gives_the_same_policies_and_global_generators_stay_unchanged(world, environment):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = (reference_policies(environment, world.rewards, world.data, max_steps=5, seed=3, budget=SMALL) for _ in range(2))
    for name, policy in first.items():
        slates = [rollout(p, world.environment(), world.rewards, 0, 5).slates for p in (policy, second[name])]
        assert torch.equal(*slates)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_a_log_holds_random_first_sessions_up_to_its_maximum_size(world, environment):
    log = collect_random_log(environment, world.rewards, [1, 2], 20, 500)
    assert len(log.slates) == len(log.item_rewards) == len(log.users) == len(log.observations) == 500
    whole = collect_random_log(environment, world.rewards, [1, 2], 20, 10**6)
    assert whole.users.max() < 256
    # a session has a row for each turn: histories of 0, 1, 2 ... items
    filled = (whole.observations.history_items[whole.users == 7] >= 0).sum(1).sort().values
    assert filled.tolist() == [min(turn, 6) for turn in range(len(filled))]


def test_an_item_with_one_high_reward_does_not_have_the_highest_mean():
    slates = torch.tensor([[0]] + [[1]] * 100 + [[2]] * 100)
    rewards = torch.tensor([[1.0]] + [[0.8]] * 100 + [[0.1]] * 100)
    means = mean_item_rewards(slates, rewards, 4)
    assert means.argmax() == 1
    assert means[3] == pytest.approx(float(rewards.mean()))


def test_text_components_are_the_principal_components_at_unit_scale():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(500, 2, generator=generator) @ torch.randn(2, 12, generator=generator) + 3.0
    components = TextComponents(vectors, dims=2)
    reduced = components(vectors)
    assert (reduced[-1] == 0).all()
    assert reduced[:-1].pow(2).mean() == pytest.approx(1.0, abs=1e-3)
    # vectors of two dimensions lose nothing: distances keep their proportions
    ratio = torch.pdist(reduced[:-1]) / torch.pdist(vectors)
    assert ratio.std() / ratio.mean() < 1e-3


def test_continuous_actions_have_only_the_random_reference(world):
    environment = world.environment("train")
    environment.spec = replace(environment.spec, actions="continuous", action_low=(-2.0, 0.0), action_high=(2.0, 1.0))
    policies = reference_policies(environment, world.rewards, world.data, max_steps=5, seed=0)
    assert list(policies) == ["random"]
    actions = torch.cat([policies["random"](environment.reset(0), turn) for turn in range(50)])
    assert actions.shape == (50 * environment.spec.num_users, 2)
    assert actions.amin(dim=0).tolist() == pytest.approx([-2.0, 0.0], abs=0.05)
    assert actions.amax(dim=0).tolist() == pytest.approx([2.0, 1.0], abs=0.05)


def test_popular_beats_the_most_popular_item_shown_again_and_again(world, environment):
    popular = PopularPolicy(environment.spec, world.catalog.popularity)
    top = int(world.catalog.popularity.argmax())
    repeated = FixedSlatePolicy(environment.spec, torch.tensor([top]), torch.zeros(40))
    one, other = (mean_return(policy, environment, world.rewards, 20, [1, 2, 3]) for policy in (popular, repeated))
    assert one > other


def test_advantages_compare_the_rest_of_a_session_with_those_of_the_same_turn(world):
    environment = world.environment("train", num_users=128)
    log = collect_random_log(environment, world.rewards, [1], 20, 10**6)
    filled = (log.observations.history_items >= 0).sum(dim=1)
    for turn in range(3):
        assert float(log.advantages[filled == turn].mean()) == pytest.approx(0.0, abs=1e-5)
    # the first turn's is the return of the whole session, less the mean return
    returns = torch.zeros(128).index_add_(0, log.users, log.item_rewards.sum(dim=1))
    first = filled == 0
    torch.testing.assert_close(log.advantages[first], (returns - returns.mean())[log.users[first]])
