"""Tuning: the gradient is that of the whole computation, only the agent's text vectors change, and a run resumes exactly."""

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn

from recframe.config.schema.run import TrainerConfig
from recframe.embeddings import fit_reduction
from recframe.experience import Collector, RewardSum, SimulatedStream
from recframe.interfaces import Agent, Decision, NoExperience, Reward, Texts, TextTable, standardized
from recframe.testing import ToyEnvironment, toy_data, toy_spec
from recframe.testing.toy import toy_transition
from recframe.tracking.weights import encoder_weights
from recframe.training import FINAL, LAST, CheckpointError, Interruption, Tuner, fit
from recframe.training.lm_tuning.tuned_texts import TunedEncoder
from recframe.training.lm_tuning.tuner import TuningError
from recframe_plugins.agents.bandits.config import LinUCBConfig
from recframe_plugins.agents.bandits.linucb import LinUCB
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN
from recframe_plugins.encoders.transformers.config import BertConfig
from recframe_plugins.encoders.transformers.encoder import TransformerEncoder
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker
from tests.tiny_models import tiny_model

BARE = toy_data(num_items=12, num_users=15)
SPEC = toy_spec(BARE, num_users=16, slate_size=1, has_context=True)
ROLES = {"item": BARE.catalog.texts, "user": BARE.users.profiles.texts, "context": BARE.contexts.texts}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "bert", [text for texts in ROLES.values() for text in texts])


@pytest.fixture
def encoder_of(model):
    def make(tuning="lora", **options):
        options = {"tuning_interval": 1, "refresh_interval": 1, "max_length": 32, "tuning_learning_rate": 0.01, **options}
        return TransformerEncoder(BertConfig(model=str(model), tuning=tuning, **options), torch.device("cpu"))

    return make


def reading_of(encoder, reduction=None):
    """The data with the frozen model's vectors; encoded before the model is made tunable."""
    vectors = {role: torch.from_numpy(encoder.encode(texts, role)) for role, texts in ROLES.items()}
    vectors = vectors if reduction is None else {role: reduction(values) for role, values in vectors.items()}
    return BARE._replace(
        catalog=replace(BARE.catalog, text_vectors=vectors["item"]),
        users=replace(BARE.users, profiles=Texts(ROLES["user"], vectors["user"])),
        contexts=Texts(ROLES["context"], vectors["context"]),
    )


def dqn(reading, **options):
    torch.manual_seed(0)
    options = {"learning_starts": 16, "batch_size": 16, "replay_capacity": 512, "updates_per_chunk": 2, **options}
    return DQN(DQNConfig(**options), SPEC, MeanTracker(MeanConfig(history_length=SPEC.history_length), SPEC, reading), seed=0)


def parts(encoder, reduction=None):
    reading = reading_of(encoder, reduction)
    agent = dqn(reading)
    return reading, agent, Tuner(encoder, agent, reading, seed=0, reduction=reduction)


def learn(agent, tuner, batch):
    """Learn from a batch like the training module, without updating the agent's own weights; returns the last loss."""
    optimizers = agent.optimizers()
    tuner.begin_batch()
    for name, loss in agent.losses(batch):
        optimizers[name].zero_grad()
        loss.backward()
        tuner.collect(name, optimizers[name])
    tuner.end_batch()
    return float(loss.detach())


def transition(seed=0):
    return toy_transition(SPEC, BARE, torch.Generator().manual_seed(seed), users=16)


def shake(tuner):
    """Leave LoRA's starting point, at which half of its gradients vanish."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in tuner.parameters.values():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    tuner.start()


@pytest.mark.parametrize(("tuning", "whiten"), [("lora", False), ("lora", True), ("prefix", False), ("adapter", False), ("full", False)])
def test_the_gradient_is_that_of_the_whole_computation(encoder_of, tuning, whiten):
    encoder = encoder_of(tuning, tuning_tokens=4096)
    reduction = None
    if whiten:
        reduction = fit_reduction(torch.from_numpy(encoder.encode(ROLES["item"], "item")), whiten=True, dim=5)
    reading, agent, tuner = parts(encoder, reduction)
    shake(tuner)
    batch = transition()
    # autograd through encoder, standardization, tracker, network and loss, all texts at once
    sources = {
        id(reading.catalog.text_vectors): "item",
        id(reading.users.profiles.vectors): "user",
        id(reading.contexts.vectors): "context",
    }
    tables = [module for module in agent.online.modules() if isinstance(module, TextTable)]
    assert len(tables) == 3
    for table in tables:
        role, contents = sources[id(table.source)], table._shared.values
        vectors = encoder.differentiable(ROLES[role], role)
        vectors = vectors if reduction is None else reduction(vectors)
        table._watched = (vectors - contents.centre) / contents.scale
    (_, loss), *_ = list(agent.losses(batch))
    expected = torch.autograd.grad(loss, list(tuner.parameters.values()))
    for table in tables:
        table.watch(False)
    agent.texts_moved()

    learn(agent, tuner, batch)
    assert tuner.steps == 1
    # the gradient of a key's bias is zero up to rounding, because a softmax does not depend on it
    scale = max(float(gradient.abs().max()) for gradient in expected)
    for parameter, gradient in zip(tuner.parameters.values(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=2e-4 * scale, rtol=1e-3)


class Pair(Agent):
    """An actor and a critic that read copies of one table; the actor's loss depends on the critic."""

    experience = NoExperience()

    def __init__(self, reading) -> None:
        super().__init__(SPEC, seed=0)
        torch.manual_seed(0)
        self.critic = MeanTracker(MeanConfig(), SPEC, reading).item_projection
        self.actor = copy.deepcopy(self.critic)

    def act(self, observation, explore):
        return Decision(torch.zeros(SPEC.num_users, 1, dtype=torch.int64))

    def losses(self, batch):
        yield "critic", self.critic().pow(2).sum()
        yield "actor", (self.critic() * self.actor()).sum()
        yield "actor", 100 * self.actor().sum()

    def optimizers(self):
        return {name: torch.optim.SGD(getattr(self, name).parameters(), lr=0.0) for name in ("critic", "actor")}


def test_a_loss_counts_only_where_its_optimizer_trains_and_only_in_the_first_step(encoder_of):
    encoder = encoder_of(tuning_tokens=4096)
    reading = reading_of(encoder)
    agent = Pair(reading)
    tuner = Tuner(encoder, agent, reading, seed=0)
    taken = {}
    tuner._step = taken.update
    learn(agent, tuner, None)
    table = agent.critic.texts
    values = table.values.clone().requires_grad_()
    critic, actor = (values @ net.linear.weight.T + net.linear.bias for net in (agent.critic, agent.actor))
    of_critic = torch.autograd.grad(critic.pow(2).sum(), values)[0]
    of_actor = torch.autograd.grad((critic.detach() * actor).sum(), values)[0]
    assert taken.keys() == {"item"}
    torch.testing.assert_close(taken["item"], (of_critic + of_actor) / table._shared.values.scale)


class OwnTexts(Pair):
    """An agent that also reads a table of vectors that are not the data's."""

    def __init__(self, reading) -> None:
        super().__init__(reading)
        self.critic.own = nn.Module()
        self.critic.own.texts, self.critic.own.linear = TextTable(torch.randn(5, 4)), nn.Linear(4, 1)

    def losses(self, batch):
        yield "critic", self.critic().sum() + self.critic.own.linear(self.critic.own.texts.values).sum()
        yield "actor", self.actor().sum()


def test_a_table_of_other_vectors_does_not_change(encoder_of):
    encoder = encoder_of()
    reading = reading_of(encoder)
    agent = OwnTexts(reading)
    tuner, before = Tuner(encoder, agent, reading, seed=0), agent.critic.own.texts.values.clone()
    learn(agent, tuner, None)
    assert tuner.steps == 1
    assert torch.equal(agent.critic.own.texts.values, before)


def test_tuning_lowers_the_loss_and_changes_only_the_agents_text_vectors(encoder_of):
    reading, agent, tuner = parts(encoder_of("full", tuning_tokens=128))
    tuner.start()
    before = {"vectors": reading.catalog.text_vectors.clone(), "weights": copy.deepcopy(agent.online.state_dict())}
    read = agent.online.state_tracker.item_projection.texts.values.clone()
    batch = transition()
    batch.reward = batch.response.signals["click"].squeeze(1) * 3
    losses = [learn(agent, tuner, batch) for _ in range(24)]
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(value, before["weights"][name]) for name, value in agent.online.state_dict().items())
    assert torch.equal(reading.catalog.text_vectors, before["vectors"])
    online, target = (network.state_tracker.item_projection.texts for network in (agent.online, agent.target))
    assert (online.values - read).abs().max() > 0.1
    assert torch.equal(online.values, target.values)
    torch.testing.assert_close(
        online.values,
        (torch.from_numpy(tuner.encoder.encode(ROLES["item"], "item")) - online._shared.values.centre) / online._shared.values.scale,
        atol=1e-4,
        rtol=1e-4,
    )
    metrics = tuner.metrics()
    assert metrics["tuning/steps"] == 24
    assert metrics["tuning/grad_norm"] > 0
    # fewer rows than take part, because of the limit on tokens
    assert 1 <= metrics["tuning/rows"] <= 128 / 5
    assert 0 < metrics["tuning/cosine"] < 0.9999


def test_texts_are_encoded_again_at_the_refresh_interval(encoder_of):
    encoder = encoder_of("full", tuning_interval=2, refresh_interval=3)
    _, agent, tuner = parts(encoder)
    texts, seen = agent.online.state_tracker.item_projection.texts, []
    for _ in range(12):
        learn(agent, tuner, transition())
        seen.append((tuner.steps, texts.values.clone()))
    assert [steps for steps, _ in seen] == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    moved = [not torch.equal(one, other) for (_, one), (_, other) in itertools.pairwise(seen)]
    assert [number for number, value in enumerate(moved, 1) if value] == [5, 11]


def test_a_text_table_has_exactly_the_standardized_vectors():
    vectors = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * 0.01 + 1
    table = TextTable(vectors)
    assert torch.equal(table.values, standardized(vectors))
    # not the vectors themselves
    assert sorted(table.state_dict()) == ["centre", "scale"]
    other = copy.deepcopy(table)
    table.replace(vectors + 1)
    assert torch.equal(other.values, table.values)
    assert not torch.equal(table.values, standardized(vectors))
    assert torch.equal(TextTable(vectors).values, standardized(vectors))


class Click(Reward):
    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


def train(encoder, folder, evaluate=lambda: {"return": 0.0}, resume_from=None):
    reading = reading_of(encoder)
    agent = dqn(reading)
    tuner = Tuner(encoder, agent, reading, seed=0)
    settings = TrainerConfig(env_steps=384, chunk_steps=4, evaluate_every=128, progress_bar=False, log_every=1)
    collector = Collector(ToyEnvironment(SPEC, BARE), RewardSum({"click": (Click(), 1.0)}, BARE.catalog, frozenset()), seed=7)
    fit(
        agent,
        SimulatedStream.of(agent, collector, settings.chunk_steps, seed=1),
        settings,
        folder=folder,
        evaluate=evaluate,
        interruption=Interruption(folder),
        tuner=tuner,
        resume_from=resume_from,
    )
    return agent, tuner


class Stopped(Exception):
    pass


def test_a_resumed_run_ends_with_the_same_numbers(encoder_of, tmp_path):
    options = {"tuning_interval": 3, "refresh_interval": 2, "tuning_tokens": 64}
    returns = [1.0, 3.0, 2.0]
    remaining = iter(returns)
    whole, tuned = train(encoder_of(**options), tmp_path / "whole", lambda: {"return": next(remaining)})
    remaining = iter(returns)

    def stopping():
        value = next(remaining)
        if value == 2.0:
            raise Stopped
        return {"return": value}

    with pytest.raises(Stopped):
        train(encoder_of(**options), tmp_path / "cut", stopping)
    half = torch.load(tmp_path / "cut" / LAST, weights_only=True)["recframe"]["tuning"]["counters"]
    resumed, continued = train(encoder_of(**options), tmp_path / "cut", lambda: {"return": 2.0}, tmp_path / "cut" / LAST)
    assert 0 < half[1] < tuned.steps == continued.steps
    for name in ("best", "final"):
        for path in (tmp_path / "whole" / f"{name}.safetensors", tmp_path / "whole" / f"{name}_encoder.safetensors"):
            assert path.read_bytes() == (tmp_path / "cut" / path.name).read_bytes()
    last = [torch.load(tmp_path / folder / LAST, weights_only=True) for folder in ("whole", "cut")]
    for key in ("parameters", "latest", "counters", "generator"):
        assert str(last[0]["recframe"]["tuning"][key]) == str(last[1]["recframe"]["tuning"][key])
    tables = [agent.online.state_tracker.item_projection.texts.values for agent in (whole, resumed)]
    assert torch.equal(*tables)
    # the best weights were not the last, and the model saved with them is from the same time
    assert not torch.equal(last[0]["recframe"]["tuning"]["parameters"][next(iter(tuned.parameters))], next(iter(tuned.parameters.values())))
    # an encoder with the parameters in the file gives the vectors of the model that wrote it
    again = TunedEncoder(encoder_of(**options), encoder_weights(tmp_path / "whole" / FINAL))
    assert again.fingerprint != again.encoder.fingerprint
    random = torch.get_rng_state()
    torch.testing.assert_close(again.encode(ROLES["item"], "item"), tuned.encoder.encode(ROLES["item"], "item"))
    assert torch.equal(torch.get_rng_state(), random)
    with pytest.raises(CheckpointError, match="holds the weights of another network"):
        TunedEncoder(encoder_of("adapter"), encoder_weights(tmp_path / "whole" / FINAL)).encode(["jazz"], "item")


class WithoutTextLoss(Pair):
    def optimizers(self):
        return {"other": torch.optim.SGD(nn.Linear(1, 1).parameters())}


def test_an_agent_that_does_not_learn_from_texts_is_refused(encoder_of):
    encoder = encoder_of()
    reading = reading_of(encoder)
    tracker = MeanTracker(MeanConfig(), SPEC, reading)
    for agent in (LinUCB(LinUCBConfig(), SPEC, tracker, seed=0), WithoutTextLoss(reading)):
        with pytest.raises(TuningError, match=r"encoder\.tuning: this agent does not learn from text vectors.*tuning=frozen"):
            Tuner(encoder, agent, reading, seed=0)


def test_the_longest_text_must_fit_in_a_tuning_step(encoder_of):
    with pytest.raises(TuningError, match=r"encoder\.tuning_tokens=5 is less than the \d+ tokens of the longest text; raise it"):
        parts(encoder_of(tuning_tokens=5))
