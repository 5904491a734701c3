"""A prior over candidates is a term of every agent's scores, at a weight that is learned."""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from recframe.components import Kind
from recframe.interfaces import PAD, allowed_items
from recframe.item_agents import CandidateColumns, ItemRange, QNetwork
from recframe.item_agents.prior_scores import PriorScores, prior_weights
from recframe.plugin_loader import registry
from recframe.testing import ToyTracker, toy_data, toy_observation, toy_spec, toy_transition

DATA = toy_data()
PLAIN = toy_spec(DATA, num_candidates=9, num_excluded=3)
SPEC = replace(PLAIN, prior_weight=0.5)
WITH_PRIOR = [one.component for one in registry().components(Kind.AGENT) if "prior" in one.component.provides]


def from_table(observation):
    """A prior that knows a number for each item."""
    values = torch.linspace(-3, 3, PLAIN.num_items).sin()[observation.candidates]
    return values.masked_fill(observation.candidates == PAD, 0.0)


def observed(seed=0, spec=PLAIN):
    return toy_observation(spec, DATA, torch.Generator().manual_seed(seed))


def completed(observation):
    copy = observation.clone()
    copy.prior = from_table(observation)
    return copy


def built(component, spec=SPEC, **options):
    torch.manual_seed(0)
    module, _, name = component.factory.partition(":")
    factory = getattr(__import__(module, fromlist=[name]), name)
    return factory(component.config(**options), spec, ToyTracker(spec, DATA), seed=0)


def test_the_term_is_added_wherever_scores_are_read():
    torch.manual_seed(0)
    network = QNetwork(ToyTracker(SPEC, DATA), SPEC.device)
    plain = QNetwork(ToyTracker(PLAIN, DATA), PLAIN.device)
    plain.load_state_dict(network.state_dict(), strict=False)
    observation, items = observed(), network.state_tracker.project_items()
    with_prior, without = network(completed(observation), items), plain(observation, items)
    expected = torch.zeros(PLAIN.num_users, PLAIN.num_items)
    for user, (candidates, values) in enumerate(zip(observation.candidates.tolist(), from_table(observation).tolist(), strict=True)):
        for item, value in zip(candidates, values, strict=True):
            if item != PAD:
                expected[user, item] = 0.5 * value
    everything = torch.arange(PLAIN.num_items).expand(PLAIN.num_users, -1)
    torch.testing.assert_close(with_prior.of(everything) - without.of(everything), expected)
    torch.testing.assert_close(with_prior.between(3, 31) - without.between(3, 31), expected[:, 3:31])
    columns = CandidateColumns(observation.candidates.flip(1))
    there = columns.numbers != PAD
    difference = (with_prior.over(columns) - without.over(columns))[there]
    torch.testing.assert_close(difference, expected.gather(1, columns.numbers.clamp(min=0))[there])
    assert with_prior.over(columns)[~there].isneginf().all()


@pytest.mark.parametrize("columns", [ItemRange(2, 6), CandidateColumns(torch.tensor([[5, 3, PAD, 2]]))], ids=["range", "candidates"])
def test_values_are_placed_in_the_columns_of_their_items(columns):
    placed = columns.place(torch.tensor([[PAD, 3, 9, 5]]), torch.tensor([[8.0, 1.0, 2.0, 4.0]]))
    assert placed.tolist() == ([[0, 1, 0, 4]] if isinstance(columns, ItemRange) else [[4, 1, 0, 0]])


@pytest.mark.parametrize("same", [True, False])
def test_mixed_precision_rounds_no_value_of_the_prior(same):
    candidates = torch.tensor([[5, 3, 7, PAD]])
    values = torch.tensor([[1.2345678, -7.654321, 33.333333, 0.0]], requires_grad=True)
    prior = PriorScores(candidates, values)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        placed = prior.over(CandidateColumns(candidates if same else candidates.clone()))
        found = prior.of(torch.tensor([[7, PAD, 4, 3]]))
    assert placed.dtype is torch.float32
    assert placed.tolist() == values.tolist()
    assert found.tolist() == [[values[0, 2].item(), 0.0, 0.0, values[0, 1].item()]]
    found.sum().backward()
    assert values.grad.tolist() == [[0, 1, 1, 0]]


def test_the_memory_of_the_prior_does_not_grow_with_all_pairs_of_candidates():
    sizes = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            outcome = function(*args, **(kwargs or {}))
            sizes.extend(one.numel() for one in tree_leaves(outcome) if isinstance(one, torch.Tensor))
            return outcome

    candidates = torch.stack([torch.randperm(500) for _ in range(2)])
    prior = PriorScores(candidates, torch.randn(2, 500))
    with Sizes():
        prior.over(CandidateColumns(candidates.clone()))
        prior.of(candidates.flip(1))
    assert max(sizes) <= 4 * candidates.numel()


@pytest.mark.parametrize("component", WITH_PRIOR, ids=lambda component: component.name)
class TestEveryAgentWithAPrior:
    def test_shows_what_a_strong_prior_prefers(self, component):
        agent = built(component)
        for module in agent.modules():
            for name, parameter in module.named_parameters(recurse=False):
                if name == "weight" and type(module).__name__ == "PriorWeight":
                    parameter.data.fill_(1_000.0)
        agent.use_prior(from_table)
        observation = observed()
        scores = torch.full((PLAIN.num_users, PLAIN.num_items), -torch.inf)
        for user, candidates in enumerate(observation.candidates.tolist()):
            for item in candidates:
                if item != PAD:
                    scores[user, item] = from_table(observation)[user, candidates.index(item)]
        best = allowed_items(observation, scores).argmax(dim=1, keepdim=True)
        agent.prepare_to_act()
        assert agent.act(observation, explore=False).slate.tolist() == best.tolist()
        assert agent.rank(observation, 3)[:, :1].tolist() == best.tolist()

    def test_chooses_the_same_of_shuffled_candidates(self, component):
        agent = built(component)
        agent.use_prior(from_table)
        observation = observed()
        shuffled = observation.clone()
        shuffled.candidates = observation.candidates[:, torch.randperm(9, generator=torch.Generator().manual_seed(1))]
        agent.prepare_to_act()
        assert agent.rank(observation, 4).tolist() == agent.rank(shuffled, 4).tolist()

    def test_learns_every_weight(self, component):
        agent = built(component)
        agent.use_prior(from_table)
        batch = toy_transition(PLAIN, DATA, torch.Generator().manual_seed(2), users=24)
        if component.name in ("reinforce", "actor_critic"):
            batch = batch.unsqueeze(0)
        batch.slate = batch.observation.candidates[..., :1].clamp(min=0)
        batch.reward = batch.slate[..., 0].remainder(3).float()
        batch.item_reward = batch.reward.unsqueeze(-1)
        batch.log_prob = torch.full_like(batch.reward, -2.0)
        batch.observation, batch.next_observation = agent.completed(batch.observation), agent.completed(batch.next_observation)
        before = {name: weight.clone() for name, weight in prior_weights(agent).items()}
        optimizers = agent.optimizers()
        for name, loss in agent.losses(batch):
            optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()
        assert before
        assert all(float(weight) != float(before[name]) for name, weight in prior_weights(agent).items())

    def test_needs_no_more_weights_without_one(self, component):
        assert not prior_weights(built(component, PLAIN))


def test_the_prior_survives_a_working_set():
    (dqn,) = (component for component in WITH_PRIOR if component.name == "dqn")
    whole, part = built(dqn), built(dqn, whole_catalog_items=10, working_items=16)
    for agent in (whole, part):
        agent.use_prior(from_table)
        agent.prepare_to_act()
    observation = completed(observed())
    items, renumbered = part.working_set.for_acting(observation, part.generator)
    assert items.rows is not None
    found = part.greedy(renumbered, items, part.project(items), 3)
    expected = whole.greedy(observation, whole.working_set.whole, whole.project(whole.working_set.whole), 3)
    assert items.in_catalog(found).tolist() == expected.tolist()


def test_an_observation_without_the_prior_is_refused():
    network = QNetwork(ToyTracker(SPEC, DATA), SPEC.device)
    with pytest.raises(ValueError, match="the observation has no prior"):
        network(observed(), network.state_tracker.project_items())
