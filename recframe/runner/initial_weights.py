"""The weights of the policy that a run starts from (`init`), where they fit."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from safetensors import SafetensorError, safe_open
from torch import Tensor

from recframe.building.initial import InitialPolicy
from recframe.errors import UserError
from recframe.interfaces import Agent, Data
from recframe.tracking.learned_shapes import extend_items, names_of_learned_shape
from recframe.training import load_weights

log = logging.getLogger(__name__)

OF_SPEC = {"signals": "signals", "actions": "actions", "num_features": "raw features", "has_context": "texts of visits"}
"""What of a specification gives the weights their meaning, and not only their shapes."""


def load_initial_weights(initial: InitialPolicy, agent: Agent, data: Data) -> None:
    """Give an untrained agent the weights of the policy. Its optimizers, replay memory and counters are those of a new run.

    data: as the agent reads it.

    Raises
    ------
    ConfigError: the weights are of another network, have something for each item where there are more now that cannot be given to
        these, or for each user where these are others.
    """
    if problems := list(_unlike(initial, agent, data)):
        raise initial.refused("; ".join(problems))
    try:
        load_weights(agent, initial.folder.weights)
        extend_items(agent, len(data.catalog))
    except UserError as error:
        raise initial.refused(str(error)) from None
    log.info("init: starts from the weights of %s, version %s", initial.folder.path, initial.folder.version)


def _unlike(initial: InitialPolicy, agent: Agent, data: Data) -> Iterator[str]:
    spec = initial.folder.spec
    for name, words in OF_SPEC.items() if spec is not None else ():
        assert spec is not None
        there, here = _listed(spec.get(name)), _listed(getattr(agent.spec, name))
        if there != here:
            yield f"its policy was built for {words} {there}, that of this run for {here}"
    own = {name: tuple(value.shape) for name, value in agent.state_dict().items() if isinstance(value, Tensor)}
    saved = _shapes(initial)
    num_items, before = len(data.catalog), num_before(initial, data)
    taken_over, fixed = names_of_learned_shape(agent)
    # modules that can go on with more items do so once their weights are loaded
    extended = (taken_over - fixed) & saved.keys()
    # the shapes of what an agent learns from a whole log are its own
    more = num_items != before
    by_item = [name for name in saved.keys() - extended if more and before in saved[name] and num_items in own.get(name, ())]
    if by_item:
        yield (
            f"{min(by_item)} has something for each of its {before:,} items, and the {num_items - before:,} new ones would have nothing; "
            "leave them out of the data, or use a state tracker that reads items by their texts alone"
        )
    others = [] if by_item else [name for name in own.keys() - taken_over.intersection(saved) if saved.get(name) != own[name]]
    others = [name for name in sorted(others) if not name.endswith((".centre", ".scale"))]
    if others:
        shapes = [_listed(side.get(others[0])) for side in (saved, own)]
        yield f"its weights are of another network: {others[0]} is {shapes[0]} there, {shapes[1]} here; {_remedy(initial, data)}"
    users = () if data.users is None else tuple(data.users.ids)
    if initial.users and len(users) == len(initial.users) and users != initial.users:
        by_user = [name for name, shape in saved.items() if shape[:1] == (len(users),)]
        if by_user:
            yield f"{by_user[0]} has something for each of its {len(users):,} users, and those of this run are others"


def _remedy(initial: InitialPolicy, data: Data) -> str:
    """What makes the networks alike: profiles of users, if only one side has them, or else the settings."""
    has_profiles = data.users is not None and data.users.profiles is not None
    if initial.has_profiles is None or initial.has_profiles == has_profiles:
        return "use its settings"
    if has_profiles:
        return "it knows no profiles of users, and this run has some: load the data without them (such as dataset.profiles=false)"
    return "it knows profiles of users, and this run has none: load the data with them (such as dataset.profiles=true)"


def num_before(initial: InitialPolicy, data: Data) -> int:
    """The number of items that the policy knows."""
    return len(data.catalog) if initial.items is None else len(initial.items)


def _shapes(initial: InitialPolicy) -> Mapping[str, tuple[int, ...]]:
    try:
        with safe_open(initial.folder.weights, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except (SafetensorError, OSError) as error:
        raise initial.refused(f"{initial.folder.weights.name} cannot be read ({error})") from None


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
