"""Gymnasium environments as N users: each copy behaves like the plain Gymnasium environment."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from recframe.interfaces import PAD, Environment
from recframe.testing import check_component
from recframe.testing.conformance import saved_and_loaded
from recframe_plugins.environments.gymnasium.config import GymnasiumConfig
from recframe_plugins.environments.gymnasium.environment import GymnasiumEnvironment
from recframe_plugins.environments.registration import recframe_register_components

COMPONENTS = {}
recframe_register_components(lambda component: COMPONENTS.setdefault(component.name, component))

QUICK = [
    GymnasiumConfig("CartPole-v1", max_steps=13),
    GymnasiumConfig("FrozenLake-v1", kwargs={"map_name": "4x4"}),
    GymnasiumConfig("Pendulum-v1", max_steps=9),
]


class Ledger(gymnasium.Env):
    """The reward is the action, the observation is the time and the last action, and it terminates after `length` steps."""

    def __init__(self, length: int = 4) -> None:
        self.length = length
        self.action_space = spaces.Discrete(3, start=5)
        self.observation_space = spaces.Dict(time=spaces.Discrete(50), last=spaces.Box(0, 10, (2,), np.float64))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time, self.last = 0, 0
        return self._observe(), {}

    def step(self, action):
        self.time, self.last = self.time + 1, action
        return self._observe(), float(action), self.time >= self.length, False, {}

    def _observe(self):
        return {"time": self.time, "last": np.array([self.last, 0.5])}


class Unseeded(Ledger):
    """Observes the number of resets of the class, which does not follow from its seed."""

    resets = 0

    def reset(self, *, seed=None, options=None):
        Unseeded.resets += 1
        return super().reset(seed=seed)

    def _observe(self):
        return {"time": 0, "last": np.array([Unseeded.resets % 10, 0.5])}


@pytest.fixture
def registered():
    for cls in (Ledger, Unseeded):
        gymnasium.register(f"recframe-tests/{cls.__name__}-v0", entry_point=cls)
    yield
    for cls in (Ledger, Unseeded):
        del gymnasium.registry[f"recframe-tests/{cls.__name__}-v0"]


def build(config: GymnasiumConfig, users: int = 4, history_length: int = 3, **more) -> GymnasiumEnvironment:
    data = more.get("data", GymnasiumEnvironment.own_data(config))
    return GymnasiumEnvironment(config, data, num_users=users, history_length=history_length, split="train", device="cpu")


def random_slates(environment: Environment, steps: int, seed: int = 0) -> list[torch.Tensor]:
    spec, generator = environment.spec, torch.Generator().manual_seed(seed)
    if spec.actions == "items":
        return list(torch.randint(spec.num_items, (steps, *spec.action_shape), generator=generator))
    low, high = torch.tensor(spec.action_low), torch.tensor(spec.action_high)
    return list(low + (high - low) * torch.rand((steps, *spec.action_shape), generator=generator))


@pytest.mark.parametrize("config", QUICK, ids=lambda config: config.id)
def test_it_conforms(config):
    check_component(COMPONENTS["gymnasium"], config)


@pytest.mark.parametrize("config", QUICK, ids=lambda config: config.id)
def test_each_user_matches_a_plain_gymnasium_environment(config):
    environment = build(config)
    observation, ends = environment.reset(3), 0
    originals = [gymnasium.make(config.id, max_episode_steps=config.max_steps, **config.kwargs) for _ in range(4)]

    def begin(user: int) -> np.ndarray:
        return flat(originals[user], originals[user].reset(seed=int(environment.log.seeds[user]))[0])

    def flat(original: gymnasium.Env, observed) -> np.ndarray:
        return spaces.flatten(original.observation_space, observed).astype(np.float32)

    expected = [begin(user) for user in range(4)]
    np.testing.assert_array_equal(observation.features, expected)
    for slate in random_slates(environment, 60):
        step = environment.step(slate)
        for user, original in enumerate(originals):
            action = int(slate[user, 0]) if environment.spec.actions == "items" else slate[user].numpy()
            observed, reward, terminated, truncated, _ = original.step(action)
            assert step.response.signals["reward"][user, 0] == np.float32(reward)
            assert (step.terminated[user], step.truncated[user]) == (terminated, truncated and not terminated)
            assert step.response.leave[user] == terminated
            expected[user] = flat(original, observed)
            np.testing.assert_array_equal(step.next_observation.features[user], expected[user])
            if terminated or truncated:
                expected[user], ends = begin(user), ends + 1
        np.testing.assert_array_equal(step.observation.features, expected)
    assert ends >= 4


def test_session_starts_are_the_same_for_all_policies_and_differ_from_each_other():
    environment = build(GymnasiumConfig("CartPole-v1"))
    first, again, other = (environment.reset(seed).features for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert len(torch.cat([first, other]).unique(dim=0)) == 8


@pytest.mark.parametrize(("max_steps", "terminates"), [(None, True), (4, True), (3, False)])
def test_termination_is_distinguished_from_truncation(registered, max_steps, terminates):
    environment = build(GymnasiumConfig("recframe-tests/Ledger-v0", max_steps=max_steps))
    environment.reset(0)
    for count in range(1, 9):
        step = environment.step(torch.zeros(4, 1, dtype=torch.int64))
        ends = count % (4 if terminates else 3) == 0
        assert step.terminated.tolist() == step.response.leave.tolist() == [ends and terminates] * 4
        assert step.truncated.tolist() == [ends and not terminates] * 4


def test_items_are_numbered_from_zero_for_any_start_of_the_discrete_space(registered):
    environment = build(GymnasiumConfig("recframe-tests/Ledger-v0", kwargs={"length": 9}), users=3)
    assert environment.spec.num_items == 3
    environment.reset(0)
    step = environment.step(torch.tensor([[0], [1], [2]]))
    assert step.response.signals["reward"].tolist() == [[5], [6], [7]]
    assert step.observation.history_items.tolist() == [[PAD, PAD, item] for item in range(3)]
    assert step.observation.history_feedback[:, -1, 0].tolist() == [5, 6, 7]


def test_structured_observations_are_flattened(registered):
    environment = build(GymnasiumConfig("recframe-tests/Ledger-v0"), users=2)
    environment.reset(0)
    features = environment.step(torch.tensor([[0], [2]])).observation.features
    assert environment.spec.num_features == features.shape[1] == 52
    assert features.dtype == torch.float32
    assert features[:, :50].argmax(dim=1).tolist() == [1, 1]
    assert features[:, 50:].tolist() == [[5, 0.5], [7, 0.5]]


def test_continuous_actions_are_clipped_to_the_box():
    environment = build(GymnasiumConfig("Pendulum-v1"))
    spec = environment.spec
    assert (spec.actions, spec.action_shape, spec.action_low, spec.action_high) == ("continuous", (4, 1), (-2.0,), (2.0,))
    outcomes = []
    for torque in (2.0, 50.0, 1.0):
        environment.reset(0)
        outcomes.append(environment.step(torch.full((4, 1), torque)).observation)
    assert torch.equal(outcomes[0].features, outcomes[1].features)
    assert not torch.equal(outcomes[0].features, outcomes[2].features)
    assert (outcomes[0].history_items == PAD).all()


def test_time_limit_can_exceed_the_environments_own():
    environment = build(GymnasiumConfig("Pendulum-v1", max_steps=230), users=1)
    environment.reset(0)
    assert [int(environment.step(torch.zeros(1, 1)).truncated) for _ in range(230)] == [0] * 229 + [1]


@pytest.mark.parametrize(("config", "steps"), [(QUICK[0], 7), (QUICK[1], 30), (GymnasiumConfig("Pendulum-v1"), 150)])
def test_another_process_continues_exactly_from_a_saved_state(config, steps):
    environment, successor = build(config), build(config)
    environment.reset(1)
    *before, last = random_slates(environment, steps)
    for slate in before:
        environment.step(slate)
    observation = environment.step(last).observation
    state = saved_and_loaded(environment.state_dict(), "the state")
    loaded = successor.load_state_dict(state)
    assert torch.equal(loaded.features, observation.features)
    assert torch.equal(loaded.history_items, observation.history_items)
    for slate in random_slates(environment, 20, seed=1):
        one, other = environment.step(slate), successor.step(slate)
        for name in ("observation", "next_observation"):
            assert torch.equal(getattr(one, name).features, getattr(other, name).features)
        assert torch.equal(one.truncated, other.truncated)


def test_saved_state_is_not_changed_by_later_steps():
    environment = build(QUICK[0])
    environment.reset(1)
    slates = random_slates(environment, 10)
    environment.step(slates[0])
    state = environment.state_dict()
    before = saved_and_loaded(state, "the state")
    for slate in slates[1:]:
        environment.step(slate)
    assert all(torch.equal(state["log"][name], before["log"][name]) for name in ("seeds", "steps", "actions"))


def test_sessions_that_cannot_be_replayed_are_refused(registered):
    heavy, light = (GymnasiumConfig("Pendulum-v1", kwargs={"g": g}) for g in (10.0, 2.0))
    unseeded = GymnasiumConfig("recframe-tests/Unseeded-v0")
    for saved, loading in ((heavy, light), (unseeded, unseeded)):
        environment, other = build(saved), build(loading)
        environment.reset(0)
        environment.step(random_slates(environment, 1)[0])
        other.reset(0)
        with pytest.raises(ValueError, match="did not replay the saved sessions"):
            other.load_state_dict(environment.state_dict())
        with pytest.raises(RuntimeError, match="call reset"):
            other.step(random_slates(other, 1)[0])


def test_state_with_other_shapes_is_refused():
    environment = build(QUICK[0])
    environment.reset(0)
    with pytest.raises(ValueError, match=r"of \[5, 1, 4\], the saved state \[4, 1, 4\]"):
        build(QUICK[0], users=5).load_state_dict(environment.state_dict())


def test_invalid_actions_are_refused():
    environment = build(QUICK[0])
    with pytest.raises(RuntimeError, match="call reset"):
        environment.step(torch.zeros(4, 1, dtype=torch.int64))
    environment.reset(0)
    for wrong in (torch.zeros(4, 2, dtype=torch.int64), torch.zeros(4, 1)):
        with pytest.raises(ValueError, match=r"have shape \[4, 1\] and type torch.int64"):
            environment.step(wrong)


def test_the_items_are_the_actions():
    data = GymnasiumEnvironment.own_data(GymnasiumConfig("FrozenLake-v1"))
    assert data.catalog.titles == ["action 0", "action 1", "action 2", "action 3"]
    assert torch.equal(data.catalog.text_vectors, torch.eye(4))
    assert len(GymnasiumEnvironment.own_data(GymnasiumConfig("Pendulum-v1")).catalog) == 1
    with pytest.raises(ValueError, match="has 2 items, the catalogue 4"):
        build(QUICK[0], data=data)
