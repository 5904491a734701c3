"""The data of a run: from the dataset or from the environment, with text vectors for the world and for the agent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from omegaconf import DictConfig

from recframe.building.component import component_of, data_for_training, own_data, users_held_out
from recframe.building.dataset import load_dataset
from recframe.building.fingerprints import Check, accept_all, data_fingerprints
from recframe.building.initial import InitialPolicy, initial_policy
from recframe.building.kept_data import forget_data, load_once
from recframe.building.logs import RunLog, split_run_log
from recframe.building.memory import require_memory
from recframe.building.texts import mapped, reduced, with_text_vectors
from recframe.components import Kind
from recframe.config.checks.sections import with_key
from recframe.embeddings import AffineMap
from recframe.errors import ModelError
from recframe.experience import ColdItems
from recframe.interfaces import Data, EncoderError
from recframe.logs import texts_in_training

log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """The data as the world and as the agent read it, and the map that whitens or reduces the agent's text vectors, if there is one.

    `world` and `reading` are the same object unless there is a `world_encoder` or such a map. `cut` are the shares of texts and tokens that
    the encoders do not read, by name. `log` is the log of a run that learns from one: the other data is then without what it holds out.
    """

    world: Data
    reading: Data
    reduction: AffineMap | None = None
    cut: Mapping[str, float] = MappingProxyType({})
    log: RunLog | None = None


def load(cfg: DictConfig, device: torch.device, check: Check = accept_all, to_train: bool = False, in_sweep: bool = False) -> Loaded:
    """Load the data of the dataset and get vectors for all its texts; or take the environment's own data.

    `check` is called with the fingerprints of the data before its texts are encoded, and then of the encoders that read a model's folder.

    to_train: whether a run is to be trained on the data, for which the memory of the machine must suffice.
    in_sweep: whether the process may run more jobs with the same dataset: the data is then kept for the next.

    Raises
    ------
    ConfigError: if it does not.
    """
    initial = initial_policy(cfg)
    data: Data | None = own_data(component_of(Kind.ENVIRONMENT, cfg.environment), cfg.environment)
    if data is not None or not in_sweep:
        # nobody may ask for it again
        forget_data()
    if data is not None:
        log.info("%s: %s; dataset and encoder are not used", cfg.environment.name, _describe(data))
        check(data_fingerprints(data))
        _require_init(initial, data, check)
        return Loaded(data, data)
    data = load_once(cfg.dataset) if in_sweep else load_dataset(cfg.dataset)
    log.info("%s: %s", cfg.dataset.name, _describe(data))
    check(data_fingerprints(data))
    _require_init(initial, data, check)
    if to_train:
        require_memory(cfg, data)
    run_log: RunLog | None = None
    environment = component_of(Kind.ENVIRONMENT, cfg.environment)
    if "logged" in cfg.stages and cfg.logged.simulated_steps is None:
        data, run_log = split_run_log(cfg, data)
        if (held_out := users_held_out(environment, cfg.environment, data)) is not None:
            run_log = run_log.without_users(held_out)
        if cfg.cold_items.share:
            run_log = run_log.without_items(ColdItems(cfg.cold_items.share, cfg.cold_items.seed).drawn_from(len(data.catalog)))
    data = data_for_training(environment, cfg.environment, data)
    learn_from = {} if run_log is None else texts_in_training(run_log.train)
    reading, cut = with_text_vectors(data, "encoder", cfg, device, check, learn_from, initial)
    world = reading
    try:
        if cfg.world_encoder is not None:
            world, cut_in_world = with_text_vectors(data, "world_encoder", cfg, device, check, learn_from)
            cut |= cut_in_world
    except ModelError as error:
        raise EncoderError(with_key(str(error), Kind.ENCODER, "world_encoder")) from error
    reduction = None
    if initial is not None and initial.reduction is not None:
        log.info("init: text vectors are reduced as those of %s", initial.folder.path)
        reading, reduction = mapped(reading, initial.reduction), initial.reduction
    elif cfg.embeddings.whiten or cfg.embeddings.dim is not None:
        if initial is not None:
            raise initial.refused("its text vectors are as the encoder gives them; use embeddings.whiten=false embeddings.dim=null")
        reading, reduction = reduced(reading, cfg.embeddings.whiten, cfg.embeddings.dim, learn_from.get("item"))
    if initial is not None:
        reading = initial.known_popularity(reading)
    return Loaded(world, reading, reduction, cut, run_log)


def _require_init(initial: InitialPolicy | None, data: Data, check: Check) -> None:
    if initial is not None:
        check(initial.fingerprints)
        initial.require_items(data)


def _describe(data: Data) -> str:
    parts = [f"{len(data.catalog):,} item{'s' if len(data.catalog) != 1 else ''}"]
    parts += [f"{len(data.users):,} users"] if data.users is not None else []
    parts += [f"{len(data.interactions):,} interactions"] if data.interactions is not None else []
    return ", ".join(parts)
