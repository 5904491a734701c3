"""check_component builds each kind as a run does, and reports what is wrong with a declaration or with the built object."""

import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from recframe.components import Component, Kind, option
from recframe.interfaces import Agent, Dataset, Decision, Encoder, NoExperience, Reward, random_items
from recframe.testing import ConformanceError, ToyEnvironment, ToyTracker, check_component, toy_data, toy_spec

HERE = "component_check_parts"


@dataclass
class Config:
    """A component made for this test."""

    size: int = option(3, "how large", ge=1)


@dataclass
class SizedConfig(Config):
    """A component made for this test."""

    num_users: int = option(6, "users at once", ge=1)
    history_length: int = option(5, "items of the history", ge=1)


@dataclass
class NoHelp:
    """A component made for this test."""

    size: int = 3


@dataclass
class BadDefault:
    """A component made for this test."""

    size: int = option(0, "how large", ge=1)


@dataclass
class BadChoice:
    """A component made for this test."""

    shade: str = option("blue", "which", choices=["red", "green"])


@dataclass
class Mandatory:
    """A component made for this test."""

    path: str = option("???", "where")


@dataclass
class NoDescription:
    size: int = field(default=3, metadata={"help": "how large"})


class Data40(Dataset):
    def __init__(self, config):
        self.config = config

    def load(self):
        return toy_data()._replace(interactions=None)


class Letters(Encoder):
    dim = 26
    fingerprint = "letters"

    def __init__(self, config, device):
        pass

    def encode(self, texts, role):
        return np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32)


class Fitted(Letters):
    """Learns a scale from its texts, which its fingerprint does not include."""

    def fit(self, texts):
        self.scale = len("".join(texts))

    def encode(self, texts, role):
        return super().encode(texts, role) / np.float32(self.scale)


@dataclass
class Reading:
    """Every kind of option that an encoder may have."""

    scale: float = option(1.0, "factor of the vectors", gt=0)
    least: int | None = option(None, "shorter texts are zero", ge=1)
    upper: bool = option(False, "count upper case")
    mode: str = option("sum", "what is given", choices=["sum", "mean"])
    item_prompt: str = option("", "before a text of an item")
    batch_size: int = option(8, "texts at once: changes no vector", ge=1)
    folder: str = option("", "a path is not varied", path="any")
    url: str = option("http://localhost/v1", "an address is not varied")


class Reader(Letters):
    """Gives an option that is in `left_out` no place in the fingerprint."""

    left_out = ""
    harmless = ("batch_size", "folder", "url")

    def __init__(self, config, device):
        self.config = config

    @property
    def fingerprint(self):
        return str({name: value for name, value in vars(self.config).items() if name not in (self.left_out, *self.harmless)})

    def encode(self, texts, role):
        config = self.config
        assert not config.folder
        assert config.url == "http://localhost/v1"
        texts = [config.item_prompt * (role == "item") + (text.upper() if config.upper else text) for text in texts]
        counts = np.array([[text.count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32)
        lengths = np.array([[max(len(text), 1)] for text in texts], dtype=np.float32)
        counts = counts / lengths if config.mode == "mean" else counts
        return counts * np.float32(config.scale) * (lengths >= (config.least or 0)) + (
            np.float32(0.25) * lengths * (lengths >= (config.least or 0))
        )


class Unrepeatable(Letters):
    count = 0

    def __init__(self, config, device):
        type(self).count += 1
        self.number = self.count

    @property
    def fingerprint(self):
        return str(self.number)


class Tracker(ToyTracker):
    def __init__(self, config, spec, data):
        super().__init__(spec, data)


class World(ToyEnvironment):
    def __init__(self, config, data, num_users, history_length, split, device):
        super().__init__(toy_spec(data, num_users=num_users, history_length=history_length), data)


class SmallWorld(World):
    def __init__(self, config, data, num_users, history_length, split, device):
        super().__init__(config, data, 3, history_length, split, device)


class NoTruth(World):
    def truth(self):
        return None


class SlateWorld(ToyEnvironment):
    def __init__(self, config, data, num_users, history_length, split, device):
        super().__init__(toy_spec(data, num_users=num_users, history_length=history_length, slate_size=2), data)


class RandomAgent(Agent):
    """Random items, or a random point with continuous actions."""

    experience = NoExperience()

    def __init__(self, config, spec, state_tracker, seed):
        super().__init__(spec, seed)

    def act(self, observation, explore):
        spec = self.spec
        if spec.actions == "items":
            return Decision(random_items(observation, spec.num_items, spec.slate_size, self.generator))
        return Decision(self.point(torch.rand(len(observation.user), spec.action_size, generator=self.generator)))

    def point(self, uniform):
        return torch.lerp(torch.tensor(self.spec.action_low), torch.tensor(self.spec.action_high), uniform)

    def losses(self, batch):
        return iter(())

    def optimizers(self):
        return {}


class Overshooting(RandomAgent):
    def point(self, uniform):
        return 4 * uniform - 2


class Click(Reward):
    def __init__(self, config):
        pass

    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


class Share(Click):
    def __call__(self, transition, catalog):
        return super().__call__(transition, catalog).sum(dim=1, keepdim=True).expand_as(transition.slate).clone()


ITEMS, POINTS = "actions:items", "actions:continuous"
WORLD_TAGS = {"actions:items", "signal:click", "signal:rating", "truth"}


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Make this module importable under the name in the components' factories."""
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])


def component(kind, factory, config=None, **tags):
    config = config or (SizedConfig if kind in (Kind.ENVIRONMENT, Kind.STATE_TRACKER) else Config)
    return Component(kind, "made_here", config, f"{HERE}:{factory}", **tags)


@pytest.mark.parametrize(
    "correct",
    [
        lambda: component(Kind.DATASET, "Data40", provides={"users", "attribute:topics"}),
        lambda: component(Kind.ENCODER, "Letters"),
        lambda: component(Kind.STATE_TRACKER, "Tracker"),
        lambda: component(Kind.ENVIRONMENT, "World", provides=WORLD_TAGS),
        lambda: component(Kind.REWARD, "Click", requires={"signal:click"}, provides={"itemwise"}),
        lambda: component(Kind.AGENT, "RandomAgent", requires={f"{ITEMS}|{POINTS}"}),
        lambda: component(Kind.AGENT, "Overshooting", requires={ITEMS}),
        lambda: component(Kind.AGENT, "Overshooting"),
    ],
)
def test_correct_components_pass(correct):
    check_component(correct())


def test_building_does_not_change_the_callers_random_state():
    before = torch.get_rng_state()
    check_component(component(Kind.STATE_TRACKER, "Tracker"))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda: component(Kind.REWARD, "Click", NoHelp), "option 'size' has no description"),
        (lambda: component(Kind.REWARD, "Click", BadDefault), "the default of 'size': 0 is not allowed; it must be >= 1"),
        (lambda: component(Kind.REWARD, "Click", BadChoice), "the default of 'shade': 'blue' is not allowed; it must be one of red, green"),
        (lambda: component(Kind.REWARD, "Click", NoDescription), "has no description"),
        (lambda: component(Kind.DATASET, "Data40", Mandatory), "'path' is mandatory: pass check_component a config"),
        (lambda: component(Kind.REWARD, "Missing"), "cannot be imported"),
        (lambda: Component(Kind.REWARD, "gone", Config, "no_such_module:Click"), "cannot be imported"),
        (lambda: component(Kind.REWARD, "WORLD_TAGS"), "is not callable"),
        (lambda: component(Kind.AGENT, "Click"), r"must be callable as factory\(config, spec=, state_tracker=, seed=\)"),
        (lambda: component(Kind.AGENT, "Overshooting", requires={f"{ITEMS}|{POINTS}"}), "the action is out of bounds"),
        (lambda: component(Kind.AGENT, "Overshooting", requires={POINTS}), "the action is out of bounds"),
        (
            lambda: component(Kind.ENVIRONMENT, "World", requires={"attribute:colour"}),
            "requires 'attribute:colour', which the toy data lacks",
        ),
        (lambda: component(Kind.DATASET, "Data40", provides={"interactions"}), "provides 'interactions', but does not load it"),
        (lambda: component(Kind.ENCODER, "Fitted"), "include what fit"),
        (lambda: component(Kind.ENCODER, "Unrepeatable"), "two encoders of one config, fitted on the same texts, differ"),
        (lambda: component(Kind.ENVIRONMENT, "World", provides={ITEMS, "signal:click", "truth"}), "gives the signal 'rating'"),
        (lambda: component(Kind.ENVIRONMENT, "World", provides={ITEMS, "signal:click", "signal:rating"}), "declare provides={'truth'}"),
        (lambda: component(Kind.ENVIRONMENT, "SlateWorld", provides=WORLD_TAGS), "takes slates of 2: declare provides={'slates'}"),
        (
            lambda: component(Kind.ENVIRONMENT, "World", requires={"attribute:{shade}"}),
            "depends on the option 'shade', which SizedConfig lacks",
        ),
        (lambda: component(Kind.ENVIRONMENT, "World", requires={"attribute:{size}"}), "requires 'attribute:3', which the toy data lacks"),
        (lambda: component(Kind.ENVIRONMENT, "NoTruth", provides=WORLD_TAGS), r"truth\(\) is None"),
        (lambda: component(Kind.ENVIRONMENT, "SmallWorld", provides=WORLD_TAGS), "that it was built with"),
        (lambda: component(Kind.ENVIRONMENT, "World", provides=WORLD_TAGS, requires={"users"}), "are in training too"),
        (lambda: component(Kind.REWARD, "Click"), "reads .*click.*, which it does not declare"),
        (lambda: component(Kind.REWARD, "Share", requires={"signal:click"}, provides={"itemwise"}), "remove the tag"),
    ],
)
def test_broken_components_are_reported(broken, message):
    with pytest.raises(ConformanceError, match=message):
        check_component(broken())


@pytest.mark.parametrize("left_out", ["scale", "least", "upper", "mode", "item_prompt"])
def test_an_option_that_changes_vectors_and_not_the_fingerprint_is_reported(monkeypatch, left_out):
    reader = component(Kind.ENCODER, "Reader", Reading)
    check_component(reader)
    monkeypatch.setattr(Reader, "left_out", left_out)
    with pytest.raises(ConformanceError, match=f"encoder 'made_here': with {left_out}=.* other vectors under the same fingerprint"):
        check_component(reader)


def test_a_value_with_which_an_encoder_cannot_be_built_is_left_out(monkeypatch):
    def refusing(self, config, device):
        if config.scale != 1:
            raise ValueError("no other scale")
        self.config = config

    monkeypatch.setattr(Reader, "__init__", refusing)
    monkeypatch.setattr(Reader, "left_out", "scale")
    check_component(component(Kind.ENCODER, "Reader", Reading))


def test_a_config_of_another_component_is_refused():
    with pytest.raises(ConformanceError, match="config must be an instance of Config, not NoHelp"):
        check_component(component(Kind.REWARD, "Click", requires={"signal:click"}), NoHelp())


def test_the_checks_do_not_need_pytest():
    code = "import sys; sys.modules['pytest'] = None; import recframe.testing; assert 'recframe_plugins' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
