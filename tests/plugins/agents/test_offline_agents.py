"""The offline agents: conformance, large catalogues, logs as they are replayed, and settings that make no sense."""

import math

import pytest
import torch

from recframe.components import Kind
from recframe.interfaces import PAD, Replay
from recframe.item_agents import Items, WorkingSet
from recframe.plugin_loader import registry
from recframe.testing import ToyEnvironment, ToyTracker, check_agent, check_component, toy_data, toy_spec, toy_transition, update
from recframe_plugins.agents.offline.cql import CQL
from tests.agent_variants import check_variant

DATA = toy_data()
SMALL = {"whole_catalog_items": 10, "working_items": 16}
REPLAY = {"sqn", "sa2c", "cql", "bcq", "iql", "crr", "td3_bc", "top_k_reinforce"}
VARIANTS = [
    *[(name, {}) for name in sorted(REPLAY)],
    *[(name, SMALL) for name in ("bcq", "cql", "crr", "td3_bc")],
    ("sqn", {"n_step": 3, "priority_exponent": 0.5, "double": False}),
    ("sa2c", {"n_step": 3, "priority_exponent": 0.5, "warmup_updates": 2}),
    ("cql", {"n_step": 3, "priority_exponent": 0.5}),
    ("bcq", {"n_step": 3, "priority_exponent": 0.5, "threshold": 0.0}),
    ("iql", {"n_step": 3, "priority_exponent": 0.5}),
    ("crr", {"n_step": 3, "priority_exponent": 0.5, "weighting": "binary"}),
    ("top_k_reinforce", {"horizon": 1, "normalize_weights": True, "k": 1}),
]


def component(name):
    return registry().get(Kind.AGENT, name)


def build(name, **options):
    torch.manual_seed(0)
    spec = toy_spec(DATA)
    module, _, attribute = component(name).factory.partition(":")
    factory = getattr(__import__(module, fromlist=[attribute]), attribute)
    return factory(component(name).config(**options), spec, ToyTracker(spec, DATA), seed=0)


@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=lambda value: value if isinstance(value, str) else "-".join(value))
def test_offline_agents_pass_the_checks(name, options):
    (check_variant if options else check_component)(component(name), component(name).config(**options))


@pytest.mark.parametrize("name", sorted(REPLAY))
def test_offline_agents_pass_the_checks_where_items_are_excluded(name):
    torch.manual_seed(0)
    spec = toy_spec(DATA, num_excluded=6)
    module, _, attribute = component(name).factory.partition(":")
    factory = getattr(__import__(module, fromlist=[attribute]), attribute)
    for options in ({}, SMALL):
        agent = factory(component(name).config(**options), spec, ToyTracker(spec, DATA), seed=0)
        check_agent(agent, ToyEnvironment(spec, DATA))


@pytest.mark.parametrize("name", sorted(REPLAY))
def test_a_slate_of_several_items_is_refused_where_the_agent_shows_one(name):
    if "slates" in component(name).provides:
        return
    spec = toy_spec(DATA, slate_size=2)
    module, _, attribute = component(name).factory.partition(":")
    factory = getattr(__import__(module, fromlist=[attribute]), attribute)
    with pytest.raises(ValueError, match=rf"agent {name} shows one item at a time: environment\.slate_size must be 1, not 2"):
        factory(component(name).config(), spec, ToyTracker(spec, DATA), seed=0)


def transition(agent, users=12):
    generator = torch.Generator().manual_seed(1)
    batch = toy_transition(agent.spec, DATA, generator, users=users)
    batch.reward = torch.rand(users, generator=generator)
    batch.discount = torch.full((users,), 0.9)
    return batch


def test_every_item_taken_may_be_chosen_in_the_working_set_of_an_imitation():
    agent = build("sqn", whole_catalog_items=10, working_items=4)
    batch = transition(agent, users=24)
    items, local = agent.items_to_learn(batch)
    assert int(local.slate.max()) < items.num_items
    assert torch.equal(items.rows[local.slate], batch.slate)
    history = batch.observation.history_items
    assert torch.equal(torch.where(history == PAD, PAD, items.rows[local.observation.history_items]), history)
    taken = len(batch.slate.unique())
    assert items.sampled == min(taken, items.population)
    assert items.num_items == taken + items.sampled
    assert len(items.rows[: items.num_items].unique()) == items.num_items


def test_sums_over_working_sets_estimate_sums_over_the_catalogue_without_bias():
    spec, generator = toy_spec(DATA), torch.Generator().manual_seed(4)
    agent = build("sqn", **SMALL)
    batch = transition(agent, users=3)
    worth = torch.rand(spec.num_items, generator=generator)
    totals = []
    for _ in range(3_000):
        items, _ = agent.working_set.for_imitation(batch, generator)
        totals.append((worth[items.rows[: items.num_items]] * items.log_weights.exp()).sum())
    error = torch.stack(totals).std() / math.sqrt(len(totals))
    assert abs(torch.stack(totals).mean() - worth.sum()) < 4 * error


def test_items_that_are_not_sampled_stand_for_themselves():
    assert Items(None, 7).log_weights is None
    assert Items(torch.arange(5), 5).log_weights is None


@pytest.mark.parametrize("name", sorted(REPLAY - {"td3_bc", "sa2c"}))
def test_a_working_set_of_all_items_gives_the_loss_of_the_whole_catalogue(name):
    size = toy_spec(DATA).num_items
    whole, parts = build(name), build(name, whole_catalog_items=10, working_items=size)
    (ours,), (theirs,) = (update(agent, agent.optimizers(), transition(agent)) for agent in (whole, parts))
    assert parts.working_set.in_use
    assert theirs[1] == pytest.approx(ours[1], rel=1e-5)


def test_cql_over_working_sets_estimates_the_log_sum_of_the_catalogue():
    whole = build("cql")
    losses = []
    for seed in range(60):
        agent = build("cql", whole_catalog_items=10, working_items=20)
        agent.load_state_dict(whole.state_dict())
        agent.generator.manual_seed(seed)
        losses.append(next(agent.losses(transition(agent)))[1].item())
    exact = next(whole.losses(transition(whole)))[1].item()
    assert isinstance(whole, CQL)
    # the logarithm of an unbiased estimate is a little too small
    assert torch.tensor(losses).mean().item() == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("name", sorted(REPLAY))
def test_offline_agents_ask_for_replay(name):
    agent = build(name, batch_size=12, updates_per_chunk=5)
    plan = agent.experience
    assert isinstance(plan, Replay)
    assert (plan.batch_size, plan.updates_per_chunk) == (12, 5)


def test_top_k_reinforce_asks_for_returns_over_its_horizon():
    plan = build("top_k_reinforce", horizon=7, gamma=0.8).experience
    assert (plan.n_step, plan.gamma) == (7, 0.8)


def test_sa2c_weights_by_advantages_after_its_warm_up_even_when_resumed():
    agent = build("sa2c", warmup_updates=2)
    for _ in range(2):
        update(agent, agent.optimizers(), transition(agent))
    resumed = build("sa2c", warmup_updates=2)
    resumed.load_state_dict(agent.state_dict())
    for one in (agent, resumed):
        one.generator.manual_seed(5)
    ours, theirs = (next(one.losses(transition(one)))[1].item() for one in (agent, resumed))
    assert ours == theirs
    fresh = build("sa2c", warmup_updates=3)
    fresh.load_state_dict(agent.state_dict())
    fresh.generator.manual_seed(5)
    assert next(fresh.losses(transition(fresh)))[1].item() != pytest.approx(ours)


def test_working_sets_without_a_large_catalogue_are_the_catalogue():
    working_set = WorkingSet(component("sqn").config(), toy_spec(DATA))
    batch = transition(build("sqn"))
    items, same = working_set.for_imitation(batch, torch.Generator())
    assert items is working_set.whole
    assert same is batch
