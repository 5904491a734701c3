"""`check_component`: checks a component as a plugin registers it: its options, its factory, and what the factory builds."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
import torch

from recframe.components import Component, Kind, bounds_problems
from recframe.interfaces import Data, Environment, EnvironmentSpec, Observation
from recframe.testing.agents import check_agent
from recframe.testing.conformance import ConformanceError, require
from recframe.testing.datasets import check_dataset
from recframe.testing.encoder_options import check_options
from recframe.testing.encoders import TEXTS, check_encoder
from recframe.testing.environments import check_environment, simulate
from recframe.testing.ranking import check_ranking
from recframe.testing.rewards import check_reward
from recframe.testing.state_trackers import check_state_tracker
from recframe.testing.toy import toy_data, toy_spec
from recframe.testing.world import ToyEnvironment, ToyTracker

MANDATORY = "???"
ACTION_LOW, ACTION_HIGH = (-2.0, 0.0), (2.0, 0.5)
"""The bounds of continuous actions: unequal, and not all symmetric around zero."""


def check_component(
    component: Component,
    config: Any = None,
    data: Data | None = None,
    device: torch.device | str = "cpu",
    unvaried: Collection[str] = (),
) -> None:
    """Build a component as a run does, with small toy parts, and run its kind's check.

    An encoder is also built with other values of each of its options: where these change its vectors, its fingerprint must change, too.

    Parameters
    ----------
    config: an instance of its config dataclass; by default its defaults.
    data: data for testing trackers, agents, environments and rewards, with text vectors; by default `toy_data()`.
    device: where to build and test it.
    unvaried: options of an encoder that keep their values, such as a limit on the rate of requests, which would make the check wait.

    Raises
    ------
    ConformanceError: with what is wrong and how to fix it.
    """
    _check_options(component)
    config = _config(component, config)
    component = _filled_in(component, config)
    factory = _factory(component)
    data = (_own_data(component, factory, config) or data or toy_data()).to(device)
    _check_requirements(component, data)

    def build(settings: Any = config, /, **parts: Any) -> Any:
        try:
            inspect.signature(factory).bind(settings, **parts)
        except TypeError as error:
            call = ", ".join(["config", *(f"{name}=" for name in parts)])
            raise ConformanceError(f"{_where(component)}: its factory must be callable as factory({call}): {error}") from error
        # weights are drawn from the global generator, which a run seeds before it builds
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return factory(settings, **parts)

    _CHECKS[component.kind](component, build, data, torch.device(device))
    if component.kind is Kind.ENCODER:
        texts = [*TEXTS, *data.catalog.texts]
        check_options(lambda settings: build(settings, device=torch.device(device)), config, texts, _where(component), unvaried)


def _where(component: Component) -> str:
    return f"{component.kind} {component.name!r}"


def _check_options(component: Component) -> None:
    where = _where(component)
    require(bool(component.description), f"{where} has no description: give {component.config.__name__} a docstring of one line")
    for field in dataclasses.fields(component.config):
        require(
            bool(field.metadata.get("help")),
            f"{where}: the option {field.name!r} has no description: declare it with option(default, 'its meaning')",
        )
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if default != MANDATORY:
            problem = next(bounds_problems(default, field.metadata), None)
            require(problem is None, f"{where}: the default of {field.name!r}: {problem}")


def _config(component: Component, config: Any) -> Any:
    config = component.config() if config is None else config
    require(
        isinstance(config, component.config),
        f"{_where(component)}: config must be an instance of {component.config.__name__}, not {type(config).__name__}",
    )
    for field in dataclasses.fields(config):
        missing = isinstance(value := getattr(config, field.name), str) and value == MANDATORY
        require(not missing, f"{_where(component)}: the option {field.name!r} is mandatory: pass check_component a config that sets it")
    return config


def _filled_in(component: Component, config: Any) -> Component:
    """The component with the tags that it provides and requires under the config's settings."""
    settings = vars(config)
    for name in sorted(component.deciding_settings - settings.keys()):
        tags = ", ".join(sorted(repr(tag) for tag in component.provides | component.requires if name in tag))
        raise ConformanceError(f"{_where(component)}: {tags} depends on the option {name!r}, which {component.config.__name__} lacks")
    given, required = component.given(settings), component.required(settings)
    return dataclasses.replace(component, provides=frozenset(given), requires=frozenset(required))


def _factory(component: Component) -> Callable[..., Any]:
    if component.implementation is not None:
        return component.implementation
    module, _, attribute = component.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConformanceError(f"{_where(component)}: its factory {component.factory!r} cannot be imported: {error}") from error
    require(callable(factory), f"{_where(component)}: its factory {component.factory!r} is not callable")
    return factory  # type: ignore[no-any-return]


def _own_data(component: Component, factory: Any, config: Any) -> Data | None:
    """The data of an environment that has its own items."""
    if component.kind is not Kind.ENVIRONMENT or "catalog" not in component.provides:
        return None
    own: Data | None = getattr(factory, "own_data", lambda config: None)(config)
    where = _where(component)
    require(isinstance(own, Data), f"{where} provides 'catalog', but own_data() returns no Data: return its items, or remove the tag")
    assert own is not None
    require(own.catalog.text_vectors is not None, f"{where}: the catalogue of own_data() needs text vectors: no encoder reads it")
    return own


def _offered(data: Data) -> set[str]:
    """The tags that the data provides."""
    tags = {f"attribute:{name}" for name in data.catalog.attributes.columns} | {"attribute:*"}
    tags |= {"interactions"} if data.interactions is not None else set()
    tags |= {"rating_matrix"} if data.ratings is not None else set()
    known = data.contexts.attributes if data.contexts is not None else None
    tags |= {"utterances"} if known is not None and {"intent", "sentiment"} <= set(known.columns) else set()
    return tags | ({"users"} if data.users is not None and data.users.profiles is not None else set())


def _is_about_data(tag: str) -> bool:
    return tag in ("interactions", "users", "utterances", "rating_matrix") or tag.startswith("attribute:")


def _check_requirements(component: Component, data: Data) -> None:
    offered = _offered(data)
    for requirement in component.requires:
        about_data = [tag for tag in requirement.split("|") if _is_about_data(tag)]
        met = not about_data or bool(offered.intersection(about_data)) or len(about_data) < len(requirement.split("|"))
        require(met, f"{_where(component)} requires {requirement!r}, which the toy data lacks: pass check_component data that has it")


def _check_dataset(component: Component, build: Callable[..., Any], data: Data, device: torch.device) -> None:
    dataset = build()
    check_dataset(dataset)
    offered = _offered(dataset.load())
    for tag in component.provides:
        require(
            not _is_about_data(tag) or tag in offered,
            f"{_where(component)} provides {tag!r}, but does not load it: load it, or remove the tag",
        )


def _check_encoder(component: Component, build: Callable[..., Any], data: Data, device: torch.device) -> None:
    check_encoder(build(device=device))
    one, same, other = (build(device=device) for _ in range(3))
    one.fit(list(TEXTS))
    same.fit(list(TEXTS))
    other.fit(data.catalog.texts)
    require(
        one.fingerprint == same.fingerprint and np.allclose(one.encode(TEXTS, "item"), same.encode(TEXTS, "item"), atol=1e-5),
        f"{_where(component)}: two encoders of one config, fitted on the same texts, differ: "
        "seed their random draws, and use no ids or times in the fingerprint",
    )
    left, right = one.encode(TEXTS, "item"), other.encode(TEXTS, "item")
    alike = left.shape == right.shape and np.allclose(left, right, atol=1e-5)
    require(
        alike or one.fingerprint != other.fingerprint,
        f"{_where(component)}: fitted on other texts, it gives other vectors under the same fingerprint: include what fit() learned",
    )


def _check_state_tracker(component: Component, build: Callable[..., Any], data: Data, device: torch.device) -> None:
    variants: list[tuple[Data, dict[str, Any]]] = [
        (data, {}),
        (data, {"has_context": True, "num_features": 3}),
        (data, {"history_length": 1, "signals": ("click",), "slate_size": 3}),
    ]
    if "users" not in component.requires:
        variants.append((data._replace(users=None, contexts=None), {}))
    needed = {"num_features": 3} if "features" in component.requires else {}
    for around, choices in variants:
        spec = toy_spec(around, **(needed | choices))
        check_state_tracker(build(spec=spec, data=around), spec, around)


def _check_agent(component: Component, build: Callable[..., Any], data: Data, device: torch.device) -> None:
    for spec in _agent_specs(component, data):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            tracker = ToyTracker(spec, data)
        agent, environment = build(spec=spec, state_tracker=tracker, seed=0), ToyEnvironment(spec, data)
        if ranks := "ranks" in component.provides and spec.actions == "items":
            check_ranking(agent, environment.reset(2))
        check_agent(agent, environment)
        if ranks:
            check_ranking(agent, environment.reset(2))


def _agent_specs(component: Component, data: Data) -> Iterator[EnvironmentSpec]:
    """Specifications with each kind of actions that the agent supports; by default items."""
    actions = {tag for requirement in component.requires for tag in requirement.split("|") if tag.startswith("actions:")}
    none: dict[str, Any] = {}
    rich: dict[str, Any] = {"has_context": data.contexts is not None, "num_features": 3}
    # sequences of a log have neither a context nor features
    sequences = "experience:sequences" in component.requires
    if not actions or "actions:items" in actions:
        for slate_size in (1, 3) if "slates" in component.provides else (1,):
            restricted = {"num_candidates": 9, "num_excluded": 4}
            for choices in (none, restricted) if sequences else (none, restricted, rich):
                yield toy_spec(data, slate_size=slate_size, **choices)
    if "actions:continuous" in actions:
        for choices in (none, rich):
            spec = toy_spec(data, **choices)
            yield dataclasses.replace(spec, actions="continuous", action_low=ACTION_LOW, action_high=ACTION_HIGH)


def _check_environment(component: Component, build: Callable[..., Any], data: Data, device: torch.device) -> None:
    where = _where(component)
    users: dict[str, set[int]] = {}
    for split in ("train", "evaluation"):
        environment = build(data=data, num_users=6, history_length=5, split=split, device=device)
        check_environment(environment, data)
        spec = environment.spec
        asked = (spec.num_users, spec.history_length, spec.num_items) == (6, 5, len(data.catalog))
        require(asked, f"{where}: its spec must have the num_users, history_length and number of items that it was built with")
        _check_declared(component, environment, spec)
        users[split] = {user for observation in _observations(environment) for user in observation.user.tolist()}
    if any(tag in requirement.split("|") for requirement in component.requires for tag in ("users", "interactions", "rating_matrix")):
        require(
            users["train"].isdisjoint(users["evaluation"]),
            f"{where}: users of the evaluation split are in training too: split the users",
        )


def _check_declared(component: Component, environment: Environment, spec: EnvironmentSpec) -> None:
    where = _where(component)
    for signal in spec.signals:
        require(f"signal:{signal}" in component.provides, f"{where} gives the signal {signal!r}: declare provides={{'signal:{signal}'}}")
    declared = "context" in component.provides
    require(declared == spec.has_context, f"{where}: spec.has_context is {spec.has_context}: declare provides={{'context'}} if it is true")
    require(
        spec.slate_size == 1 or "slates" in component.provides, f"{where} takes slates of {spec.slate_size}: declare provides={{'slates'}}"
    )
    has_truth = environment.truth() is not None
    require("truth" not in component.provides or has_truth, f"{where} provides 'truth', but truth() is None: return it, or remove the tag")
    require(
        "truth" in component.provides or not has_truth, f"{where} has a truth(): declare provides={{'truth'}}, for the oracle to use it"
    )


def _observations(environment: Environment) -> Iterator[Observation]:
    for seed in range(3):
        yield from (step.observation for _, _, step in simulate(environment, environment.reset(seed), 30))


def _check_reward(component: Component, build: Callable[..., Any], data: Data, device: torch.device) -> None:
    tags = [tag for requirement in component.requires for tag in requirement.split("|")]
    signals = tuple(tag.removeprefix("signal:") for tag in tags if tag.startswith("signal:"))
    try:
        # only the declared signals, so that reading any other fails
        check_reward(build(), data, signals or ("undeclared",), itemwise="itemwise" in component.provides)
    except KeyError as error:
        raise ConformanceError(
            f"{_where(component)} reads {error}, which it does not declare: add requires={{'signal:<name>'}} for each signal it reads"
        ) from error


_CHECKS: dict[Kind, Callable[[Component, Callable[..., Any], Data, torch.device], None]] = {
    Kind.DATASET: _check_dataset,
    Kind.ENCODER: _check_encoder,
    Kind.STATE_TRACKER: _check_state_tracker,
    Kind.AGENT: _check_agent,
    Kind.ENVIRONMENT: _check_environment,
    Kind.REWARD: _check_reward,
}
