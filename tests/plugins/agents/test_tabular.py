"""Tabular Q-learning and SARSA: equal to dynamic programming on a small decision process, and their updates computed by hand."""

import numpy as np
import polars as pl
import pytest
import torch
from tensordict import TensorDict

from recframe.interfaces import PAD, Catalog, Data, Environment, EnvironmentSpec, History, Observation, Replay, Response, Rollout, Step
from recframe.plugin_loader import registry
from recframe.testing import (
    ToyEnvironment,
    ToyTracker,
    check_agent,
    check_component,
    check_environment,
    collect,
    toy_data,
    toy_spec,
    toy_transition,
    update,
)
from recframe_plugins.agents.tabular.config import TabularQLearningConfig, TabularSarsaConfig
from recframe_plugins.agents.tabular.q_learning import TabularQLearning
from recframe_plugins.agents.tabular.sarsa import TabularSarsa

STATES, ACTIONS, GAMMA = 6, 3, 0.8
DATA = toy_data()
ONE_HOT = {"state": "one_hot", "gamma": GAMMA}


class SmallProcess(Environment):
    """A Markov decision process of 6 states, observed as one-hot features, and 3 actions. Sessions terminate or truncate at random."""

    def __init__(self, num_users=128):
        self.spec = EnvironmentSpec(num_users, 1, 1, ACTIONS, ("reward",), num_features=STATES)
        draw = np.random.default_rng(0)
        self.transitions = torch.from_numpy(draw.dirichlet(np.full(STATES, 0.5), (STATES, ACTIONS)))
        self.rewards = torch.from_numpy(draw.normal(size=(STATES, ACTIONS))).float()
        self.ending = torch.from_numpy(draw.uniform(0, 0.2, (STATES, ACTIONS))).float()
        self.generator = torch.Generator()

    def reset(self, seed):
        self.generator.manual_seed(seed)
        self.history = History(self.spec.num_users, 1, self.spec.signals, "cpu")
        self.state = self._start()
        return self._observe(self.state)

    def step(self, slate):
        action = slate[:, 0]
        following = torch.multinomial(self.transitions[self.state, action], 1, generator=self.generator).squeeze(1)
        uniforms = torch.rand(2, len(action), generator=self.generator)
        terminated = uniforms[0] < self.ending[self.state, action]
        truncated = ~terminated & (uniforms[1] < 0.1)
        reward = TensorDict({"reward": self.rewards[self.state, action].unsqueeze(1)}, batch_size=[len(action)])
        response = Response(signals=reward, leave=terminated, batch_size=[len(action)])
        self.history.append(slate, response)
        next_observation = self._observe(following)
        self.state = torch.where(terminated | truncated, self._start(), following)
        self.history.clear(terminated | truncated)
        return Step(response, next_observation, self._observe(self.state), terminated, truncated)

    def _start(self):
        return torch.randint(STATES, (self.spec.num_users,), generator=self.generator)

    def _observe(self, state):
        users = self.spec.num_users
        return Observation(
            user=torch.zeros(users, dtype=torch.int64),
            history_items=self.history.items,
            history_feedback=self.history.feedback,
            features=torch.eye(STATES)[state],
            batch_size=[users],
        )

    def state_dict(self):
        return {"state": self.state, "generator": self.generator.get_state(), "history": self.history.state_dict()}

    def load_state_dict(self, state):
        self.state = state["state"]
        self.history.load_state_dict(state["history"])
        self.generator.set_state(state["generator"])
        return self._observe(self.state)

    def values(self, value_of):
        """The fixed point of Q = R + gamma (1 - ending) P v(Q), float64 `[6, 3]`. Truncation does not end anything."""
        q = np.zeros((STATES, ACTIONS))
        going_on = 1 - self.ending.double().numpy()
        for _ in range(1_000):
            q = self.rewards.double().numpy() + GAMMA * going_on * (self.transitions.numpy() @ value_of(q))
        return q


def process_data():
    names = [str(action) for action in range(ACTIONS)]
    return Data(Catalog(names, names, pl.DataFrame({"title": names}), torch.ones(ACTIONS), torch.eye(ACTIONS)))


def learned(agent):
    """The values of the six states, `[6, 3]`."""
    return agent.values.double().numpy()


def build(agent, config, environment, data, seed=0):
    return agent(config, environment.spec, ToyTracker(environment.spec, data), seed=seed)


def toy_agent(agent=TabularQLearning, config=TabularQLearningConfig, spec=None, **options):
    spec = spec or toy_spec(DATA)
    return agent(config(**options), spec, ToyTracker(spec, DATA), seed=0)


@pytest.mark.parametrize(
    "component", [registry().get("agent", name) for name in ("q_learning", "sarsa")], ids=lambda component: component.name
)
def test_tabular_agents_conform(component):
    check_component(component)


@pytest.mark.parametrize(("agent", "config"), [(TabularQLearning, TabularQLearningConfig), (TabularSarsa, TabularSarsaConfig)])
def test_tabular_agents_conform_with_features_as_states(agent, config):
    spec = toy_spec(DATA, num_features=2, num_candidates=9, num_excluded=4)
    for options in ({"state": "bins", "bins": [4, 3], "learning_rate_decay": 0.6}, {"state": "one_hot"}):
        check_agent(toy_agent(agent, config, spec, **options), ToyEnvironment(spec, DATA))


def test_the_decision_process_conforms():
    check_environment(SmallProcess(), process_data())


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.evidence)])
def test_q_learning_converges_to_the_values_of_value_iteration(seed):
    environment, data = SmallProcess(), process_data()
    config = TabularQLearningConfig(**ONE_HOT, learning_rate=1.0, learning_rate_decay=0.6, epsilon_end=1.0, batch_size=512)
    agent = build(TabularQLearning, config, environment, data, seed)
    rollout, _ = collect(agent, environment, environment.reset(1_000_003 + seed), 400)
    memory, generator = rollout.reshape(-1), torch.Generator().manual_seed(seed)
    for _ in range(400):
        update(agent, {}, memory[torch.randint(len(memory), (config.batch_size,), generator=generator)])
    optimal = environment.values(lambda q: q.max(axis=1))
    np.testing.assert_allclose(learned(agent), optimal, atol=0.15)
    assert np.array_equal(learned(agent).argmax(axis=1), optimal.argmax(axis=1))
    observation = environment.reset(7)
    state = observation.features.argmax(dim=1).numpy()
    assert np.array_equal(agent.act(observation, explore=False).slate[:, 0].numpy(), optimal.argmax(axis=1)[state])
    # a table that took truncations, one step in ten, for terminations would be different
    environment.ending += 0.1 * (1 - environment.ending)
    assert np.abs(optimal - environment.values(lambda q: q.max(axis=1))).max() > 0.5


@pytest.mark.parametrize("chunk_steps", [1, 8])
def test_sarsa_converges_to_the_values_of_its_own_policy(chunk_steps):
    environment, data, epsilon = SmallProcess(), process_data(), 0.4
    config = TabularSarsaConfig(**ONE_HOT, learning_rate=1.0, learning_rate_decay=0.6, epsilon_start=epsilon, epsilon_end=epsilon)
    agent = build(TabularSarsa, config, environment, data)
    observation = environment.reset(1_000_003)
    for _ in range(800 // chunk_steps):
        rollout, observation = collect(agent, environment, observation, chunk_steps)
        update(agent, {}, rollout)
    greedy = np.eye(ACTIONS)[learned(agent).argmax(axis=1)]
    policy = (1 - epsilon) * greedy + epsilon / ACTIONS
    own = environment.values(lambda q: (policy * q).sum(axis=1))
    np.testing.assert_allclose(learned(agent), own, atol=0.15)
    assert np.abs(own - environment.values(lambda q: q.max(axis=1))).max() > 0.4


def transition_of(spec, shown, last, reward, terminated=None):
    """A batch `[B]` in which `last` was shown before and `shown` is shown now, all with feedback 0."""
    users = len(shown)
    transition = toy_transition(spec, DATA, torch.Generator().manual_seed(0), users=users)
    transition.observation.history_items[:, -1] = torch.tensor(last)
    transition.observation.history_feedback[:] = 0
    transition.next_observation.history_items[:, -1] = torch.tensor(shown)
    transition.next_observation.history_feedback[:] = 0
    transition.slate = torch.tensor(shown).unsqueeze(1)
    transition.reward = torch.tensor(reward)
    transition.terminated = torch.tensor(terminated or [False] * users)
    transition.truncated = torch.zeros(users, dtype=torch.bool)
    return transition


def cell(item):
    """The state after `item` with feedback 0: the first of four, for two signals with one threshold."""
    return item * 4


def test_the_update_is_that_of_the_paper_and_averages_repeated_pairs():
    agent = toy_agent(learning_rate=0.25, gamma=0.5, initial_value=1.0)
    agent.values[cell(7), 3] = 5.0  # the highest value in the next state of the first two
    before = agent.values.clone()
    transition = transition_of(
        agent.spec, shown=[7, 7, 9, 2], last=[4, 4, 4, 5], reward=[1.0, 3.0, 2.0, 8.0], terminated=[False] * 3 + [True]
    )
    update(agent, {}, transition)
    expected = before.clone()
    expected[cell(4), 7] += 0.25 * ((1.0 + 3.0) / 2 + 0.5 * 5.0 - 1.0)
    expected[cell(4), 9] += 0.25 * (2.0 + 0.5 * 1.0 - 1.0)
    expected[cell(5), 2] += 0.25 * (8.0 - 1.0)
    torch.testing.assert_close(agent.values, expected)
    assert agent.updates.sum() == 3
    assert float(agent.diagnostics()["visited"]) == pytest.approx(3 / agent.values.numel())


@pytest.mark.parametrize("users", [1, 50, 1_000])
def test_targets_of_one_cell_are_averaged_exactly_as_over_the_whole_table(users):
    agent = toy_agent(learning_rate=1.0)  # a value becomes its mean target
    batch = toy_transition(agent.spec, DATA, torch.Generator().manual_seed(users), users=users)
    batch.slate, batch.reward = batch.slate % 4, torch.randn(users, generator=torch.Generator().manual_seed(0))
    batch.observation.history_items[:] = PAD
    cells = agent.states(batch.observation) * 40 + batch.slate[:, 0]
    expected = agent.values.flatten().scatter_reduce(0, cells, batch.reward, "mean", include_self=False)
    agent.update(batch, torch.zeros(users))
    assert torch.equal(agent.values.flatten(), expected)


def test_the_learning_rate_of_a_value_falls_with_its_updates():
    agent = toy_agent(learning_rate=0.5, learning_rate_decay=1.0, gamma=0.0)
    for reward, value in ((4.0, 2.0), (4.0, 2.5)):  # 2 + 0.25 (4 - 2)
        update(agent, {}, transition_of(agent.spec, shown=[7], last=[4], reward=[reward]))
        assert float(agent.values[cell(4), 7]) == pytest.approx(value)


def test_q_learning_takes_the_maximum_over_allowed_items():
    spec = toy_spec(DATA, num_excluded=2)
    agent = toy_agent(spec=spec, learning_rate=1.0, gamma=0.5)
    agent.values[cell(7), 3], agent.values[cell(7), 8] = 5.0, 2.0
    transition = transition_of(spec, shown=[7], last=[4], reward=[1.0])
    transition.next_observation.excluded = torch.tensor([[3, PAD]])
    update(agent, {}, transition)
    assert float(agent.values[cell(4), 7]) == pytest.approx(1.0 + 0.5 * 2.0)


def test_sarsa_takes_the_next_action_from_the_rollout_or_its_expectation():
    agent = toy_agent(TabularSarsa, TabularSarsaConfig, learning_rate=1.0, gamma=0.5, epsilon_start=0.2, epsilon_end=0.2)
    agent.values[cell(7), 3], agent.values[cell(7), 8] = 5.0, 2.0
    expected = 0.8 * 5.0 + 0.2 * 7.0 / 40
    first = transition_of(agent.spec, shown=[7, 7, 7], last=[4, 5, 6], reward=[1.0, 1.0, 1.0], terminated=[False, False, True])
    first.truncated = torch.tensor([False, True, False])
    second = transition_of(agent.spec, shown=[8, 8, 8], last=[7, 1, 2], reward=[0.0, 0.0, 0.0])
    # the same again, at the end of the rollout
    third = transition_of(agent.spec, shown=[7, 10, 10], last=[11, 12, 13], reward=[1.0, 0.0, 0.0])
    update(agent, {}, torch.stack([first, second, third]))
    assert float(agent.values[cell(4), 7]) == pytest.approx(1.0 + 0.5 * 2.0)  # it continued and showed item 8
    assert float(agent.values[cell(5), 7]) == pytest.approx(1.0 + 0.5 * expected)  # it was truncated: item 8 belongs to another session
    assert float(agent.values[cell(6), 7]) == pytest.approx(1.0)  # it was terminated
    after = agent.values[cell(7)]
    expected = 0.8 * float(after.max()) + 0.2 * float(after.mean())
    assert float(agent.values[cell(11), 7]) == pytest.approx(1.0 + 0.5 * expected)


def test_epsilon_falls_with_user_steps():
    agent = toy_agent(epsilon_start=1.0, epsilon_end=0.1, epsilon_decay_steps=900)
    seen = []
    for agent.env_steps in (0, 450, 900, 5_000):
        seen.append(agent.diagnostics()["epsilon"])
    assert seen == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_q_learning_asks_for_replay_and_sarsa_for_rollouts():
    plan = toy_agent(replay_capacity=700, batch_size=12, learning_starts=34, updates_per_chunk=5).experience
    assert isinstance(plan, Replay)
    assert (plan.capacity, plan.batch_size, plan.learning_starts, plan.updates_per_chunk, plan.n_step) == (700, 12, 34, 5, 1)
    assert toy_agent(TabularSarsa, TabularSarsaConfig).experience == Rollout()


@pytest.mark.parametrize(("agent", "config"), [(TabularQLearning, TabularQLearningConfig), (TabularSarsa, TabularSarsaConfig)])
def test_tabular_agents_plan_with_the_last_item_as_state(agent, config, patience_game, train, mean_return):
    data, environment = patience_game
    learner = build(agent, config(learning_rate=0.3, epsilon_decay_steps=2_000), environment, data)
    if agent is TabularQLearning:
        train(learner, environment, chunks=60)
    else:
        observation = environment.reset(1_000_003)
        for _ in range(60):
            rollout, observation = collect(learner, environment, observation, 4)
            update(learner, {}, rollout)
    assert mean_return(learner, environment) > 0.95
