"""Cold items are never shown in training, whatever the environment excludes or proposes itself, and replay does not store them."""

import pytest
import torch

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.evaluation.simulated.rollout import rollout
from recframe.experience import (
    ColdItems,
    ColdItemsError,
    Collector,
    EnvironmentWithoutItems,
    RewardSum,
    batch_source_for,
    sharing_exclusions,
)
from recframe.experience.cold_items import MAX_ITEMS
from recframe.interfaces import PAD, Observation, Replay, Reward, Rollout, is_excluded
from recframe.references.fitting.reference_policies import ReferenceBudget, reference_policies
from recframe.testing import ToyEnvironment, ToyTracker, check_agent, check_environment, toy_data, toy_spec
from recframe.testing.loop import random_action
from recframe_plugins.agents.policy_gradient.config import ReinforceConfig
from recframe_plugins.agents.policy_gradient.reinforce import Reinforce
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.topic_world import TopicWorld

DATA = toy_data()
COLD = ColdItems(0.25, seed=0).drawn_from(40)


class Click(Reward):
    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


REWARDS = RewardSum({"click": (Click(), 1.0)}, DATA.catalog, frozenset({"click"}))


def environment_without(withheld=COLD, **settings) -> EnvironmentWithoutItems:
    return EnvironmentWithoutItems(ToyEnvironment(toy_spec(DATA, num_users=12, slate_size=2, **settings), DATA), withheld)


def test_cold_items_are_a_share_of_the_catalogue_drawn_by_their_seed():
    assert len(COLD) == 10
    assert torch.equal(COLD, ColdItems(0.25, seed=0).drawn_from(40))
    assert not torch.equal(COLD, ColdItems(0.25, seed=1).drawn_from(40))
    for share, seed, size, message in [
        (0.01, 0, 40, "is none of them"),
        (0.99, 0, 40, "is all of them"),
        (0.5, 0, MAX_ITEMS + 1, "too large"),
    ]:
        with pytest.raises(ColdItemsError, match=rf"cold_items\.share: .*{message}"):
            ColdItems(share, seed).drawn_from(size)


@pytest.mark.parametrize("settings", [{}, {"num_excluded": 3}, {"num_candidates": 8}, {"num_candidates": 8, "num_excluded": 3}])
def test_an_environment_without_items_passes_the_environment_checks(settings):
    check_environment(environment_without(**settings), DATA)


def test_candidates_that_withheld_items_leave_without_a_slate_terminate_the_session():
    config = TopicWorldConfig(slate_size=2, max_steps=5, num_candidates=10, protocol="fixed_length")
    world = TopicWorld(config, DATA, num_users=200, history_length=5, split="train", device="cpu")
    environment = EnvironmentWithoutItems(world, torch.arange(27))
    check_environment(environment, DATA)
    observation, generator = environment.reset(0), torch.Generator().manual_seed(0)
    for _ in range(5):
        step = environment.step(random_action(observation, environment.spec, generator))
        observation = step.observation
    left = [
        len(set(c) - set(e))
        for c, e in zip(step.next_observation.candidates.tolist(), step.next_observation.excluded.tolist(), strict=True)
    ]
    assert step.terminated.tolist() == [count < 2 for count in left]
    assert (step.terminated ^ step.truncated).all()
    assert 0 < step.terminated.sum() < 200


def test_the_environments_own_exclusions_remain_and_all_users_share_one_list_of_withheld_items():
    plain, environment = (
        ToyEnvironment(toy_spec(DATA, num_users=12, slate_size=2, num_excluded=3), DATA),
        environment_without(num_excluded=3),
    )
    own, both = plain.reset(3).excluded, environment.reset(3).excluded
    assert environment.spec.num_excluded == 13
    assert torch.equal(both[:, :3], own)
    assert torch.equal(both[:, 3:], COLD.expand(12, -1))
    assert environment_without().reset(3).excluded.untyped_storage().nbytes() == COLD.untyped_storage().nbytes()


@pytest.mark.parametrize("withheld", [COLD, ColdItems(0.8, seed=2).drawn_from(40)])
def test_withheld_candidates_are_replaced_by_other_items(withheld):
    environment, plain = (
        environment_without(withheld, num_candidates=8),
        ToyEnvironment(toy_spec(DATA, num_users=12, slate_size=2, num_candidates=8), DATA),
    )
    assert environment.spec == plain.spec
    assert environment.always_excluded is None
    seen = set()
    for seed in range(40):
        before, after = plain.reset(seed).candidates, environment.reset(seed).candidates
        kept = ~torch.isin(before, withheld)
        assert torch.equal(after[kept], before[kept])
        assert not torch.isin(after, withheld).any()
        assert torch.equal(after == PAD, before == PAD)
        ordered = after.sort(dim=1).values
        assert ((ordered[:, 1:] != ordered[:, :-1]) | (ordered[:, 1:] == PAD)).all()
        seen |= set(after[~kept].tolist())
    # every allowed item is a replacement at some time
    assert seen == set(range(40)) - set(withheld.tolist())


def test_too_few_remaining_items_are_refused():
    with pytest.raises(
        ColdItemsError, match=r"cold_items\.share: 1 of 40 items are left, but a slate and the items that a session excludes need 2"
    ):
        environment_without(torch.arange(39))
    with pytest.raises(ColdItemsError, match=r"7 of 40 items are left, but candidates need 8"):
        environment_without(torch.arange(33), num_candidates=8)


def test_too_few_cold_items_are_refused_before_training(tmp_path):
    choices = ["encoder=tfidf", "dataset.num_items=60", "dataset.num_users=50", "logger=null", f"embeddings.cache={tmp_path}"]
    cfg = compose_config([*choices, "agent=reinforce", "environment.slate_size=5", "cold_items.share=0.05"])
    with pytest.raises(ColdItemsError, match=r"3 of 60 items are withheld, but a slate and the items that a session excludes need 5"):
        assemble(cfg).environment(4, "train")


def test_cold_items_are_refused_where_actions_are_not_items():
    own = ["environment=gymnasium", "environment.id=Pendulum-v1", "environment.num_users=2", "state_tracker=mlp", "agent=ddpg"]
    cfg = compose_config([*own, "reward=[environment]", "trainer.monitor=return", "logger=null"])
    # the check of configs refuses it, too
    cfg.cold_items.share = 0.1
    with pytest.raises(ColdItemsError, match="where actions are items, and here they are not; set it to 0"):
        assemble(cfg).environment(2, "train")


@pytest.mark.parametrize("settings", [{}, {"num_candidates": 10}])
def test_no_reference_policy_shows_a_withheld_item(settings):
    others = torch.tensor(sorted(set(range(40)) - set(COLD.tolist())))
    warm, cold = environment_without(**settings), environment_without(others, **settings)
    # the cold items are by far the best, which the oracle can see
    for environment in (warm, cold):
        environment.environment.click_probability = environment.environment.click_probability / 10
        environment.environment.click_probability[:, COLD] = 0.9
    policies = reference_policies(warm, REWARDS, DATA, max_steps=3, seed=0, budget=ReferenceBudget(12, 100, 12))
    assert set(policies) == {"random", "popular", "fixed_slate", "greedy", "posterior_greedy", "oracle"}
    for name, policy in policies.items():
        for environment, holds in ((warm, False), (cold, True)):
            episodes = rollout(policy, environment, REWARDS, seed=5, max_steps=3)
            shown = torch.isin(episodes.slates[episodes.alive], COLD)
            assert shown.all() if holds else not shown.any(), name


def reinforce(spec):
    torch.manual_seed(0)
    return Reinforce(ReinforceConfig(), spec, ToyTracker(spec, DATA), seed=0)


def dqn(spec):
    torch.manual_seed(0)
    replay = DQNConfig(replay_capacity=96, batch_size=16, learning_starts=24, whole_catalog_items=20, working_items=20)
    return DQN(replay, spec, ToyTracker(spec, DATA), seed=0)


@pytest.mark.parametrize(("agent", "slate_size"), [(dqn, 1), (reinforce, 2)])
def test_agents_learn_where_items_are_withheld(agent, slate_size):
    environment = EnvironmentWithoutItems(ToyEnvironment(toy_spec(DATA, num_users=6, slate_size=slate_size), DATA), COLD)
    check_agent(agent(environment.spec), environment)


@pytest.mark.parametrize("own", [0, 3])
@pytest.mark.parametrize("experience", [Replay(96, 16, 24, 2), Rollout()])
def test_batches_are_complete_although_replay_does_not_store_what_is_always_excluded(experience, own):
    environment = EnvironmentWithoutItems(ToyEnvironment(toy_spec(DATA, num_users=12, num_excluded=own), DATA), COLD)
    agent = reinforce(environment.spec)

    def batches(shared):
        source = sharing_exclusions(batch_source_for(experience, 1, "cpu"), shared)
        collector = Collector(environment, REWARDS, 0)
        agent.generator.manual_seed(0)
        for _ in range(4):
            source.add(collector.step(agent))
        kept = source.state_dict()
        other = sharing_exclusions(batch_source_for(experience, 9, "cpu"), shared)
        if kept:
            other.load_state_dict(kept)
        else:
            other = source
        return list(other.batches()), kept.get("held", {})

    (plain, full), (spared, held) = batches(None), batches(environment.always_excluded)
    assert len(plain) == len(spared) == (2 if isinstance(experience, Replay) else 1)
    for one, another in zip(plain, spared, strict=True):
        assert one.batch_size == another.batch_size
        for name in ("observation", "next_observation"):
            mine, theirs = getattr(one, name), getattr(another, name)
            assert torch.equal(mine.excluded, theirs.excluded)
            assert torch.equal(mine.history_items, theirs.history_items)
        assert torch.equal(one.slate, another.slate)
        assert torch.equal(one.reshape(-1).observation.excluded, another.reshape(-1).observation.excluded)
    if full:
        assert full["observation.excluded"].shape[1] == own + 10
        assert ("observation.excluded" in held) == bool(own)
        assert not own or held["observation.excluded"].shape[1] == own


def test_many_exclusions_give_the_same_answer_as_few(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    items, excluded = (torch.randint(-1, 50, (7, size), generator=generator) for size in (30, 20))
    nothing = torch.zeros(7, 1, dtype=torch.int64)
    observation = Observation(
        user=nothing[:, 0], history_items=nothing, history_feedback=torch.zeros(7, 1, 1), excluded=excluded, batch_size=[7]
    )
    compared = is_excluded(observation, items)
    assert 0 < compared.sum() < compared.numel()
    monkeypatch.setattr("recframe.interfaces.scoring.MANY_PAIRS", 0)
    assert torch.equal(is_excluded(observation, items), compared)


def test_a_restored_environment_still_withholds_the_items():
    environment, other = environment_without(), environment_without()
    environment.step(random_action(environment.reset(4), environment.spec, torch.Generator().manual_seed(0)))
    assert torch.equal(other.load_state_dict(environment.state_dict()).excluded, COLD.expand(12, -1))


def test_an_evaluation_without_some_items_meets_the_same_people():
    inner, wrapped = (TopicWorld(TopicWorldConfig(), DATA, num_users=6, history_length=4, split="train", device="cpu") for _ in range(2))
    observation, people = EnvironmentWithoutItems(wrapped, COLD).start_evaluation(5)
    assert torch.equal(people, inner.start_evaluation(5)[1])
    assert is_excluded(observation, COLD.expand(6, -1)).all()
