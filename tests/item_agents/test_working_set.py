"""Working sets: the items in them, the translation of item numbers, and agents that learn over them."""

import copy
import importlib.util
import io
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.agent_options import WorkingSetConfig
from recframe.interfaces import PAD, is_excluded
from recframe.item_agents import working_set as working_sets
from recframe.item_agents.working_set import WorkingSet, distinct_numbers
from recframe.testing import (
    ToyEnvironment,
    ToyTracker,
    check_agent,
    collect,
    toy_data,
    toy_observation,
    toy_spec,
    toy_transition,
    update,
)
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.ddpg.wolpertinger import Wolpertinger
from recframe_plugins.agents.policy_gradient.actor_critic import ActorCritic
from recframe_plugins.agents.policy_gradient.config import ActorCriticConfig, ReinforceConfig
from recframe_plugins.agents.policy_gradient.reinforce import Reinforce
from recframe_plugins.agents.q_learning.config import DQNConfig, SlateQConfig
from recframe_plugins.agents.q_learning.dqn import DQN
from recframe_plugins.agents.q_learning.slate_q import SlateQ
from recframe_plugins.agents.registration import recframe_register_components
from recframe_plugins.agents.soft_actor_critic.config import SoftActorCriticConfig
from recframe_plugins.agents.soft_actor_critic.soft_actor_critic import SoftActorCritic
from tests.agent_variants import check_variant

DATA = toy_data()
AGENTS = {
    "dqn": (DQN, DQNConfig, {}),
    "slate_q": (SlateQ, SlateQConfig, {"shortlist": 8}),
    "ddpg": (Wolpertinger, DDPGConfig, {"neighbors": 6, "random_steps": 20}),
    "soft_actor_critic": (SoftActorCritic, SoftActorCriticConfig, {}),
    "reinforce": (Reinforce, ReinforceConfig, {}),
    "actor_critic": (ActorCritic, ActorCriticConfig, {"clip_range": 0.2, "epochs": 2, "minibatches": 2}),
}
if importlib.util.find_spec("faiss") is not None:
    AGENTS["ddpg, approximate"] = (Wolpertinger, DDPGConfig, {"neighbors": 6, "random_steps": 20, "index": "approximate"})
SMALL = {"whole_catalog_items": 10, "working_items": 14}
EVERYTHING = {"whole_catalog_items": 1, "working_items": 1_000}
COMPONENTS = {}
recframe_register_components(lambda component: COMPONENTS.setdefault(component.name, component))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def build(name, seed=0, restrictions=None, **options):
    torch.manual_seed(seed)
    spec = toy_spec(DATA, **(restrictions or {}))
    factory, config, usual = AGENTS[name]
    return factory(config(**usual | options), spec, ToyTracker(spec, DATA), seed=seed)


def working_set(num_items=40, size=14, **restrictions):
    data = toy_data(num_items=num_items)
    spec = toy_spec(data, **restrictions)
    return WorkingSet(WorkingSetConfig(whole_catalog_items=1, working_items=size), spec), spec, data


def same_items(items, local, numbers):
    """Whether the local numbers stand for the catalogue numbers `numbers`, and `PAD` for `PAD`."""
    return torch.equal(items.in_catalog(local.clamp(min=0)).masked_fill(local == PAD, PAD), numbers)


@settings(max_examples=60, deadline=None)
@given(
    num_items=st.integers(20, 60),
    size=st.integers(8, 80),
    candidates=st.sampled_from([0, 9]),
    excluded=st.sampled_from([0, 4]),
    seed=st.integers(0, 10_000),
)
def test_translated_numbers_stand_for_the_same_items(num_items, size, candidates, excluded, seed):
    chosen, spec, data = working_set(num_items, size, num_candidates=candidates, num_excluded=excluded, slate_size=2)
    batch = toy_transition(spec, data, generator(seed), users=7)
    before = batch.clone()
    for items, local in (chosen.for_learning(batch, generator(seed)), chosen.for_chunk(batch, generator(seed))):
        assert len(items.rows) == len(items.rows.unique())
        assert ((items.rows >= 0) & (items.rows < num_items)).all()
        assert same_items(items, local.slate, batch.slate)
        for inside, outside in ((local.observation, batch.observation), (local.next_observation, batch.next_observation)):
            assert same_items(items, inside.history_items, outside.history_items)
            if candidates:
                assert same_items(items, inside.candidates, outside.candidates)
                assert (inside.candidates < items.num_items).all()
            if excluded:  # of the items that may be chosen, the same ones are excluded
                choosable = torch.arange(items.num_items).expand(7, -1)
                assert torch.equal(is_excluded(inside, choosable), is_excluded(outside, items.rows[choosable]))
                assert (inside.excluded < items.num_items).all()
    assert (batch == before).all()


@pytest.mark.parametrize("candidates", [0, 5])
def test_counting_all_items_and_sorting_numbers_give_the_same_set(candidates, monkeypatch):
    chosen, spec, data = working_set(num_items=40, size=14, num_candidates=candidates, slate_size=2)
    batch = toy_transition(spec, data, generator(0), users=7)
    one, _ = chosen.for_learning(batch, generator(1))
    monkeypatch.setattr(working_sets, "SPARSE", 0.001)
    other, _ = chosen.for_learning(batch, generator(1))
    assert torch.equal(one.rows, other.rows)


def test_half_a_working_set_was_shown_most_and_the_rest_is_uniform():
    chosen, _, _ = working_set(num_items=40, size=14)
    shown = torch.cat([torch.arange(10).repeat(2), torch.tensor([3, 3, 5, 30, 31, 32])]).unique(return_counts=True)
    often = [0] * 40
    for seed in range(2_000):
        rows = chosen._draw(*shown, generator(seed)).rows
        assert len(rows) == len(rows.unique()) == 14
        assert {3, 5} <= set(rows[:7].tolist()) <= set(range(10))
        for item in rows[7:].tolist():
            often[item] += 1
    never_kept = [often[item] for item in range(10, 40)]
    # 7 of the 33 items that are not kept
    assert min(never_kept) > 2_000 * 7 / 33 * 0.8
    assert max(never_kept) < 2_000 * 7 / 33 * 1.2


def test_questions_are_in_every_working_set():
    data = toy_data(40)
    spec = replace(toy_spec(data), num_questions=3)
    chosen = WorkingSet(WorkingSetConfig(whole_catalog_items=10, working_items=14), spec)
    batch = toy_transition(spec, data, generator(0), users=7)
    for items, _ in (
        chosen.for_acting(batch.observation, generator(0)),
        chosen.for_learning(batch, generator(1)),
        chosen.for_imitation(batch, generator(2)),
        chosen.for_chunk(batch, generator(3)),
    ):
        assert {37, 38, 39} <= set(items.rows[: items.num_items].tolist())
        assert len(items.rows) == len(items.rows.unique())


@pytest.mark.parametrize(("total", "size"), [(7, 7), (10, 4), (1_000_003, 17), (5, 1), (5, 0)])
def test_distinct_numbers_are_equally_probable(total, size):
    draws = torch.stack([distinct_numbers(total, size, generator(seed)) for seed in range(3_000)])
    assert draws.shape == (3_000, size)
    assert all(len(draw.unique()) == size for draw in draws[:200])
    if size:
        assert draws.min() >= 0
        assert draws.max() < total
        tenths = torch.bincount((draws.flatten() * 5 // total), minlength=5) / draws.numel()
        width = torch.bincount(torch.arange(total) * 5 // total, minlength=5) / total
        assert (tenths - width).abs().max() < 0.03


def test_a_chunk_is_acted_over_one_set_and_its_items_are_in_the_next_set():
    agent = build("dqn", **SMALL)
    environment = ToyEnvironment(agent.spec, DATA)
    agent.env_steps = 10**9  # epsilon is at its minimum
    rollout, observation = collect(agent, environment, environment.reset(1), 5)
    shown = set(rollout.slate.flatten().tolist())
    first = agent.working_set._chunk
    choosable = set(first.rows[: first.num_items].tolist())
    assert first.num_items == 14
    assert shown <= choosable
    collect(agent, environment, observation, 1)
    second = agent.working_set._chunk
    most = rollout.slate.flatten().bincount(minlength=40).topk(min(7, len(shown))).values.min()
    often = {item for item in shown if (rollout.slate == item).sum() > most}
    assert often <= set(second.rows[: second.num_items].tolist())
    assert set(second.rows[: second.num_items].tolist()) != choosable


@pytest.mark.parametrize("restrictions", [{}, {"num_excluded": 4}, {"num_candidates": 9, "num_excluded": 4}])
@pytest.mark.parametrize("name", AGENTS)
def test_without_exploration_the_whole_catalogue_is_scored(name, restrictions):
    whole, part = build(name, restrictions=restrictions), build(name, restrictions=restrictions, **SMALL)
    environment = ToyEnvironment(whole.spec, DATA)
    part.load_state_dict({**part.state_dict(), **{key: value for key, value in whole.state_dict().items() if torch.is_tensor(value)}})
    collect(part, environment, environment.reset(0), 2)
    observation = toy_observation(whole.spec, DATA, generator(3), users=50)
    assert torch.equal(part.act(observation, explore=False).slate, whole.act(observation, explore=False).slate)


def plain_steps(agent):
    """Gradient descent instead of Adam, which takes full steps even where a gradient is only a rounding error."""
    return {name: torch.optim.SGD(optimizer.param_groups[0]["params"], lr=0.1) for name, optimizer in agent.optimizers().items()}


@pytest.mark.parametrize("restrictions", [{}, {"num_excluded": 4}, {"num_candidates": 9, "num_excluded": 4}])
@pytest.mark.parametrize("name", AGENTS)
def test_learning_over_a_working_set_of_all_items_equals_learning_over_the_catalogue(name, restrictions):
    whole, everything = build(name, restrictions=restrictions), build(name, restrictions=restrictions, **EVERYTHING)
    environment = ToyEnvironment(whole.spec, DATA)
    batch, _ = collect(whole, environment, environment.reset(0), 6)
    everything.generator.set_state(whole.generator.get_state())
    torch.manual_seed(0)
    if name not in ("reinforce", "actor_critic"):
        batch = batch.reshape(-1)
    if name == "actor_critic":
        batch = batch[:1]  # the order of minibatches is drawn after the working set
        whole.config.minibatches = everything.config.minibatches = 1
    losses = [update(agent, plain_steps(agent), batch) for agent in (whole, everything)]
    assert [loss for _, loss in losses[0]] == pytest.approx([loss for _, loss in losses[1]], rel=1e-4, abs=1e-5)
    for one, other in zip(whole.parameters(), everything.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", AGENTS)
def test_agents_pass_the_checks(name):
    _, config, usual = AGENTS[name]
    check_variant(COMPONENTS[name.partition(",")[0]], config(**usual | SMALL))


@pytest.mark.parametrize("slate_size", [1, 3])
@pytest.mark.parametrize("name", AGENTS)
def test_agents_pass_the_checks_where_items_are_excluded(name, slate_size):
    if slate_size > 1 and "slates" not in COMPONENTS[name.partition(",")[0]].provides:
        slate_size = 1
    agent = build(name, restrictions={"num_excluded": 6, "slate_size": slate_size}, **SMALL)
    check_agent(agent, ToyEnvironment(agent.spec, DATA))


@pytest.mark.parametrize("name", AGENTS)
def test_a_resumed_agent_uses_the_same_sets(name):
    agent = build(name, **SMALL)
    environment = ToyEnvironment(agent.spec, DATA)
    optimizers, observation = agent.optimizers(), environment.reset(1)
    for _ in range(2):
        rollout, observation = collect(agent, environment, observation, 4)
        batch = rollout if name in ("reinforce", "actor_critic") else rollout.reshape(-1)
        update(agent, optimizers, batch)
    file = io.BytesIO()
    torch.save({"agent": agent.state_dict(), "environment": environment.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed, elsewhere = build(name, seed=9, **SMALL), ToyEnvironment(agent.spec, DATA)
    resumed.load_state_dict(saved["agent"])
    again = elsewhere.load_state_dict(saved["environment"])
    ours, theirs = (collect(*one, 4)[0] for one in ((agent, environment, observation), (resumed, elsewhere, again)))
    assert torch.equal(ours.slate, theirs.slate)
    assert torch.equal(agent.working_set._chunk.rows, resumed.working_set._chunk.rows)


def test_a_policy_learns_over_the_working_set_it_acted_over():
    agent = build("actor_critic", **SMALL)
    environment = ToyEnvironment(agent.spec, DATA)
    batch, _ = collect(agent, environment, environment.reset(1), 5)
    items, local = agent.items_to_learn(batch)
    acted = agent.working_set._chunk
    assert items.num_items == acted.num_items
    assert torch.equal(items.rows[: items.num_items], acted.rows[: acted.num_items])
    policy_scores, _ = agent.network(local.reshape(-1).observation, agent.network.vectors(items))
    scores = policy_scores.query @ policy_scores.items.T
    assert scores.shape[1] == 14
    update(agent, agent.optimizers(), batch)
    assert agent.diagnostics()["entropy"] < torch.tensor(14.0).log() + 1e-4


def test_a_target_takes_its_maximum_over_the_working_set():
    agent = build("dqn", double=False, **SMALL)
    batch = toy_transition(agent.spec, DATA, generator(), users=40)
    items, local = agent.items_to_learn(batch)
    vectors = items.vectors(agent.online.state_tracker)
    low = agent.td_target(local, items, vectors)
    whole = agent.td_target(batch, agent.working_set.whole, agent.online.state_tracker.project_items())
    assert (low <= whole + 1e-5).all()
    assert (low < whole - 1e-3).any()


@pytest.mark.parametrize("name", AGENTS)
def test_a_small_catalogue_is_used_as_a_whole(name):
    agent = build(name)
    batch = toy_transition(agent.spec, DATA, generator(), users=4)
    state = agent.generator.get_state()
    items, same = agent.items_to_learn(batch)
    assert items is agent.working_set.whole
    assert same is batch
    assert torch.equal(agent.generator.get_state(), state)
    assert copy.deepcopy(agent).get_extra_state()["shown"].numel() == 0


def test_a_working_set_too_small_for_a_slate_is_rejected():
    with pytest.raises(ValueError, match=r"agent\.working_items \(14\) must be at least 15: the 3 items of a slate and the 12"):
        build("reinforce", restrictions={"slate_size": 3, "num_excluded": 12}, **SMALL)
