"""Whatever fails in a component says which: in the trial before a run, and in the run."""

import json
import os
import sys

import pytest
import torch
from omegaconf import OmegaConf, open_dict

from recframe.attribution import ComponentFailure
from recframe.components import Kind, node
from recframe.config import PRETRAIN, ConfigError, compose_config
from recframe.gym import make_vec
from recframe.plugin_loader import registry
from recframe.pretraining import pretrain
from recframe.runner import evaluate, run
from recframe.training import TrainingDiverged
from recframe.trial import try_components

ENTRY = """
    from dataclasses import dataclass
    from recframe.components import Component
    from recframe.hookspecs import hookimpl
    from recframe_plugins.agents.q_learning.config import DQNConfig
    from recframe_plugins.datasets.synthetic.config import SyntheticConfig
    from recframe_plugins.environments.topic_world.config import TopicWorldConfig
    from recframe_plugins.state_trackers.config import MeanConfig

    @dataclass
    class Empty:
        '''Nothing.'''

    COMPONENTS = {
        "reward": ["abstract", "no_config", "of_a_dict", "exits", "flat", "whole_numbers", "late_error", "late_nan", "sound", "twin"],
        "encoder": ["no_key"],
        "state_tracker": ["wide", "no_number", "no_super"],
        "agent": ["floats", "a_dict", "misnamed", "no_act", "nan_loss", "late_items", "wild", "sound_agent"],
        "environment": ["pair", "no_signal", "late_signal"],
        "dataset": ["no_data", "beyond"],
    }
    CONFIGS = {
        "agent": DQNConfig, "state_tracker": MeanConfig, "environment": TopicWorldConfig, "dataset": SyntheticConfig,
    }
    TAGS = {
        "agent": dict(requires={"actions:items", "experience:replay"}),
        "environment": dict(provides={"actions:items", "signal:click", "signal:rating", "truth"}),
        "dataset": dict(provides={"attribute:*", "users", "interactions"}),
    }

    @hookimpl
    def recframe_register_components(register):
        for kind, names in COMPONENTS.items():
            for name in names:
                of = "".join(word.capitalize() for word in name.split("_"))
                register(Component(kind, name, CONFIGS.get(kind, Empty), f"broken_parts:{of}", **TAGS.get(kind, {})))
        for name in ("no_module", "no_syntax", "raises", "no_class"):
            register(Component("reward", name, Empty, f"broken_{name}:Reward"))
"""
PARTS = """
    import sys
    import polars as pl
    import torch
    from recframe.interfaces import Agent, Encoder, Interactions, Reward
    from recframe_plugins.agents.q_learning.dqn import DQN
    from recframe_plugins.datasets.synthetic.synthetic import Synthetic
    from recframe_plugins.environments.topic_world.topic_world import TopicWorld
    from recframe_plugins.state_trackers.mean import MeanTracker

    class Term(Reward):
        def __init__(self, config):
            self.calls = 0

        def __call__(self, transition, catalog):
            self.calls += 1
            return self.rate(transition.response.signals["click"])

        def rate(self, click):
            return click

    class Sound(Term): pass
    class Twin(Term): pass
    class Abstract(Reward): pass
    class NoConfig(Term):
        def __init__(self):
            pass
    def OfADict(config):
        return {}
    class Exits(Term):
        def __init__(self, config):
            sys.exit("no licence")
    class Flat(Term):
        def rate(self, click):
            return click.sum(dim=1)
    class WholeNumbers(Term):
        def rate(self, click):
            return click.long()
    def at(numbers, place):
        return numbers[place]
    class LateError(Term):
        def rate(self, click):
            return click * at([1.0] * 9, self.calls)
    class LateNan(Term):
        def rate(self, click):
            return click / (self.calls < 9)
    class NoKey(Encoder):
        dim, fingerprint = 3, ""
        def __init__(self, config, device):
            {}["token"]
        def encode(self, texts, role): ...
    class Wide(MeanTracker):
        def forward(self, observation, items):
            return super().forward(observation, items).unsqueeze(1)
    class NoNumber(MeanTracker):
        def forward(self, observation, items):
            empty = (observation.history_items < 0).all(dim=1, keepdim=True)
            return super().forward(observation, items) / (~empty)
    class NoSuper(MeanTracker):
        def __init__(self, config, spec, data):
            self.state_dim = 3
    class Floats(DQN):
        def act(self, observation, explore):
            decision = super().act(observation, explore)
            return decision._replace(slate=decision.slate.float())
    class ADict(DQN):
        def losses(self, batch):
            return {"q": torch.zeros(())}
    class Misnamed(DQN):
        def losses(self, batch):
            for name, loss in super().losses(batch):
                yield "critic", loss
    class NoAct(Agent):
        experience = None
        def losses(self, batch): ...
        def optimizers(self): ...
    class NanLoss(DQN):
        def losses(self, batch):
            for name, loss in super().losses(batch):
                yield name, loss * (torch.nan if self.env_steps > 600 else 1)
    class LateItems(DQN):
        def act(self, observation, explore):
            decision = super().act(observation, explore)
            return decision._replace(slate=decision.slate + 10**6 * (self.env_steps > 600))
    class Wild(DQN):
        def optimizers(self):
            return {name: torch.optim.SGD(self.parameters(), lr=1e30) for name in super().optimizers()}
    class SoundAgent(DQN): pass
    class Pair(TopicWorld):
        def step(self, slate):
            return tuple(super().step(slate))
    class NoSignal(TopicWorld):
        def step(self, slate):
            step = super().step(slate)
            del step.response.signals["click"]
            return step
    class LateSignal(TopicWorld):
        turns = 0
        def step(self, slate):
            step = super().step(slate)
            self.turns += 1
            if self.turns > 9:
                step.response.signals["click"] = step.response.signals["click"] * torch.nan
            return step
    class NoData(Synthetic):
        def load(self):
            return list(super().load())
    class Beyond(Synthetic):
        def load(self):
            frame = pl.DataFrame({"user": [0, 1], "item": [3, 99_999], "timestamp": [1, 2]})
            return super().load()._replace(interactions=Interactions(frame, feedback=()))
"""
FILES = {
    "broken_parts.py": PARTS,
    "broken_no_syntax.py": "def broken(:",
    "broken_raises.py": "raise RuntimeError('no GPU was found')",
    "broken_no_class.py": "",
}
SMALL = [
    *("debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent=dqn", "agent.learning_starts=64", "logger=null"),
    *("evaluation.references=false", "trainer.env_steps=2048", "dataset.num_items=40", "dataset.num_users=40"),
]
OF = r"of plugin 'broken' \(broken 0.1\)"


@pytest.fixture(scope="module")
def broken(shared_plugin_site, tmp_path_factory):
    """Installs the plugin `broken` and returns the default config, small."""
    shared_plugin_site.install("broken", ENTRY, version="0.1", files=FILES)
    registry.cache_clear()
    assert registry().failures == []
    yield compose_config([*SMALL, f"embeddings.cache={tmp_path_factory.mktemp('cache')}"])
    registry.cache_clear()


@pytest.fixture
def with_parts(broken):
    def choose(**names):
        cfg = broken.copy()
        with open_dict(cfg):
            for kind, name in names.items():
                section = OmegaConf.structured(node(registry().get(Kind(kind), name)))
                shared = {key: broken[kind][key] for key in section if kind != "reward" and key in broken[kind] and key != "name"}
                cfg[kind] = {name: section} if kind == "reward" else OmegaConf.merge(section, shared)
        return cfg

    return choose


TRIED = [
    (
        "reward",
        "no_module",
        r": its implementation broken_no_module:Reward could not be imported: ModuleNotFoundError: No module named",
    ),
    ("reward", "no_syntax", r": its implementation .* could not be imported: SyntaxError: .*broken_no_syntax.py, line 1"),
    ("reward", "raises", r": its implementation .* could not be imported: RuntimeError: no GPU was found \(.*broken_raises.py:1\)"),
    ("reward", "no_class", r": its implementation .* could not be imported: broken_no_class has no 'Reward'"),
    ("reward", "abstract", r": its class Abstract lacks __call__, which Reward of recframe.interfaces requires"),
    ("reward", "no_config", r": its factory is called as NoConfig\(config\), which it does not allow: too many positional arguments"),
    ("reward", "of_a_dict", r": its factory returned a dict; right is a subclass of recframe.interfaces.Reward"),
    ("reward", "exits", r" failed: SystemExit: no licence \(.*broken_parts.py:\d+\)"),
    ("reward", "flat", r": its value has the shape \[8\]; right is \[N, K\] = \[8, 1\] float32"),
    ("reward", "whole_numbers", r": its value is int64; right is \[N, K\] = \[8, 1\] float32"),
    ("encoder", "no_key", r" failed: KeyError: 'token' \(.*broken_parts.py:\d+\)"),
    ("state_tracker", "wide", r": the state of forward has the shape \[8, 1, \d+\]; right is \[N, S\] = \[8, \d+\]"),
    ("state_tracker", "no_number", r": the state of forward is NaN in \d+ of [\d,]+ values"),
    ("state_tracker", "no_super", r": it has no attribute 'spec': its constructor must call super\(\).__init__|failed: AttributeError"),
    ("agent", "floats", r": the slate of act is float32; right is \[N, K\] = \[8, 1\] int64"),
    ("agent", "a_dict", r": losses\(\) returned a dict; right is to yield \(optimizer name, loss\) pairs"),
    ("agent", "misnamed", r": losses\(\) yielded a loss for the optimizer 'critic', which optimizers\(\) does not have; it has: 'q'"),
    ("agent", "no_act", r": its class NoAct lacks act, which Agent of recframe.interfaces requires"),
    ("environment", "pair", r": step returned a tuple; right is a recframe.interfaces.Step"),
    ("environment", "no_signal", r": the response of step lacks the signal 'click' of its spec; it has: rating"),
]


@pytest.mark.parametrize(("kind", "name", "problem"), TRIED, ids=[f"{kind}-{name}" for kind, name, _ in TRIED])
def test_a_mistake_in_a_component_is_found_before_data_is_loaded_and_names_it(with_parts, kind, name, problem):
    with pytest.raises(ComponentFailure, match=rf"^{kind}={name} {OF}{problem}"):
        try_components(with_parts(**{kind: name}))


def test_the_mistakes_of_several_components_are_reported_at_once(with_parts):
    with pytest.raises(ComponentFailure) as failed:
        try_components(with_parts(reward="abstract", agent="no_act"))
    assert [line.partition(" of")[0] for line in failed.value.lines] == ["agent=no_act", "reward=abstract"]


def test_the_trial_draws_no_random_numbers_and_judges_nothing_that_real_data_decides(with_parts):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    for parts in ({}, {"reward": "late_error"}, {"agent": "nan_loss"}, {"environment": "late_signal"}):
        try_components(with_parts(**parts))
    assert torch.equal(before, torch.get_rng_state())


RUN = [
    ("reward", "late_error", r" failed: IndexError: list index out of range \(.*broken_parts.py:\d+\)"),
    (
        "reward",
        "late_nan",
        r": its value is NaN or infinite, although the environment's signals and observations are finite; after",
    ),
    ("agent", "nan_loss", r": its loss 'q' is NaN in 1 of 1 values.*although rewards and observations are finite; after 768 env steps"),
    ("agent", "late_items", r": the slate of act holds the item number 10000\d\d; right are 0 to 39"),
    ("environment", "late_signal", r": the response signal 'click' is NaN in 64 of 64 values; all must be finite; after \d+ env steps"),
    ("dataset", "no_data", r": load\(\) returned a list; right is a recframe.interfaces.Data"),
    ("dataset", "beyond", r": its interactions hold the item number 99999; right are 0 to 39, rows of its items"),
]


@pytest.mark.parametrize(("kind", "name", "problem"), RUN, ids=[f"{kind}-{name}" for kind, name, _ in RUN])
def test_a_component_that_fails_in_a_run_is_named_and_the_traceback_is_on_disk(with_parts, tmp_path, kind, name, problem):
    with pytest.raises(ComponentFailure, match=rf"^{kind}={name} {OF}{problem}.*; the traceback is in .*run.log$"):
        run(with_parts(**{kind: name}), tmp_path / "run")
    assert "Traceback (most recent call last)" in (tmp_path / "run" / "run.log").read_text()
    recorded = json.loads((tmp_path / "run" / "failure.json").read_text())
    assert recorded["component"] == f"{kind}={name}"
    assert (recorded["plugin"], recorded["distribution"], recorded["version"]) == ("broken", "broken", "0.1")


def test_networks_that_diverge_are_not_blamed_on_a_component(with_parts, tmp_path):
    with pytest.raises(TrainingDiverged, match="learning_rate"):
        run(with_parts(agent="wild"), tmp_path / "run")


def test_a_built_in_component_is_named_too(with_parts, tmp_path, monkeypatch):
    from recframe_plugins.rewards.click import Click

    monkeypatch.setattr(Click, "__call__", lambda self, transition, catalog: [].pop())
    with pytest.raises(ComponentFailure, match=r"^reward=click of plugin 'builtin_rewards' \(recframe .*\) failed: IndexError"):
        run(with_parts(), tmp_path / "run")


def test_evaluation_gym_and_pretraining_name_the_component_too(with_parts, broken, tmp_path):
    cfg = with_parts(reward="sound")
    run(cfg, tmp_path / "run")
    from broken_parts import Sound

    Sound.rate = lambda self, click: [].pop()
    try:
        with pytest.raises(ComponentFailure, match=rf"^reward=sound {OF} failed: IndexError.*HYDRA_FULL_ERROR=1 shows the traceback"):
            evaluate(tmp_path / "run")
        environment = make_vec(cfg, 4)
        environment.reset(seed=0)
        with pytest.raises(ComponentFailure, match=rf"^reward=sound {OF} failed: IndexError"):
            environment.step(environment.action_space.sample())
    finally:
        del Sound.rate
    with pytest.raises(ComponentFailure, match=rf"^dataset=no_data {OF}: load\(\) returned a list.*HYDRA_FULL_ERROR=1"):
        pretrain(compose_config(["dataset=no_data", "device=cpu", f"pretrain.folder={tmp_path / 'model'}"], app=PRETRAIN))
    assert not os.path.exists(tmp_path / "model")


def test_a_value_error_of_a_constructor_stays_a_mistake_in_the_config(with_parts, monkeypatch):
    cfg = with_parts(reward="twin")
    try_components(cfg)
    from broken_parts import Twin

    def refuses(self, config):
        raise ValueError("a twin\nneeds a brother")

    monkeypatch.setattr(Twin, "__init__", refuses)
    with pytest.raises(ConfigError, match=rf"^reward=twin {OF}: a twin needs a brother$"):
        try_components(cfg)


def test_what_fails_in_the_core_is_not_blamed_on_a_component_that_it_handles(with_parts, tmp_path, monkeypatch):
    def full(agent, path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(sys.modules["recframe.training.fit"], "save_weights", full)
    with pytest.raises(OSError, match="No space left on device"):
        run(with_parts(reward="sound", agent="sound_agent"), tmp_path / "run")
