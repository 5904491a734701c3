"""Components that a session registers, and single components."""

import gc
import linecache
import re
from dataclasses import dataclass

import numpy as np
import pytest
from hydra.core.config_store import ConfigStore

import recframe
from recframe.components import Component, ComponentError, Kind, option
from recframe.components import component as component_module
from recframe.config import ConfigError
from recframe.embeddings import EmbeddingStore
from recframe.interfaces import Agent, Data, Encoder, Environment, Reward, StateTracker
from recframe.plugin_loader import registry
from recframe.testing import ToyTracker, check_component, toy_data, toy_spec

CELL = """
@dataclass
class BoredomConfig:
    '''Minus {penalty} for each item.'''

    penalty: float = option({penalty}, "what an item costs", ge=0)

class Boredom(Reward):
    def __init__(self, config):
        self.penalty = config.penalty

    def __call__(self, transition, catalog):
        return -self.penalty * (transition.slate >= 0).float()

boredom = Component("reward", "boredom", BoredomConfig, Boredom)
"""


def run_cell(penalty: float) -> Component:
    """What a cell of a notebook defines when it is run."""
    names = {"dataclass": dataclass, "option": option, "Reward": Reward, "Component": Component, "__name__": "__main__"}
    source, file = CELL.format(penalty=penalty), f"<cell {penalty}>"
    # as IPython does it
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    exec(compile(source, file, "exec"), names)
    return names["boredom"]


def state() -> tuple:
    gc.collect()
    cached = [known for known in component_module._nodes if "oredom" in repr(known)]
    return [(one.component, one.distribution) for one in registry().components()], sorted(ConfigStore.instance().repo), cached


def test_a_class_of_a_cell_is_used_like_a_plugins_and_leaves_nothing_behind():
    before = state()
    versions = set()
    for penalty in (0.5, 0.25):  # the cell is changed and run again
        with recframe.registered(run_cell(penalty)):
            cfg = recframe.compose(["reward=[click,boredom]", "reward.boredom.weight=2"])
            assert cfg.reward.boredom.penalty == penalty
            assert recframe.build("reward", "boredom", penalty=3.0).penalty == 3.0
            versions.add(registry().registered(registry().get("reward", "boredom")).version)
            del cfg
        assert state() == before
    assert len(versions) == 2
    assert all(re.fullmatch(r"source [0-9a-f]{12}", version) for version in versions)
    with pytest.raises(ConfigError, match="reward has no choice 'boredom'"):
        recframe.compose(["reward=[boredom]"])


def test_after_an_error_in_the_block_nothing_is_registered():
    before = state()
    with pytest.raises(ZeroDivisionError), recframe.registered(run_cell(1.0)):
        raise ZeroDivisionError
    assert state() == before


def test_names_of_others_stay_taken():
    config = run_cell(1.0).config
    for name, owner in (("click", "recframe"), ("boredom", "another class that is registered in this session")):
        with (
            recframe.registered(run_cell(1.0)),
            pytest.raises(ComponentError, match=f"{name!r}: the name is taken by {owner}"),
            recframe.registered(Component("reward", name, config, Reward)),
        ):
            pass

    @dataclass
    class MyConfig:
        """Mine."""

    with (
        pytest.raises(ComponentError, match="agent 'ppo': the name is taken by a preset of recframe"),
        recframe.registered(Component("agent", "ppo", MyConfig, Agent)),
    ):
        pass
    assert registry().get("reward", "click").implementation is None


@pytest.mark.parametrize("given", [Agent, "boredom"])
def test_what_is_no_component_is_refused(given):
    with pytest.raises(ComponentError, match=r"takes components, as Component\(kind, name, config, class\), not (Agent|'boredom')"):
        recframe.registered(given).__enter__()


def test_a_class_of_a_cell_is_checked_like_a_plugins():
    boredom = run_cell(1.0)
    check_component(boredom)
    with recframe.registered(boredom), pytest.raises(ConfigError, match=r"reward\.boredom\.penalty: -1.0 is not allowed; it must be >= 0"):
        recframe.compose(["reward=[boredom]", "reward.boredom.penalty=-1"])


@dataclass
class LettersConfig:
    """Counts of letters."""


class Letters(Encoder):
    """Encodes a text by the numbers of its vowels."""

    dim = 5
    fingerprint = "letters"

    def __init__(self, config: LettersConfig, device) -> None:
        pass

    def encode(self, texts, role):
        return np.array([[text.count(letter) for letter in "aeiou"] for text in texts], dtype=np.float32)


def test_vectors_of_an_encoder_of_the_session_are_not_cached(tmp_path):
    with recframe.registered(Component("encoder", "letters", LettersConfig, Letters)):
        encoder = recframe.build("encoder", "letters")
    for _ in range(2):
        store = EmbeddingStore(tmp_path / "cache", encoder)
        assert store.vectors(["a", "eee"], "item").tolist() == [[1, 0, 0, 0, 0], [0, 3, 0, 0, 0]]
        assert store.encoded == 2
    assert not (tmp_path / "cache").exists()


# --- build


@pytest.mark.parametrize(
    ("kind", "name", "settings", "type_"),
    [
        ("state_tracker", "gru", {"history_length": 7}, StateTracker),
        ("agent", "dqn", {"gamma": 0.5}, Agent),
        ("agent", "ppo", {}, Agent),
        ("agent", "random", {}, Agent),
        ("environment", "topic_world", {"num_users": 4, "slate_size": 2}, Environment),
        ("environment", "interest_evolution", {"num_users": 3}, Environment),
        ("reward", "click", {}, Reward),
        ("encoder", "tfidf", {}, Encoder),
    ],
)
def test_a_component_is_built_by_itself(kind, name, settings, type_):
    built = recframe.build(kind, name, **settings)
    assert isinstance(built, type_)
    if kind == "environment":
        assert built.spec.num_users == settings["num_users"]
    if kind == "state_tracker":
        assert built.spec.history_length == 7


def test_a_dataset_is_built_and_loads():
    data = recframe.build("dataset", "synthetic", num_items=30, num_users=20).load()
    assert isinstance(data, Data)
    assert len(data.catalog) == 30


def test_given_parts_are_used():
    data = toy_data(num_items=25)
    tracker = ToyTracker(toy_spec(data, slate_size=3), data)
    agent = recframe.build("agent", "slate_q", {"state_tracker": tracker, "seed": 4})
    assert agent.spec is tracker.spec
    assert agent.generator.initial_seed() == 4
    world = recframe.build("environment", "topic_world", {"data": data, "split": "evaluation"}, num_users=2)
    assert world.spec.num_items == 25


@pytest.mark.parametrize(
    ("arguments", "settings", "problems"),
    [
        (("agent", "dqn"), {"gama": 1, "los": 2}, ["agent.gama: there is no such setting. Did you mean 'gamma'?", "agent.los: there is"]),
        (("agent", "dqn"), {"gamma": 2.0}, ["agent.gamma: 2.0 is not allowed; it must be >= 0 and <= 1"]),
        (("agent", "dqn"), {"gamma": "x", "batch_size": "y"}, ["agent.gamma: Value 'x'", "agent.batch_size: Value 'y'"]),
        (("agent", "dqn", {"world": 1}), {}, ["given: agent 'dqn' takes no part 'world'; its parts are: spec, data, state_tracker, seed"]),
        (("agent", "dqm"), {}, ["no agent is called 'dqm'. Did you mean 'dqn'?"]),
        (("agnet", "dqn"), {}, ["'agnet' is not a kind of component. Did you mean 'agent'?"]),
    ],
)
def test_mistakes_in_what_is_built_are_all_named(arguments, settings, problems):
    with pytest.raises(recframe.errors.UserError) as caught:
        recframe.build(*arguments, **settings)
    assert len(caught.value.lines) == len(problems)
    for line, expected in zip(caught.value.lines, problems, strict=True):
        assert line.startswith(expected)


def test_the_table_of_parts_is_that_of_the_code():
    from recframe.api.components import _PARTS

    rows = [line.split("|") for line in recframe.build.__doc__.splitlines() if line.strip().startswith("|")]
    listed = {row[1].strip(): tuple(re.findall(r"`(\w+)`", row[2])) for row in rows}
    assert {kind.value: listed[kind] for kind in Kind} == {kind.value: _PARTS[kind] for kind in Kind}
