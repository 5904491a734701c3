"""The parts of a run, built from its config: data with text vectors, environments, rewards, and an untrained agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import torch
from omegaconf import DictConfig, OmegaConf

from recframe.attribution import blaming, require_experience, require_sound
from recframe.building.component import build, component_of
from recframe.building.computed import agent_results, shared_results
from recframe.building.data import load
from recframe.building.device import choose_device
from recframe.building.fingerprints import Check, accept_all
from recframe.building.logs import RunLog, require_signals
from recframe.building.prior import give_prior, with_prior
from recframe.building.run_encoder import RunEncoder
from recframe.building.seeds import derived_seed, seed_everything
from recframe.building.simulated_log import USERS, simulated_log
from recframe.building.texts import cache_folder, shuffled
from recframe.components import TAGS, Component, Kind
from recframe.computed import ComputedStore
from recframe.config import ConfigError
from recframe.embeddings import AffineMap
from recframe.experience import ColdItems, RewardSum
from recframe.interfaces import Agent, Data, Environment, EnvironmentSpec, Log, Split, StateTracker, Tunable
from recframe.item_agents import ItemAgent
from recframe.logs import logged_signals


@dataclass(frozen=True)
class Parts:
    """The parts of a run before training. Environments are made when they are needed: each has its own users and state.

    Parameters
    ----------
    data: the data that the world (simulator, rewards, metrics, references) reads.
    reading: the data that the agent's state tracker reads. It is `data` itself unless the world has an encoder of its own, or the agent's
        text vectors are whitened, reduced or shuffled.
    reduction: the map from the encoder's vectors to those that the agent reads; None if they are the same.
    cut: the shares of texts and tokens that the encoders do not read, by name; empty if they read all.
    log: the log that a run with a logged stage learns from, with its held-out queries; else None.
    longer_history: H of the observations of environments, if it is not the agent's (`for_references`).
    """

    cfg: DictConfig
    device: torch.device
    data: Data
    reading: Data
    rewards: RewardSum
    reduction: AffineMap | None = None
    cut: Mapping[str, float] = field(default_factory=dict)
    log: RunLog | None = None
    longer_history: int | None = None

    @property
    def simulates(self) -> bool:
        """Whether the run has simulated users."""
        return "no_simulator" not in component_of(Kind.ENVIRONMENT, self.cfg.environment).provides

    @property
    def history_length(self) -> int:
        """H of the observations of environments."""
        length: int = self.cfg.state_tracker.history_length
        return length if self.longer_history is None else self.longer_history

    def for_references(self) -> Parts:
        """The parts whose environments give reference policies as much of a session as they may read; itself, if that is as much as the
        agent.

        People and random draws are the same. Rewards read as much of a history as they do for the agent, so that what is compared is
        rated alike.
        """
        longer = self.cfg.evaluation.reference_history_length
        if longer is None:
            return self
        return replace(self, longer_history=longer, rewards=self.rewards.looking_back(self.cfg.state_tracker.history_length))

    def training_log(self, spec: EnvironmentSpec) -> Log:
        """The log to learn from, with rewards, for agents of this specification: without cold items and the people whom the simulator
        holds out.

        Raises
        ------
        ConfigError: the log lacks a signal that a reward reads, or what users say.
        """
        assert self.log is not None
        rewards = {f"reward.{name}": component_of(Kind.REWARD, section) for name, section in self.cfg.reward.items()}
        require_signals(rewards, logged_signals(self.log.train.feedback), self.log.train.source)
        return self.log.training_log(self.rewards, spec)

    @property
    def store(self) -> Path | None:
        """The folder of the store of text vectors; None if none are cached."""
        return cache_folder(self.cfg)

    @property
    def results(self) -> ComputedStore | None:
        """The store of results that runs share; None if this run shares none."""
        return shared_results(self.cfg, self.device)

    @property
    def cold_items(self) -> ColdItems | None:
        """The items that are never shown in training, or None."""
        settings = self.cfg.cold_items
        return ColdItems(settings.share, settings.seed) if settings.share else None

    def evaluation_environment(self) -> Environment:
        """The users of the final evaluation, who may be shown all items.

        Raises
        ------
        ConfigError: see `environment`.
        """
        settings = self.cfg.evaluation
        return self._environment(settings.num_users, "train" if settings.people == "train" else "evaluation")

    def without_cold_items(self, data: Data) -> Data:
        """`data` or `reading` as policies may know it: without what training cannot tell about cold items."""
        return data if self.cold_items is None else self.cold_items.hidden_in(data)

    def environment(self, num_users: int, split: Split) -> Environment:
        """N users of a split. Users of the split "train" are never shown cold items.

        Raises
        ------
        ConfigError: if a reward does not fit the kind of actions, which some environments know only once they are built.
        ColdItemsError: if no items are shown, or too few are left without the cold ones.
        """
        if split not in get_args(Split):
            raise ValueError(f"split is 'train' or 'evaluation', not {split!r}")
        environment = self._environment(num_users, split)
        return self._without_cold_items(environment) if split == "train" else environment

    def training_environment(self, processes: int = 1) -> Environment:
        """The users whom one of so many processes trains on: `environment.num_users` of them divided, in groups of `group_size`.

        Raises
        ------
        ConfigError, ColdItemsError: see `environment`.
        """
        users = self.cfg.environment.num_users // processes
        return self._without_cold_items(self._environment(users, "train", grouped=True))

    def _without_cold_items(self, environment: Environment) -> Environment:
        return environment if self.cold_items is None else self.cold_items.withheld_from(environment)

    def _environment(self, num_users: int, split: Split, grouped: bool = False) -> Environment:
        settings = self.cfg.environment
        if not grouped and settings.get("group_size", 1) != 1:
            # sessions that are alike are for learning: evaluations and reference policies need as many people as there are
            settings = OmegaConf.merge(settings, {"group_size": 1})
        with nullcontext() if self.results is None else self.results.active():
            environment: Environment = build(
                component_of(Kind.ENVIRONMENT, self.cfg.environment),
                settings,
                data=self.data,
                num_users=num_users,
                history_length=self.history_length,
                split=split,
                device=self.device,
            )
        asked = {"num_users": num_users, "history_length": self.history_length, "num_items": len(self.data.catalog)}
        require_sound(environment, _spec_problem(environment.spec, asked))
        rewards = [("reward", component_of(Kind.REWARD, section)) for section in self.cfg.reward.values()]
        self._require_actions(rewards, environment.spec)
        return environment

    def agent(self, environment: Environment) -> Agent:
        """An untrained agent for environments like this one; see `agent_and_tracker`."""
        return self.agent_and_tracker(environment)[0]

    def agent_and_tracker(self, environment: Environment) -> tuple[Agent, StateTracker]:
        """An untrained agent for environments like this one, and the state tracker that it was built with.

        Raises
        ------
        ConfigError: if the agent does not fit the kind of actions, or the prior, which is over candidates, does not fit these; if the
            tracker reads titles, and the agent numbers items anew.
        """
        chosen = component_of(Kind.AGENT, self.cfg.agent)
        self._require_actions([("agent", chosen)], environment.spec)
        seed_everything(derived_seed(self.cfg.seed, "weights"))
        trackers = component_of(Kind.STATE_TRACKER, self.cfg.state_tracker)
        known = self.without_cold_items(self.reading)
        spec = with_prior(environment.spec, self.cfg)
        tracker: StateTracker = build(trackers, self.cfg.state_tracker, spec=spec, data=known)
        if tracker.writes_texts:
            train = None if self.log is None else self.log.train
            tracker.use_encoder(RunEncoder(self.cfg, self.data, train, self.reduction, self.device))
        seed = derived_seed(self.cfg.seed, "agent")
        with agent_results(self.cfg, self.device):
            agent: Agent = build(chosen, self.cfg.agent, spec=spec, state_tracker=tracker, seed=seed)
        if tracker.writes_texts and isinstance(agent, ItemAgent) and agent.working_set.in_use:
            name = self.cfg.state_tracker.name
            raise ConfigError(
                [
                    f"agent.whole_catalog_items={self.cfg.agent.whole_catalog_items}: state_tracker={name} reads the titles of a history, "
                    f"which parts of the catalogue number anew; set it to {spec.num_items}, the number of items, or more"
                ]
            )
        if spec.prior_weight is not None:
            # its model takes long to load, and to read the titles
            with agent_results(self.cfg, self.device):
                give_prior(agent, self.cfg, known)
        require_experience(agent)
        return agent.to(self.device), tracker

    def tunable_encoder(self) -> Tunable | None:
        """The encoder, built again, if its language model is to be tuned; None if it is frozen.

        Raises
        ------
        ConfigError: if the environment brings its own items, so that no text is read.
        """
        if self.cfg.encoder.get("tuning", "frozen") == "frozen":
            return None
        if "catalog" in component_of(Kind.ENVIRONMENT, self.cfg.environment).provides:
            raise ConfigError([f"encoder.tuning: environment={self.cfg.environment.name} has no texts to read; set it to frozen"])
        encoder: Tunable = build(component_of(Kind.ENCODER, self.cfg.encoder), self.cfg.encoder, device=self.device)
        return encoder

    def _require_actions(self, chosen: Sequence[tuple[str, Component]], spec: EnvironmentSpec) -> None:
        actions = f"actions:{spec.actions}"
        problems = [
            f"{kind}={component.name} needs {TAGS[tag]}, but those of environment={self.cfg.environment.name} are {TAGS[actions]}"
            for kind, component in chosen
            for tag in sorted(component.requires)
            if tag in TAGS and tag.startswith("actions:") and tag != actions
        ]
        if problems:
            raise ConfigError(problems)


def _spec_problem(spec: EnvironmentSpec, asked: Mapping[str, int]) -> str | None:
    """Whether an environment has other sizes than it was built with."""
    wrong = [name for name, value in asked.items() if getattr(spec, name) != value]
    return f"its spec has {wrong[0]}={getattr(spec, wrong[0])}; right is {asked[wrong[0]]}, as it was built with" if wrong else None


def assemble(cfg: DictConfig, check: Check = accept_all, to_train: bool = False, in_sweep: bool = False) -> Parts:
    """Load the data of a validated config, get its text vectors, and build the rewards.

    `check` is called with fingerprints of the data, and of the encoders that read a model's folder, before texts are encoded.
    With `to_train`, a run that needs more memory than the machine has is refused (`ConfigError`). With `in_sweep`, the data is kept for
    the next job of the process.
    """
    device = choose_device(cfg.device)
    loaded = load(cfg, device, check, to_train, in_sweep)
    data = loaded.world.to(device)
    reading = data if loaded.reading is loaded.world else loaded.reading.to(device)
    terms, itemwise = {}, set()
    for name, section in cfg.reward.items():
        component = component_of(Kind.REWARD, section)
        terms[str(name)] = (build(component, section), float(section.weight))
        if "itemwise" in component.provides:
            itemwise.add(str(name))
    for reward, _ in terms.values():
        with blaming(reward):
            reward.prepare(data if reward.rates_questions else data.without_questions())
    reduction = None if loaded.reduction is None else loaded.reduction.to(device)
    reading = shuffled(reading, cfg.seed) if cfg.embeddings.shuffle else reading
    run_log = None if loaded.log is None else loaded.log.to(device)
    parts = Parts(cfg, device, data, reading, RewardSum(terms, data.catalog, frozenset(itemwise)), reduction, loaded.cut, run_log)
    if "logged" not in cfg.stages or cfg.logged.simulated_steps is None:
        return parts
    return replace(parts, log=simulated_log(cfg, data, parts.environment(USERS, "train")).to(device))
