"""The trial: factories are imported, their arguments compared, and parts that need no real data are built and used once."""

from __future__ import annotations

from collections.abc import Collection

from omegaconf import DictConfig, OmegaConf

from recframe.building.component import build, buildable
from recframe.building.device import choose_device
from recframe.components import Kind
from recframe.config import TRAIN, App, chosen_components
from recframe.language_models import find_model
from recframe.trial.loop import try_loop
from recframe.trial.mistakes import Mistakes
from recframe.trial.quiet import without_traces

ARGUMENTS: dict[Kind, tuple[str, ...]] = {
    Kind.DATASET: (),
    Kind.ENCODER: ("device",),
    Kind.STATE_TRACKER: ("spec", "data"),
    Kind.AGENT: ("spec", "state_tracker", "seed"),
    Kind.ENVIRONMENT: ("data", "num_users", "history_length", "split", "device"),
    Kind.REWARD: (),
}
"""The arguments of factories after the config."""


def try_components(cfg: DictConfig, unused: Collection[Kind] = (), app: App = TRAIN) -> None:
    """Try the components that a validated config names.

    Every factory is imported and can be called as it will be, encoders and rewards are built, and tracker, agent, environment and rewards
    take a few steps with toy data. What needs real data is left out: datasets, environments that are fitted or bring their own items, and
    agents that learn from a whole log. Nothing is changed that the run depends on, and what only real data can decide is not judged.

    Parameters
    ----------
    unused: kinds that will not be built.   app: the app that the config is of.

    Raises
    ------
    ComponentFailure, ConfigError: with every mistake that was found.
    """
    mistakes, device = Mistakes(), choose_device(cfg.device)
    with without_traces(device):
        chosen = {key: (component, OmegaConf.select(cfg, key)) for key, component in chosen_components(cfg, app).items()}
        own_items = any("catalog" in component.provides for component, _ in chosen.values() if component.kind is Kind.ENVIRONMENT)
        left_out = {*unused, *((Kind.DATASET, Kind.ENCODER) if own_items else ())}
        chosen = {key: (component, section) for key, (component, section) in chosen.items() if component.kind not in left_out}
        for component, _ in chosen.values():
            with mistakes.collected(anything=True):
                buildable(component, ARGUMENTS[component.kind])
        mistakes.report()
        for component, section in chosen.values():
            if component.kind in (Kind.ENCODER, Kind.REWARD):
                arguments = {"device": device} if component.kind is Kind.ENCODER else {}
                with mistakes.collected(anything=True):
                    build(component, section, **arguments)
        if cfg.get("prior") is not None and cfg.prior.model is not None:
            with mistakes.collected(anything=True):
                find_model(cfg.prior.model, cfg.prior.revision, trust_remote_code=False, key="prior.model")
        mistakes.report()
        if not own_items and not {Kind.ENVIRONMENT, Kind.REWARD} & set(unused):
            try_loop(cfg, mistakes, device, with_agent=not {Kind.AGENT, Kind.STATE_TRACKER} & set(unused))
    mistakes.report()
