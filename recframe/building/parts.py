"""Putting a run's parts together from its config: data with text vectors, environments, rewards, and an untrained agent."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from recframe.building.component import build, own_data
from recframe.components import TAGS, Component, Kind
from recframe.config import ConfigError
from recframe.config.checks.sections import with_key
from recframe.embeddings import AffineMap, EmbeddingStore, fit_reduction, label_texts
from recframe.experience import Restricted, RewardSum, cold_items, require_enough, require_items
from recframe.interfaces import Agent, Data, Encoder, EncoderError, Environment, EnvironmentSpec, StateTracker, Tunable
from recframe.plugin_loader import Registry

log = logging.getLogger(__name__)

Split = Literal["train", "evaluation"]


def derived_seed(seed: int, purpose: str) -> int:
    """A seed for one purpose, independent of the seeds for others and of what else a run draws."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:4])


def seed_everything(seed: int) -> None:
    """Seed the process-wide generators, from which networks draw their first weights."""
    random.seed(seed)
    np.random.seed(derived_seed(seed, "numpy"))
    torch.manual_seed(seed)


def choose_device(name: str) -> torch.device:
    """The device a config asks for.

    Raises
    ------
    ConfigError: if it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError([f"device: {name!r} is no device; use cpu, cuda, cuda:0 or auto"]) from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ConfigError([f"device: {name!r} is not there: this machine has {count} CUDA devices; use cpu or auto"])
    return device


@dataclass(frozen=True)
class Parts:
    """A run, put together and untrained. Environments are made as they are needed: each has its own users and state.

    `data` is what the world (simulator, rewards, metrics, references) sees, `reading` what the agent's state tracker does. They are one,
    unless the world reads with an encoder of its own, or the agent's text vectors are whitened, reduced or shuffled for it. `reduction`
    is the map from the encoder's vectors to those that are read, None where they are one.
    """

    cfg: DictConfig
    registry: Registry
    device: torch.device
    data: Data
    reading: Data
    rewards: RewardSum
    reduction: AffineMap | None = None

    @property
    def store(self) -> Path:
        """The folder of the store of text vectors."""
        return Path(self.cfg.embeddings.cache).expanduser()

    @cached_property
    def cold(self) -> Tensor | None:
        """The items never shown in training, `[X]` int64, or None.

        Raises
        ------
        ColdItemsError: the share of the catalogue is none or all of it, or the catalogue is too large.
        """
        settings = self.cfg.cold_items
        return cold_items(len(self.data.catalog), settings.share, settings.seed) if settings.share else None

    def cold_environment(self, num_users: int) -> Environment:
        """N users of the evaluation split, who can be shown nothing but cold items."""
        assert self.cold is not None
        others = torch.ones(len(self.data.catalog), dtype=torch.bool)
        others[self.cold] = False
        return Restricted(self.environment(num_users, "evaluation"), others.nonzero().squeeze(1))

    def environment(self, num_users: int, split: Split) -> Environment:
        """N users of a split; those of "train" are never shown cold items.

        Raises
        ------
        ConfigError: rewards do not fit the kind of actions, which an environment may know only once it is built.
        ColdItemsError: no items are shown, or without the cold ones too little is left to show.
        """
        if split not in get_args(Split):
            raise ValueError(f"split is 'train' or 'evaluation', not {split!r}")
        environment: Environment = build(
            Kind.ENVIRONMENT,
            self.cfg.environment,
            self.registry,
            data=self.data,
            num_users=num_users,
            history_length=self.cfg.state_tracker.history_length,
            split=split,
            device=self.device,
        )
        if self.cfg.cold_items.share and split == "train":
            # before any are drawn: what stands in for a catalogue where no items are shown is no matter of the user's
            require_items(environment.spec)
            assert self.cold is not None
            # the evaluation on them alone comes when training is over, which is too late to find them too few
            require_enough(len(self.cold), environment.spec, "held back")
            environment = Restricted(environment, self.cold)
        rewards = [("reward", self.registry.get(Kind.REWARD, section.name)) for section in self.cfg.reward.values()]
        self._require_actions(rewards, environment.spec)
        return environment

    def agent(self, environment: Environment) -> Agent:
        """An untrained agent for environments like this one; see `agent_and_tracker`."""
        return self.agent_and_tracker(environment)[0]

    def agent_and_tracker(self, environment: Environment) -> tuple[Agent, StateTracker]:
        """An untrained agent for environments like this one, and the state tracker that it was built with.

        Raises
        ------
        ConfigError: the agent does not fit the kind of actions.
        """
        self._require_actions([("agent", self.registry.get(Kind.AGENT, self.cfg.agent.name))], environment.spec)
        seed_everything(derived_seed(self.cfg.seed, "weights"))
        tracker: StateTracker = build(Kind.STATE_TRACKER, self.cfg.state_tracker, self.registry, spec=environment.spec, data=self.reading)
        seed = derived_seed(self.cfg.seed, "agent")
        agent: Agent = build(Kind.AGENT, self.cfg.agent, self.registry, spec=environment.spec, state_tracker=tracker, seed=seed)
        return agent.to(self.device), tracker

    def tunable_encoder(self) -> Tunable | None:
        """The encoder anew, if its language model is to be tuned; None where it is frozen.

        Raises
        ------
        ConfigError: the environment brings its own items, so that no text is read.
        """
        if self.cfg.encoder.get("tuning", "frozen") == "frozen":
            return None
        if "catalog" in self.registry.get(Kind.ENVIRONMENT, self.cfg.environment.name).provides:
            raise ConfigError([f"encoder.tuning: environment={self.cfg.environment.name} has no texts to read; set it to frozen"])
        encoder: Tunable = build(Kind.ENCODER, self.cfg.encoder, self.registry, device=self.device)
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


def assemble(cfg: DictConfig, registry: Registry) -> Parts:
    """Load the data, get its text vectors, and build the rewards."""
    device = choose_device(cfg.device)
    loaded = load(cfg, registry, device)
    data = loaded.world.to(device)
    reading = data if loaded.reading is loaded.world else loaded.reading.to(device)
    terms, itemwise = {}, set()
    for name, section in cfg.reward.items():
        terms[str(name)] = (build(Kind.REWARD, section, registry), float(section.weight))
        if "itemwise" in registry.get(Kind.REWARD, section.name).provides:
            itemwise.add(str(name))
    for reward, _ in terms.values():
        reward.prepare(data)
    reduction = None if loaded.reduction is None else loaded.reduction.to(device)
    reading = shuffled(reading, cfg.seed) if cfg.embeddings.shuffle else reading
    return Parts(cfg, registry, device, data, reading, RewardSum(terms, data.catalog, frozenset(itemwise)), reduction)


class Loaded(NamedTuple):
    """The data as the world has it and as the agent reads it, and the map by which the agent's vectors are whitened or reduced, if so.

    The two are one and the same unless a `world_encoder` is chosen, or there is such a map.
    """

    world: Data
    reading: Data
    reduction: AffineMap | None = None


def load(cfg: DictConfig, registry: Registry, device: torch.device) -> Loaded:
    """The dataset's data, with vectors for all texts, or the environment's own."""
    data: Data | None = own_data(cfg.environment, registry)
    if data is not None:
        log.info("%s: %s; dataset and encoder are not used", cfg.environment.name, _describe(data))
        return Loaded(data, data)
    data = build(Kind.DATASET, cfg.dataset, registry).load()
    log.info("%s: %s", cfg.dataset.name, _describe(data))
    reading = encode(cfg, cfg.encoder, data, registry, device)
    try:
        world = reading if cfg.world_encoder is None else encode(cfg, cfg.world_encoder, data, registry, device)
    except EncoderError as error:
        raise EncoderError(with_key(str(error), Kind.ENCODER, "world_encoder")) from error
    reduction = None
    if cfg.embeddings.whiten or cfg.embeddings.dim is not None:
        reading, reduction = reduced(reading, cfg.embeddings.whiten, cfg.embeddings.dim)
    return Loaded(world, reading, reduction)


def encode(cfg: DictConfig, section: DictConfig, data: Data, registry: Registry, device: torch.device) -> Data:
    """The data with vectors for all its texts from the store, as the encoder of the config's `section` gives them."""
    encoder: Encoder = build(Kind.ENCODER, section, registry, device=device)
    labels: Any = OmegaConf.to_object(cfg.labels)
    sentences = [text for chosen in labels.values() for texts in chosen.prototypes.values() for text in texts]
    encoder.fit([*(text for texts in data.texts.values() for text in texts.texts), *sentences])
    store = EmbeddingStore(Path(cfg.embeddings.cache).expanduser(), encoder)
    data = data.with_texts({role: replace(texts, vectors=store.vectors(texts.texts, role)) for role, texts in data.texts.items()})
    if not encoder.reads:
        log.info("%s: no text is read", section.name)
        return data
    data = label_texts(data, labels, store.vectors) if labels else data
    log.info("%s: %d texts encoded, %d from the cache", section.name, store.encoded, store.cached)
    return data


def reduced(data: Data, whiten: bool, dim: int | None) -> tuple[Data, AffineMap]:
    """The data with all its text vectors mapped by `fit_reduction`, fitted on those of different items; and the map.

    Raises
    ------
    EmbeddingError: the items' vectors do not vary in `dim` dimensions.
    """
    # an item that is listed twice counts once
    different = {text: row for row, text in enumerate(data.catalog.texts)}
    vectors = data.catalog.text_vectors
    assert vectors is not None
    fitted = fit_reduction(vectors[sorted(different.values())], whiten=whiten, dim=dim)
    return data.with_texts({role: replace(texts, vectors=fitted(texts.vectors)) for role, texts in data.texts.items()}), fitted


def shuffled(data: Data, seed: int) -> Data:
    """The data with its text vectors (and labels, which are read from them) permuted at random: the same vectors, and no meaning."""
    device = data.catalog.popularity.device

    def order(role: str, size: int) -> Tensor:
        generator = torch.Generator().manual_seed(derived_seed(seed, f"shuffle {role}"))
        return torch.randperm(size, generator=generator).to(device)

    return data.with_texts({role: texts.shuffled(order(role, len(texts.texts))) for role, texts in data.texts.items()})


def _describe(data: Data) -> str:
    parts = [f"{len(data.catalog):,} item{'s' if len(data.catalog) != 1 else ''}"]
    parts += [f"{len(data.users):,} users"] if data.users is not None else []
    parts += [f"{len(data.interactions):,} interactions"] if data.interactions is not None else []
    return ", ".join(parts)
