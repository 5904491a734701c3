"""The auxiliary head: it learns which items users take, trains the tracker in the agent's own step, and resumes exactly."""

import copy

import pytest
import torch
from torch import nn

from recframe.components import Kind
from recframe.config import ConfigError
from recframe.config.schema.run import AuxiliaryConfig, TrainerConfig
from recframe.experience import Collector, RewardSum, SimulatedStream
from recframe.interfaces import Agent, Decision, NoExperience, Reward, Rollout, allowed_items, random_items
from recframe.plugin_loader import registry
from recframe.testing import ToyEnvironment, ToyTracker, toy_data, toy_spec
from recframe.testing.loop import collect
from recframe.training import LAST, BehaviourPrediction, Interruption, fit

DATA = toy_data()
SPEC = toy_spec(DATA, num_users=16)


class Click(Reward):
    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


class Decided(ToyEnvironment):
    """Users who click only on items that they like very much."""

    def __init__(self):
        super().__init__(SPEC, DATA)
        self.click_probability = (5 * (self.taste - 1)).sigmoid()


class Indifferent(Agent):
    """Shows random items; its optimizer holds the tracker, but its own loss has no gradient for it."""

    experience = Rollout()

    def __init__(self, spec=SPEC) -> None:
        super().__init__(spec, seed=0)
        torch.manual_seed(0)
        self.tracker = ToyTracker(spec, DATA)
        self.bias = nn.Parameter(torch.zeros(()))

    def act(self, observation, explore):
        return Decision(random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator))

    def losses(self, batch):
        yield "value", (self.bias - batch.reward).square().mean()

    def optimizers(self):
        return {"value": torch.optim.Adam(self.parameters(), lr=0.02)}


def prediction(agent, seed=1, **settings) -> BehaviourPrediction:
    return BehaviourPrediction(AuxiliaryConfig(**{"weight": 1.0, **settings}), agent, agent.tracker, seed)


@pytest.fixture
def train(new_memory):
    """Trains an agent and returns the logged rows."""

    def run(folder, agent, auxiliary, evaluate=lambda: {"return": 0.0}, resume_from=None, **settings) -> list[dict]:
        settings = TrainerConfig(
            **{"env_steps": 1280, "chunk_steps": 4, "evaluate_every": 640, "log_every": 3, "final_weights": "last", **settings}
        )
        collector = Collector(Decided(), RewardSum({"click": (Click(), 1.0)}, DATA.catalog, frozenset()), 0)
        memory, parts = new_memory(), {"folder": folder, "evaluate": evaluate, "interruption": Interruption(folder)}
        stream = SimulatedStream.of(agent, collector, settings.chunk_steps, seed=1)
        fit(agent, stream, settings, loggers=[memory], auxiliary=auxiliary, resume_from=resume_from, **parts)
        return [{name: value for name, value in row.items() if "per_second" not in name} for row in memory.rows]

    return run


def batch_of(spec, steps=6, seed=7):
    environment = ToyEnvironment(spec, DATA)
    return collect(Indifferent(spec), environment, environment.reset(seed), steps)[0]


@pytest.mark.parametrize("limits", [{}, {"whole_catalog_items": 10, "negatives": 12}])
def test_the_head_learns_which_items_users_take(tmp_path, train, limits):
    agent = Indifferent()
    rows = [
        row for row in train(tmp_path, agent, prediction(agent, **limits), env_steps=4_500, evaluate_every=4_500) if "auxiliary/loss" in row
    ]
    hits = [row["auxiliary/hit_rate"] for row in rows]
    losses = [row["auxiliary/loss"] for row in rows]
    chance = 10 / 40
    assert sum(hits[:3]) / 3 < chance + 0.15
    assert sum(hits[-6:]) / 6 > chance + 0.3
    assert sum(losses[-6:]) / 6 < sum(losses[:3]) / 3 - 0.3


def test_the_tracker_is_trained_only_if_the_weight_is_positive(tmp_path, train):
    def moved(weight) -> float:
        agent = Indifferent()
        before = copy.deepcopy(agent.tracker.state_dict())
        train(tmp_path / str(weight), agent, prediction(agent, weight=weight) if weight else None, env_steps=64)
        after = agent.tracker.state_dict()
        return max(float((after[name] - value).abs().max()) for name, value in before.items())

    assert moved(0.0) == 0.0
    assert moved(1.0) > 1e-3


def test_a_run_stopped_between_two_evaluations_resumes_exactly(tmp_path, train):
    limits = {"whole_catalog_items": 10, "negatives": 12, "batch_size": 8}
    whole, half, rest = Indifferent(), Indifferent(), Indifferent()
    heads = [prediction(agent, seed, **limits) for agent, seed in ((whole, 1), (half, 1), (rest, 2))]
    rows = train(tmp_path / "whole", whole, heads[0])
    count = []

    def evaluate():
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt
        return {"return": 0.0}

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train(tmp_path / "half", half, heads[1], evaluate)
    resumed = train(tmp_path / "half", rest, heads[2], resume_from=tmp_path / "half" / LAST)
    assert resumed == [row for row in rows if row["env_steps"] > 640]
    for one, other in ((whole, rest), (heads[0], heads[2])):
        mine, theirs = one.state_dict(), other.state_dict()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine if isinstance(mine[name], torch.Tensor))
    # the run is complete: nothing is trained, and the head's weights in the checkpoint are not mistaken for the agent's
    last = Indifferent()
    train(tmp_path / "half", last, prediction(last), resume_from=tmp_path / "half" / LAST)
    assert torch.equal(last.bias, whole.bias)


def test_the_sampled_softmax_is_unbiased():
    agent, batch = Indifferent(), batch_of(SPEC, steps=1)
    observation, taken = batch.observation.reshape(-1), batch.slate.flatten()
    exact, drawn = prediction(agent), prediction(agent, whole_catalog_items=1, negatives=6)
    with torch.no_grad():
        # large weights, so that the estimate depends on which items are drawn
        exact.query.weight.mul_(4)
        drawn.query.load_state_dict(exact.query.state_dict())
        partition = exact._cross_entropy(observation, taken)[0].exp()
        estimates = torch.stack([drawn._cross_entropy(observation, taken)[0].exp() for _ in range(500)])
    assert estimates.std(dim=0).mean() > 0.1 * partition.mean()
    torch.testing.assert_close(estimates.mean(dim=0), partition, rtol=0.08, atol=0.0)


@pytest.mark.parametrize("limit", [1, 1_000])
def test_excluded_items_do_not_affect_the_loss(limit):
    spec = toy_spec(DATA, num_users=4, num_excluded=39)
    agent, batch = Indifferent(spec), batch_of(toy_spec(DATA, num_users=4), steps=1)[0]
    batch.response.signals["click"] = torch.ones(4, 1)
    others = torch.stack([torch.tensor([item for item in range(40) if item != taken]) for taken in batch.slate[:, 0].tolist()])
    head = prediction(agent, whole_catalog_items=limit)
    assert head.loss(batch) > 1.0
    batch.observation.excluded = others
    assert head.loss(batch).abs() < 1e-5
    head.metrics()
    head.start_chunk()
    head.loss(batch)
    assert head.metrics()["auxiliary/hit_rate"] == 1.0


@pytest.mark.parametrize("limit", [1, 1_000])
def test_items_that_are_not_candidates_do_not_affect_the_loss(limit):
    spec = toy_spec(DATA, num_users=16, num_candidates=13, num_excluded=3)
    agent, batch = Indifferent(spec), batch_of(spec)
    batch.response.signals["click"] = torch.ones_like(batch.reward).unsqueeze(-1)
    head = prediction(agent, whole_catalog_items=limit)
    observation, taken = batch.observation.reshape(-1), batch.slate.flatten()
    vectors = agent.tracker.project_items()
    scores = head.query(agent.tracker(observation, vectors)) @ vectors.T / vectors.shape[1] ** 0.5
    scores = allowed_items(observation, scores)
    torch.testing.assert_close(head.loss(batch), torch.nn.functional.cross_entropy(scores, taken))
    ahead = (scores > scores.gather(1, taken.unsqueeze(1))).sum(dim=1)
    assert head.metrics()["auxiliary/hit_rate"] == pytest.approx((ahead < 10).double().mean().item())
    assert (ahead >= 10).any()


def test_the_head_learns_only_from_items_taken_and_from_at_most_batch_size_of_them():
    spec = toy_spec(DATA, num_users=16, slate_size=3)
    agent, batch = Indifferent(spec), batch_of(spec)
    clicks = batch.response.signals["click"]
    assert clicks.shape == (6, 16, 3)
    head = prediction(agent)
    head.loss(batch)
    assert head.totals[1] == clicks.sum()
    head = prediction(agent, batch_size=5)
    head.loss(batch)
    assert head.totals[1] == 5
    # a single click: the loss is that of the clicked item, given the observation it was shown to
    clicks.zero_()
    clicks[4, 7, 2] = 1.0
    expected = head._cross_entropy(batch.observation[4, 7:8], batch.slate[4, 7, 2:])[0]
    torch.testing.assert_close(head.loss(batch), expected[0])
    clicks.zero_()
    assert head.loss(batch) == 0.0


def test_every_agent_that_trains_its_tracker_accepts_the_head_and_others_refuse_it():
    refused = set()
    for name in registry().names(Kind.AGENT):
        component = registry().get(Kind.AGENT, name)
        if any("actions:continuous" in tag for tag in component.requires) and "actions:items" not in "|".join(component.requires):
            continue
        module, _, attribute = component.factory.partition(":")
        torch.manual_seed(0)
        tracker = ToyTracker(SPEC, DATA)
        agent = getattr(__import__(module, fromlist=[attribute]), attribute)(component.config(), SPEC, tracker, seed=0)
        if isinstance(agent.experience, NoExperience) or not agent.optimizers():
            with pytest.raises(ConfigError, match=r"trains no state tracker by gradients; set it to 0, or use an agent that does"):
                BehaviourPrediction(AuxiliaryConfig(weight=1.0), agent, tracker, 0)
            refused.add(name)
            continue
        head = BehaviourPrediction(AuxiliaryConfig(weight=1.0), agent, tracker, 0)
        optimizers = agent.optimizers()
        head.add_to(optimizers)
        head.loss(batch_of(SPEC)).backward()
        trained = {id(parameter) for group in optimizers[head.optimizer].param_groups for parameter in group["params"]}
        reached = [parameter for parameter in (*tracker.parameters(), *head.parameters()) if parameter.grad is not None]
        assert len(reached) > 2
        assert all(id(parameter) in trained for parameter in reached)
    assert {"random", "popular", "linucb"} <= refused
    assert not {"dqn", "slate_q", "reinforce", "actor_critic", "ddpg", "sac"} & refused


def test_an_unknown_signal_and_continuous_actions_are_refused():
    with pytest.raises(ConfigError, match=r"auxiliary\.signal: the environment gives no signal 'purchase'; it gives: click, rating"):
        prediction(Indifferent(), signal="purchase")
    agent = Indifferent()
    agent.spec = copy.copy(SPEC)
    object.__setattr__(agent.spec, "actions", "continuous")
    with pytest.raises(ConfigError, match=r"auxiliary\.weight: .* where actions are items"):
        prediction(agent)
