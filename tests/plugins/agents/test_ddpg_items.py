"""The Wolpertinger policy: the items near a proposal, their values, slates, and the index of vectors that change."""

import importlib.util
import io
import sys

import pytest
import torch

from recframe.interfaces import PAD, allowed_items
from recframe.plugin_loader import registry
from recframe.testing import ToyTracker, check_component, toy_data, toy_observation, toy_spec, toy_transition, update
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.ddpg.wolpertinger import build_ddpg
from tests.agent_variants import check_variant

COMPONENT = registry().get("agent", "ddpg")
DATA = toy_data()
TD3 = {"critics": 2, "actor_interval": 2, "target_noise": 0.2}

needs_faiss = pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="faiss is not installed: pip install 'recframe[faiss]'")


def build(seed=0, slate_size=1, num_candidates=0, num_excluded=0, **options):
    torch.manual_seed(seed)
    spec = toy_spec(DATA, slate_size=slate_size, num_candidates=num_candidates, num_excluded=num_excluded)
    return build_ddpg(DDPGConfig(hidden_sizes=[16], **options), spec, ToyTracker(spec, DATA), seed=seed)


def disturb(network, seed=1):
    """Change a network's weights by random numbers."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))


def observe(agent, users=50, seed=3):
    return toy_observation(agent.spec, DATA, torch.Generator().manual_seed(seed), users=users)


def batch(agent, users=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    transition = toy_transition(agent.spec, DATA, generator, users=users)
    transition.next_observation = toy_observation(agent.spec, DATA, generator, users=users)
    transition.reward = torch.randn(users, generator=generator)
    transition.terminated = torch.arange(users) % 4 == 0
    transition.truncated = torch.arange(users) % 4 == 1
    return transition


def item_vectors(network):
    vectors = network.state_tracker.project_items()
    return vectors / vectors.norm(dim=1, keepdim=True)


@torch.no_grad()
def q_values(critics, observation):
    """The smallest of the critics' values of all items, `[N, M]`; all critics see the first critic's item vectors."""
    points = item_vectors(critics[0]).expand(len(observation.user), -1, -1)
    values = []
    for critic in critics:
        state = critic.state_tracker(observation, critic.state_tracker.project_items())
        joint = torch.cat([state.unsqueeze(1).expand(-1, points.shape[1], -1), points], dim=2)
        values.append(critic.layers(joint).squeeze(2))
    return torch.stack(values).amin(dim=0)


@torch.no_grad()
def policy_values(actor, critics, observation, neighbors):
    """Q of the items that the policy chooses among, -inf for all others, `[N, M]`, by sorting distances."""
    proposal = actor.layers(actor.state_tracker(observation, actor.state_tracker.project_items()))
    proposal = proposal / proposal.norm(dim=1, keepdim=True)
    allowed = allowed_items(observation, torch.zeros(len(proposal), len(DATA.catalog))).isfinite()
    distances = torch.cdist(proposal, item_vectors(critics[0])).masked_fill(~allowed, torch.inf)
    far = distances.argsort(dim=1).argsort(dim=1) >= neighbors
    return q_values(critics, observation).masked_fill(far | ~allowed, -torch.inf)


@pytest.mark.parametrize(
    "options",
    [
        {"random_steps": 20},
        {"neighbors": 4, "index_interval": 2, **TD3},
        {"neighbors": 4, "index_interval": 2, "whole_catalog_items": 1, "working_items": 12},
        pytest.param({"index": "approximate", "index_probes": 1}, marks=needs_faiss),
    ],
    ids=["ddpg", "td3", "working set", "approximate"],
)
def test_the_agent_passes_the_checks(options):
    (check_component if options == {"random_steps": 20} else check_variant)(COMPONENT, DDPGConfig(**options))


@pytest.mark.parametrize(("num_candidates", "num_excluded"), [(0, 0), (0, 7), (12, 0), (12, 5)])
@pytest.mark.parametrize(("slate_size", "neighbors", "critics"), [(1, 6, 1), (1, 6, 2), (3, 5, 1), (1, 40, 1), (1, 1, 1)])
@pytest.mark.parametrize("users", [50, 5], ids=["more neighbors than items", "fewer neighbors than items"])
def test_the_best_of_the_nearest_allowed_items_are_shown(slate_size, neighbors, critics, num_candidates, num_excluded, users):
    agent = build(slate_size=slate_size, neighbors=neighbors, critics=critics, num_candidates=num_candidates, num_excluded=num_excluded)
    observation = observe(agent, users)
    values = policy_values(agent.actor, agent.critics, observation, neighbors)
    slate = agent.act(observation, explore=False).slate
    torch.testing.assert_close(values.gather(1, slate), values.topk(slate_size, dim=1).values)
    if neighbors == 6 and users == 50:  # the choice is neither the nearest item nor the best of all
        nearest = policy_values(agent.actor, agent.critics, observation, 1)
        assert (slate != nearest.topk(1, dim=1).indices).any()
        everywhere = allowed_items(observation, q_values(agent.critics, observation))
        assert (slate != everywhere.topk(1, dim=1).indices).any()


@pytest.mark.parametrize("num_candidates", [0, 12])
@pytest.mark.parametrize(("slate_size", "critics"), [(1, 1), (1, 2), (3, 1)])
def test_the_target_follows_the_target_networks_policy(slate_size, critics, num_candidates):
    agent = build(slate_size=slate_size, critics=critics, neighbors=6, num_candidates=num_candidates)
    disturb(agent.target_actor)
    for seed, critic in enumerate(agent.target_critics):
        # the index holds the first critic's vectors: the reference must search the same
        disturb(critic.layers, seed)
    transition = batch(agent)
    transition.next_observation.candidates = transition.observation.candidates
    values = policy_values(agent.target_actor, agent.target_critics, transition.next_observation, 6)
    following = values.topk(slate_size, dim=1).values.mean(dim=1)
    expected = transition.reward + agent.config.gamma * torch.where(transition.terminated, 0.0, following)
    torch.testing.assert_close(agent.td_target(transition, agent.working_set.whole), expected, rtol=1e-4, atol=1e-5)


def test_targets_are_finite_without_next_candidates_after_termination():
    agent = build(num_candidates=6)
    transition = batch(agent)
    transition.next_observation.candidates[transition.terminated] = PAD
    assert agent.td_target(transition, agent.working_set.whole).isfinite().all()


def test_the_value_of_a_slate_is_the_mean_of_its_items():
    agent = build(slate_size=3)
    transition = batch(agent)
    worth = q_values(agent.critics, transition.observation).gather(1, transition.slate).mean(dim=1)
    _, loss = next(agent.losses(transition))
    torch.testing.assert_close(
        loss.detach(), (worth - agent.td_target(transition, agent.working_set.whole)).square().mean(), rtol=1e-4, atol=1e-6
    )


def test_item_vectors_are_learned_with_the_critic():
    agent = build()
    before = item_vectors(agent.critics[0]).detach()
    update(agent, agent.optimizers(), batch(agent))
    assert (item_vectors(agent.critics[0]) - before).abs().max() > 1e-4


def test_noise_moves_a_proposal_by_about_the_deviation():
    agent = build()
    point = torch.nn.functional.normalize(torch.ones(5_000, 8), dim=1)
    noisy = agent.with_noise(point, 0.1)
    torch.testing.assert_close(noisy.norm(dim=1), torch.ones(5_000))
    # one of eight dimensions is along the proposal, and has no effect
    assert (noisy - point).norm(dim=1).square().mean().sqrt() == pytest.approx(0.1 * (7 / 8) ** 0.5, rel=0.05)
    clipped = agent.with_noise(point, 5.0, clip=0.2)
    assert (clipped - point).norm(dim=1).max() < 0.25


def test_exploration_is_random_at_first_and_by_noise_and_epsilon_later():
    agent = build(neighbors=1, random_steps=100, epsilon=0.3, exploration_noise=0.0)
    observation = torch.cat([observe(agent, users=1)] * 4_000)
    greedy = agent.act(observation, explore=False).slate
    agent.env_steps = 99
    share = torch.bincount(agent.act(observation, explore=True).slate[:, 0], minlength=40) / 4_000
    assert (share - 1 / 40).abs().max() < 0.015
    agent.env_steps = 100
    explored = agent.act(observation, explore=True).slate
    assert (explored == greedy).float().mean() == pytest.approx(0.7 + 0.3 / 40, abs=0.03)
    noisy = build(neighbors=1, random_steps=0, epsilon=0.0, exploration_noise=1.0).act(observation, explore=True).slate
    assert len(noisy.unique()) > 3


def index_of(agent):
    return agent.index_for(agent.working_set.whole)


def indexed_vectors(agent):
    return index_of(agent).vectors.clone()


def test_the_index_is_rebuilt_every_index_interval_updates():
    agent = build(index_interval=3)
    optimizers, first = agent.optimizers(), indexed_vectors(agent)
    for count in range(1, 7):
        update(agent, optimizers, batch(agent, seed=count))
        current = item_vectors(agent.critics[0]).detach()
        assert torch.equal(indexed_vectors(agent), first) == (count < 3)
        assert torch.allclose(indexed_vectors(agent), current) == (count % 3 == 0)


def test_a_resumed_agent_searches_the_same_index():
    agent = build(index_interval=3)
    optimizers = agent.optimizers()
    for count in range(5):
        update(agent, optimizers, batch(agent, seed=count))
    file = io.BytesIO()
    torch.save(agent.state_dict(), file)
    file.seek(0)
    other = build(seed=9, index_interval=3)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(indexed_vectors(other), indexed_vectors(agent))
    assert not torch.allclose(indexed_vectors(agent), item_vectors(agent.critics[0]))


def test_recall_falls_as_the_vectors_change_after_indexing():
    agent = build(neighbors=5, index_interval=1_000)
    assert "index_recall" not in agent.diagnostics()
    agent.td_target(batch(agent), agent.working_set.whole)
    assert float(agent.diagnostics()["index_recall"]) == 1
    disturb(agent.critics[0].state_tracker)
    assert 0 <= float(agent.diagnostics()["index_recall"]) < 0.8


@pytest.mark.parametrize("index", ["exact", pytest.param("approximate", marks=needs_faiss)])
def test_mixed_precision_losses_search_the_same_index(index):
    agent, same = (build(index=index, index_interval=1, neighbors=5) for _ in range(2))
    observation = observe(agent)
    for one in (agent, same):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            update(one, one.optimizers(), batch(one))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        agent.td_target(batch(agent), agent.working_set.whole)  # builds the index in learning; the other agent builds it in acting
    assert torch.equal(agent.act(observation, explore=False).slate, same.act(observation, explore=False).slate)
    point = torch.nn.functional.normalize(torch.randn(20, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    assert torch.equal(index_of(agent).search(point, 5), index_of(same).search(point, 5))


@needs_faiss
def test_recall_of_an_approximate_index_is_reported():
    data = toy_data(num_items=2_000)
    spec = toy_spec(data)
    torch.manual_seed(0)
    config = DDPGConfig(neighbors=20, index="approximate", index_probes=1)
    agent = build_ddpg(config, spec, ToyTracker(spec, data), seed=0)
    agent.td_target(toy_transition(spec, data, torch.Generator().manual_seed(0), users=64), agent.working_set.whole)
    assert 0.2 < float(agent.diagnostics()["index_recall"]) < 1


@needs_faiss
def test_in_a_large_catalogue_recall_is_measured_when_the_index_is_built():
    data = toy_data(num_items=2_000)
    spec = toy_spec(data)
    torch.manual_seed(0)
    config = DDPGConfig(neighbors=20, index="approximate", index_probes=1, index_interval=1, whole_catalog_items=500)
    agent = build_ddpg(config, spec, ToyTracker(spec, data), seed=0)
    assert "index_recall" not in agent.diagnostics()
    for seed in range(2):  # the first update sets the proposals; the index is rebuilt after it
        transition = toy_transition(spec, data, torch.Generator().manual_seed(seed), users=64)
        update(agent, agent.optimizers(), transition)
    assert 0.2 < float(agent.diagnostics()["index_recall"]) < 1
    other = build_ddpg(config, spec, ToyTracker(spec, data), seed=1)
    other.load_state_dict(agent.state_dict())
    assert other.diagnostics()["index_recall"] == agent.diagnostics()["index_recall"]


def test_fewer_neighbors_than_slate_items_are_rejected():
    with pytest.raises(ValueError, match=r"agent\.neighbors \(2\) must not be below environment\.slate_size \(3\)"):
        build(slate_size=3, neighbors=2)


def test_a_missing_faiss_is_reported_before_training(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ValueError, match="needs faiss"):
        build(index="approximate")
