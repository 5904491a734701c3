"""Items held back: nobody is shown them, whatever the environment excludes or proposes itself, and no memory is spent on them."""

import pytest
import torch

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.evaluation.simulated.rollout import rollout
from recframe.experience import Collector, Restricted, RewardSum, cold_items, source_for
from recframe.experience.cold_items import MOST_ITEMS, ColdItemsError
from recframe.interfaces import PAD, Observation, Replay, Reward, Rollout, is_excluded
from recframe.references.fitting.reference_policies import ReferenceBudget, reference_policies
from recframe.testing import ToyEnvironment, ToyTracker, check_agent, check_environment, toy_data, toy_spec
from recframe.testing.loop import random_action
from recframe_plugins.agents.policy_gradient.config import ReinforceConfig
from recframe_plugins.agents.policy_gradient.reinforce import Reinforce
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN

DATA = toy_data()
COLD = cold_items(40, 0.25, seed=0)


class Click(Reward):
    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


REWARDS = RewardSum({"click": (Click(), 1.0)}, DATA.catalog, frozenset({"click"}))


def restricted(forbidden=COLD, **settings) -> Restricted:
    return Restricted(ToyEnvironment(toy_spec(DATA, num_users=12, slate_size=2, **settings), DATA), forbidden)


def test_the_cold_items_are_a_share_of_the_catalogue_drawn_by_their_seed():
    assert len(COLD) == 10
    assert torch.equal(COLD, cold_items(40, 0.25, seed=0))
    assert not torch.equal(COLD, cold_items(40, 0.25, seed=1))
    for share, seed, size, message in [
        (0.01, 0, 40, "is none of them"),
        (0.99, 0, 40, "is all of them"),
        (0.5, 0, MOST_ITEMS + 1, "too large"),
    ]:
        with pytest.raises(ColdItemsError, match=rf"cold_items\.share: .*{message}"):
            cold_items(size, share, seed)


@pytest.mark.parametrize("settings", [{}, {"num_excluded": 3}, {"num_candidates": 8}, {"num_candidates": 8, "num_excluded": 3}])
def test_an_environment_without_them_is_an_environment(settings):
    check_environment(restricted(**settings), DATA)


def test_what_the_environment_excludes_stays_excluded_and_one_list_serves_all():
    plain, environment = ToyEnvironment(toy_spec(DATA, num_users=12, slate_size=2, num_excluded=3), DATA), restricted(num_excluded=3)
    own, both = plain.reset(3).excluded, environment.reset(3).excluded
    assert environment.spec.num_excluded == 13
    assert torch.equal(both[:, :3], own)
    assert torch.equal(both[:, 3:], COLD.expand(12, -1))
    assert restricted().reset(3).excluded.untyped_storage().nbytes() == COLD.untyped_storage().nbytes()


@pytest.mark.parametrize("forbidden", [COLD, cold_items(40, 0.8, seed=2)])
def test_candidates_that_may_not_be_shown_give_their_places_to_others(forbidden):
    environment, plain = (
        restricted(forbidden, num_candidates=8),
        ToyEnvironment(toy_spec(DATA, num_users=12, slate_size=2, num_candidates=8), DATA),
    )
    assert environment.spec == plain.spec
    assert environment.always_excluded is None
    seen = set()
    for seed in range(40):
        before, after = plain.reset(seed).candidates, environment.reset(seed).candidates
        kept = ~torch.isin(before, forbidden)
        assert torch.equal(after[kept], before[kept])
        assert not torch.isin(after, forbidden).any()
        assert torch.equal(after == PAD, before == PAD)
        ordered = after.sort(dim=1).values
        assert ((ordered[:, 1:] != ordered[:, :-1]) | (ordered[:, 1:] == PAD)).all()
        seen |= set(after[~kept].tolist())
    # every item that may be shown takes a place now and then
    assert seen == set(range(40)) - set(forbidden.tolist())


def test_too_little_left_to_show_is_refused():
    with pytest.raises(ColdItemsError, match=r"cold_items\.share: of 40 items 1 are left, but a slate and what a session excludes take 2"):
        restricted(torch.arange(39))
    with pytest.raises(ColdItemsError, match=r"of 40 items 7 are left, but candidates take 8"):
        restricted(torch.arange(33), num_candidates=8)


def test_too_few_cold_items_are_refused_before_training(tmp_path):
    choices = ["encoder=tfidf", "dataset.num_items=60", "dataset.num_users=50", "logger=null", f"embeddings.cache={tmp_path}"]
    cfg = compose_config([*choices, "agent=reinforce", "environment.slate_size=5", "cold_items.share=0.05"])
    with pytest.raises(ColdItemsError, match=r"of 60 items 3 are held back, but a slate and what a session excludes take 5"):
        assemble(cfg).environment(4, "train")


def test_where_no_items_are_shown_none_are_held_back():
    own = ["environment=gymnasium", "environment.id=Pendulum-v1", "environment.num_users=2", "state_tracker=mlp", "agent=ddpg"]
    cfg = compose_config([*own, "reward=[environment]", "trainer.monitor=return", "logger=null", "cold_items.share=0.1"])
    with pytest.raises(ColdItemsError, match="where actions are items, and these are not; set it to 0"):
        assemble(cfg).environment(2, "train")


@pytest.mark.parametrize("settings", [{}, {"num_candidates": 10}])
def test_no_reference_policy_shows_what_may_not_be_shown(settings):
    others = torch.tensor(sorted(set(range(40)) - set(COLD.tolist())))
    warm, cold = restricted(**settings), restricted(others, **settings)
    # the cold items are the best by far, which the truth knows
    for environment in (warm, cold):
        environment.environment.click_probability = environment.environment.click_probability / 10
        environment.environment.click_probability[:, COLD] = 0.9
    policies = reference_policies(warm, REWARDS, DATA, max_steps=3, seed=0, budget=ReferenceBudget(12, 100, 12))
    assert set(policies) == {"random", "popular", "fixed_slate", "greedy", "oracle"}
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
def test_agents_learn_where_items_are_held_back(agent, slate_size):
    environment = Restricted(ToyEnvironment(toy_spec(DATA, num_users=6, slate_size=slate_size), DATA), COLD)
    check_agent(agent(environment.spec), environment)


@pytest.mark.parametrize("own", [0, 3])
@pytest.mark.parametrize("experience", [Replay(96, 16, 24, 2), Rollout()])
def test_batches_are_whole_and_memories_without_what_is_always_excluded(experience, own):
    environment = Restricted(ToyEnvironment(toy_spec(DATA, num_users=12, num_excluded=own), DATA), COLD)
    agent = reinforce(environment.spec)

    def batches(shared):
        source = source_for(experience, 1, "cpu", shared)
        collector = Collector(environment, REWARDS, 0)
        agent.generator.manual_seed(0)
        for _ in range(4):
            source.add(collector.step(agent))
        kept = source.state_dict()
        other = source_for(experience, 9, "cpu", shared)
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


def test_many_exclusions_are_looked_up_as_few_are_compared(monkeypatch):
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


def test_saving_and_going_on_keeps_them_back():
    environment, other = restricted(), restricted()
    environment.step(random_action(environment.reset(4), environment.spec, torch.Generator().manual_seed(0)))
    assert torch.equal(other.load_state_dict(environment.state_dict()).excluded, COLD.expand(12, -1))
