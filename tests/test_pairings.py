"""Pairings of agents, state trackers, environments and slate sizes: allowed ones run, others are refused with a reason.

The components come from the registry, so that a new built-in component is tested with all others.
"""

import math
import random
from collections import Counter
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from recframe import conf
from recframe.building.parts import Parts, assemble
from recframe.components import Component, Kind, node
from recframe.config import ConfigError, compose_config, validate
from recframe.config.checks.validate import find_problems
from recframe.experience import Collector, batch_source_for
from recframe.interfaces import PAD, NoExperience
from recframe.plugin_loader import registry
from recframe.testing import update

FOUND = registry()
USERS, CHUNKS, CHUNK_STEPS, SESSION = 2, 2, 3, 2
# presets that change an agent's kind, its model or the batches that it asks for
PRESETS = ("disjoint_linucb", "hybrid_linucb", "ppo", "prioritized_dqn", "slate_q_top_k", "td3", "two_head")
# agents that learn from a log alone are refused by every simulator, whatever the tracker
LOG_ONLY = {"experience:sequences", "experience:log"}
AGENTS = (*(name for name in FOUND.names(Kind.AGENT) if not LOG_ONLY & FOUND.get(Kind.AGENT, name).requires), *PRESETS)
# one that asks a language model needs one: tests of it have a model of their own
TRACKERS = [name for name in FOUND.names(Kind.STATE_TRACKER) if "asks_model" not in FOUND.get(Kind.STATE_TRACKER, name).provides]
SLATES = (1, 2)
SMALL: dict[str, dict[str, Any]] = {
    "agent": {
        **{"batch_size": 4, "learning_starts": 4, "updates_per_chunk": 1, "replay_capacity": 100, "random_steps": 4},
        **{"hidden_sizes": [8], "epochs": 1, "minibatches": 2},
    },
    "state_tracker": {"history_length": SESSION, "item_dim": 4, "state_dim": 4, "hidden_sizes": [4], "heights": [1, 2]},
    "environment": {"num_users": USERS, "max_steps": SESSION},
    "dataset": {"num_items": 30, "num_users": 20, "num_topics": 4},
}
# environments whose settings change what they provide, or whose actions are known only when they are built
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "gymnasium": [{"id": "CartPole-v1"}, {"id": "Pendulum-v1"}],
    "interest_evolution": [{}, {"observe_interests": True}],
}
ACTIONS = {"CartPole-v1": "actions:items", "Pendulum-v1": "actions:continuous"}
WORDS = {
    "actions:items": "actions that are item numbers",
    "features": "observations with raw numbers",
    "signal:click": "a response signal 'click'",
}


DATASETS = ("synthetic_ratings", "synthetic", "rating_matrix", "movielens_format")
"""Without a file, or of files that `PairingRunner` writes."""


@dataclass(frozen=True, eq=False)
class World:
    """An environment with particular settings; `label` is its name in this module."""

    label: str
    name: str
    settings: dict[str, Any]

    @cached_property
    def config(self) -> dict[str, Any]:
        return OmegaConf.to_container(OmegaConf.merge(section(Kind.ENVIRONMENT, self.name), self.settings))

    @cached_property
    def dataset(self) -> str:
        """A dataset that provides what the environment requires; one that needs no file if there is a choice."""
        needs = self.component.required(self.config)
        return next(name for name in DATASETS if needs <= FOUND.get(Kind.DATASET, name).provides)

    @property
    def component(self) -> Component:
        return FOUND.get(Kind.ENVIRONMENT, self.name)

    @cached_property
    def declared(self) -> set[str]:
        """The tags that the environment and its dataset provide under their settings."""
        own = self.component.given(self.settings)
        return own if "catalog" in own else own | FOUND.get(Kind.DATASET, self.dataset).provides

    @cached_property
    def built(self) -> set[str]:
        """The tags that remain once the environment is built, which has one kind of actions."""
        actions = ACTIONS.get(self.settings.get("id", ""))
        return {tag for tag in self.declared if actions is None or not tag.startswith("actions:") or tag == actions}


WORLDS = {
    world.label: world
    for name in FOUND.names(Kind.ENVIRONMENT)
    # one that asks a language model needs one: tests of it have a model of their own
    if not {"no_simulator", "asks_model"} & FOUND.get(Kind.ENVIRONMENT, name).provides
    for settings in VARIANTS.get(name, [{}])
    for world in [World(" ".join([name, *map(str, settings.values())]), name, settings)]
}


class Pairing(NamedTuple):
    """One combination; `agent` may be a preset."""

    agent: str
    tracker: str
    world: str
    slate_size: int


# With this tracker, a catalogue of 30 items counts as large: training uses working sets.
LARGE_WITH, LARGE = "gru", {"whole_catalog_items": 10, "working_items": 16}
# Presets, and agents made for logs, differ from others in their losses, which read no more of a tracker than theirs: two trackers will do.
ALIKE = {*PRESETS, *(name for name in FOUND.names(Kind.AGENT) if ".offline." in FOUND.get(Kind.AGENT, name).factory)}
FEW_TRACKERS = ("mean", LARGE_WITH)


def is_paired(agent: str, tracker: str, slate_size: int) -> bool:
    """Slates of two items are tested with one tracker only: they depend on the agent and the environment."""
    return (tracker == "mean" or slate_size == 1) and (agent not in ALIKE or tracker in FEW_TRACKERS)


PAIRINGS = [Pairing(*parts) for parts in product(AGENTS, TRACKERS, WORLDS, SLATES) if is_paired(parts[0], parts[1], parts[3])]


def twos(pairing: Pairing) -> set[tuple[str, ...]]:
    """The agent and the tracker, the agent and the environment, and the tracker and the environment."""
    return {("agent, tracker", *pairing[:2]), ("agent, world", pairing.agent, pairing.world), ("tracker, world", *pairing[1:3])}


@cache
def trained_pairings() -> set[Pairing]:
    """Those that also act and learn: all that are allowed with the tracker `mean`, and so many others, drawn, that all two parts meet."""
    chosen, met = set[Pairing](), set[tuple[str, ...]]()
    for pairing in random.Random(0).sample(PAIRINGS, len(PAIRINGS)):
        if not reasons(pairing) and (pairing.tracker == "mean" or not twos(pairing) <= met):
            chosen.add(pairing)
            met |= twos(pairing)
    return chosen


@cache
def section(kind: Kind, name: str) -> DictConfig:
    """The settings of a component or a preset, with small sizes."""
    preset = Path(conf.__file__).parent / "agent" / f"{name}.yaml"
    chosen = OmegaConf.load(preset) if name in PRESETS else OmegaConf.create({"defaults": [name]})
    typed = OmegaConf.structured(node(FOUND.get(kind, chosen.pop("defaults")[0])))
    merged = OmegaConf.merge(typed, chosen)
    small = {name: value for name, value in SMALL.get(kind, {}).items() if name in merged}
    sizes = {name: min(value, merged[name]) if isinstance(merged[name], int) else value for name, value in small.items()}
    return OmegaConf.merge(merged, sizes)


def reasons(pairing: Pairing) -> list[list[str]]:
    """What the lines of the error must contain, according to the declarations; no lines: the pairing must run."""
    agent = FOUND.get(Kind.AGENT, section(Kind.AGENT, pairing.agent).name)
    tracker = FOUND.get(Kind.STATE_TRACKER, pairing.tracker)
    world = WORLDS[pairing.world]
    if pairing.slate_size > 1 and "slate_size" not in [field.name for field in fields(world.component.config)]:
        return [["environment.slate_size", world.component.config.__name__]]
    lines = []
    if pairing.slate_size > 1 and "slates" not in agent.provides:
        lines.append(
            [f"environment.slate_size={pairing.slate_size}", f"agent={agent.name} cannot show slates of more than one item", "slate_q"]
        )
    # problems that only building shows are reported only if there are no others
    for given in (world.declared, world.built):
        for part in (agent, tracker):
            for tag in part.required(vars(part.config())):
                if not (given | {"experience:replay", "experience:rollout"}) & set(tag.split("|")):
                    what = " or ".join(WORDS.get(one, "") for one in tag.split("|"))
                    whose = world.name if tag.partition(":")[0] in ("actions", "features", "signal", "truth") else world.dataset
                    lines.append([f"{part.kind}={part.name} needs {what}", f"={whose}"])
        if lines:
            break
    return lines


def legal(slate, observation, spec) -> bool:
    """Whether the slate, or the action, is one that the specification and the observation allow."""
    if spec.actions == "continuous":
        low, high = torch.tensor(spec.action_low), torch.tensor(spec.action_high)
        return slate.shape == (USERS, len(low)) and bool(((slate >= low) & (slate <= high)).all())
    if slate.shape != (USERS, spec.slate_size) or slate.dtype != torch.int64:
        return False
    allowed = [set(range(spec.num_items)) for _ in range(USERS)]
    if observation.candidates is not None:
        allowed = [set(candidates.tolist()) - {PAD} for candidates in observation.candidates]
    if observation.excluded is not None:
        allowed = [items - set(excluded.tolist()) for items, excluded in zip(allowed, observation.excluded, strict=True)]
    return all(len(set(shown)) == len(shown) and set(shown) <= items for shown, items in zip(slate.tolist(), allowed, strict=True))


class Base(NamedTuple):
    """An environment's config and loaded parts, or the lines of the error."""

    cfg: DictConfig | None
    parts: Parts | None
    problems: tuple[str, ...]


class PairingRunner:
    """Builds pairings and lets each act and learn a little; data and text vectors are made once per environment."""

    def __init__(self, folder) -> None:
        ratings = np.random.default_rng(0).uniform(1, 5, (20, 30))
        np.save(folder / "ratings.npy", ratings)
        (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(f"{i},Film {i} (2000),Drama\n" for i in range(30)))
        rows = [f"{user},{item},{ratings[user, item]:.0f},{user + item}\n" for user in range(20) for item in range(30) if (user + item) % 2]
        (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + "".join(rows))
        self.files = {"movielens_format": {"path": str(folder)}, "rating_matrix": {"path": str(folder / "ratings.npy")}}
        choices = ["encoder=tfidf", "encoder.dim=4", "logger=null", f"embeddings.cache={folder}"]
        self.cfg = OmegaConf.to_container(compose_config(choices))
        self.base = cache(self._base)

    def _base(self, world: str, slate_size: int) -> Base:
        """A run with an agent and a tracker that fit every environment; the pairing's own replace them later."""
        chosen = WORLDS[world]
        settings = chosen.config | ({"slate_size": slate_size} if slate_size > 1 else {})
        reward = next(name for name in ("click", "environment") if FOUND.get(Kind.REWARD, name).requires <= chosen.declared)
        cfg = self.cfg | {"environment": settings, "reward": {reward: section(Kind.REWARD, reward)}}
        cfg["dataset"] = OmegaConf.merge(section(Kind.DATASET, chosen.dataset), self.files.get(chosen.dataset, {}))
        cfg["agent"], cfg["state_tracker"] = section(Kind.AGENT, "random"), section(Kind.STATE_TRACKER, "mean")
        try:
            cfg = validate(OmegaConf.create(cfg))
        except ConfigError as error:
            return Base(None, None, tuple(error.problems))
        return Base(cfg, self.base(world, 1).parts if slate_size > 1 else assemble(cfg), ())

    def outcome(self, pairing: Pairing, every: bool) -> tuple[str, ...]:
        """The lines of the error that refuses the pairing; none: it ran without errors if it is to run: `every` one or a chosen one."""
        cfg, parts, problems = self.base(pairing.world, pairing.slate_size)
        if problems:
            return problems
        cfg.agent, cfg.state_tracker = section(Kind.AGENT, pairing.agent), section(Kind.STATE_TRACKER, pairing.tracker)
        if pairing.tracker == LARGE_WITH and LARGE.keys() <= cfg.agent.keys():
            cfg.agent.update(LARGE)
        if problems := find_problems(cfg):
            return tuple(problems)
        if not (every or pairing in trained_pairings() or reasons(pairing)):
            return ()
        parts = replace(parts, cfg=cfg)
        environment = parts.environment(USERS, "train")
        try:
            agent = parts.agent(environment)
        except ConfigError as error:
            return tuple(error.problems)
        if pairing.tracker == LARGE_WITH and hasattr(agent, "working_set") and environment.spec.num_items > LARGE["whole_catalog_items"]:
            assert agent.working_set.in_use
        self.train(agent, environment, parts.rewards)
        return ()

    def train(self, agent, environment, rewards) -> None:
        """Collect and learn as the training module does."""
        learns = not isinstance(agent.experience_in("simulated"), NoExperience)
        source = batch_source_for(agent.experience_in("simulated"), 0, "cpu") if learns else None
        collector, optimizers = Collector(environment, rewards, 1), agent.optimizers()
        batches, losses = 0, []
        for _ in range(CHUNKS):
            agent.prepare_to_act()
            for _ in range(CHUNK_STEPS):
                observation = collector.observation
                transition = collector.step(agent)
                assert legal(transition.slate, observation, environment.spec), transition.slate
                if learns:
                    source.add(transition)
            for batch in source.batches() if learns else ():
                losses += [loss for _, loss in update(agent, optimizers, batch)]
                source.learned(agent.priorities())
                batches += 1
        assert batches >= CHUNKS or not learns
        assert bool(losses) == bool(optimizers)
        assert all(map(math.isfinite, losses))
        assert all(value.isfinite().all() for value in agent.state_dict().values() if isinstance(value, torch.Tensor))
        agent.prepare_to_act()
        with torch.no_grad():
            assert legal(agent.act(collector.observation, explore=False).slate, collector.observation, environment.spec)


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> PairingRunner:
    return PairingRunner(tmp_path_factory.mktemp("pairings"))


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.evidence)], ids=["some", "every"])
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("agent", AGENTS)
def test_pairings_run_if_their_declarations_match_and_are_refused_with_a_reason_otherwise(agent, world, every, runner):
    for pairing in (pairing for pairing in PAIRINGS if (pairing.agent, pairing.world) == (agent, world)):
        try:
            problems = runner.outcome(pairing, every)
        except Exception as error:
            raise AssertionError(f"{pairing} failed") from error
        expected = reasons(pairing)
        assert len(problems) == len(expected), (pairing, problems, expected)
        for parts in expected:
            assert any(all(part in line and "\n" not in line for part in parts) for line in problems), (pairing, problems, parts)


# The refused pairings as listed by hand: the test above compares behaviour with the declarations, which could themselves be wrong.
KNOWN_AGENTS = {
    *(
        "actor_critic",
        "ddpg",
        "dqn",
        "epsilon_greedy",
        "fixed_slate",
        "greedy_reward",
        "linucb",
        "popular",
        "posterior_greedy",
        "q_learning",
        "random",
    ),
    *("reinforce", "sarsa", "slate_q", "soft_actor_critic", "thompson", *PRESETS),
}
KNOWN_TRACKERS = {"mean", "gru", "lstm", "cnn", "attention", "mlp"}
KNOWN_WORLDS = {
    *("gymnasium CartPole-v1", "gymnasium Pendulum-v1", "topic_world", "preference_model", "rating_matrix"),
    *("interest_evolution", "interest_evolution True", "interest_exploration", "long_term_satisfaction"),
}
ONE_ITEM_AT_A_TIME = {"dqn", "prioritized_dqn", "q_learning", "sarsa", "soft_actor_critic"}
LEARN_FROM_CLICKS = {"slate_q", "slate_q_top_k"}
ACT_IN_REAL_VECTORS = {"random", "ddpg", "td3"}
WITH_FEATURES = {"gymnasium CartPole-v1", "gymnasium Pendulum-v1", "interest_evolution True"}


def refused_by_hand(pairing: Pairing) -> bool:
    agent, tracker, world, slate_size = pairing
    return (
        (slate_size > 1 and (agent in ONE_ITEM_AT_A_TIME or world.startswith("gymnasium")))
        or (world == "gymnasium Pendulum-v1" and agent not in ACT_IN_REAL_VECTORS)
        or (world == "gymnasium CartPole-v1" and agent in LEARN_FROM_CLICKS)
        or (tracker == "mlp" and world not in WITH_FEATURES)
    )


def test_the_refused_pairings_are_those_listed_by_hand():
    known = [p for p in PAIRINGS if p.agent in KNOWN_AGENTS and p.tracker in KNOWN_TRACKERS and p.world in KNOWN_WORLDS]
    # each with six trackers, or two, and slates of two items with one
    assert len(known) == 9 * (16 * (6 + 1) + 7 * (2 + 1))
    assert [pairing for pairing in known if reasons(pairing)] == [pairing for pairing in known if refused_by_hand(pairing)]


def test_all_two_parts_that_go_together_learn_together():
    allowed = [pairing for pairing in PAIRINGS if not reasons(pairing)]
    assert set().union(*map(twos, trained_pairings())) == set().union(*map(twos, allowed))
    assert len(trained_pairings()) < len(allowed) / 2


def test_every_pairing_is_tested():
    counts = Counter(bool(reasons(pairing)) for pairing in PAIRINGS)
    trackers = sum(len(FEW_TRACKERS) if agent in ALIKE else len(TRACKERS) for agent in AGENTS)
    assert counts[True] + counts[False] == len(WORLDS) * (trackers + len(AGENTS) * (len(SLATES) - 1))
    assert min(counts.values()) > len(PAIRINGS) // 5
