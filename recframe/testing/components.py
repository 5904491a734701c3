"""`check_component`: checks a component as a plugin registers it: its options, its factory, and what the factory builds."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

import torch

from recframe.components import Component, ComponentError, Kind, bounds_problems
from recframe.components.tags import misspelt
from recframe.interfaces import Data
from recframe.plugin_loader import check_schema
from recframe.testing.building import Builder, named, where
from recframe.testing.component_kinds import CHECKS, is_about_data, offered_by
from recframe.testing.conformance import ConformanceError, DataNeeded, require
from recframe.testing.encoder_options import check_options
from recframe.testing.encoders import TEXTS
from recframe.testing.toy import toy_data

MANDATORY = "???"


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
    config: an instance of its config dataclass; by default its defaults. It passes through a section of a run's config, as in a run.
        Components in it are given built.
    data: data for testing trackers, agents, environments and rewards, with text vectors; by default `toy_data()`.
    device: where to build and test it.
    unvaried: options of an encoder that keep their values, such as a limit on the rate of requests, which would make the check wait.

    Raises
    ------
    ConformanceError: with the component, what is wrong and how to fix it.   DataNeeded: it requires what `data` lacks.
    """
    with named(component):
        _check_options(component)
        build = Builder(component, _config(component, config))
        settings = build.settings()
        component = _filled_in(component, settings)
        data = (_own_data(component, build.factory, settings) or data or toy_data()).to(device)
        _check_tags(component)
        _check_requirements(component, data)
        if component.kind is Kind.ENVIRONMENT and "questions" in component.provides:
            data = _with_questions(component, build.factory, settings, data)
        CHECKS[component.kind](component, build, data, torch.device(device))
        if component.kind is Kind.ENCODER:
            texts = [*TEXTS, *data.catalog.texts]
            check_options(lambda varied: build(varied, device=torch.device(device)), build.config, texts, where(component), unvaried)


def _check_options(component: Component) -> None:
    its = where(component)
    require(bool(component.description), f"{its} has no description: give {component.config.__name__} a docstring of one line")
    try:
        check_schema(component)
    except ComponentError as error:
        raise ConformanceError(str(error)) from error
    for field in dataclasses.fields(component.config):
        require(
            bool(field.metadata.get("help")),
            f"{its}: the option {field.name!r} has no description: declare it with option(default, 'its meaning')",
        )
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if default != MANDATORY:
            problem = next(bounds_problems(default, field.metadata), "")
            require(not problem, f"{its}: the default of {field.name!r}: {problem}")


def _config(component: Component, config: Any) -> Any:
    config = component.config() if config is None else config
    require(
        isinstance(config, component.config),
        f"{where(component)}: config must be an instance of {component.config.__name__}, not {type(config).__name__}",
    )
    for field in dataclasses.fields(config):
        missing = isinstance(value := getattr(config, field.name), str) and value == MANDATORY
        require(not missing, f"{where(component)}: the option {field.name!r} is mandatory: pass check_component a config that sets it")
    return config


def _filled_in(component: Component, config: Any) -> Component:
    """The component with the tags that it provides and requires under the config's settings."""
    settings = vars(config)
    for name in sorted(component.deciding_settings - settings.keys()):
        tags = ", ".join(sorted(repr(tag) for tag in component.provides | component.requires if name in tag))
        raise ConformanceError(f"{where(component)}: {tags} depends on the option {name!r}, which {component.config.__name__} lacks")
    given, required = component.given(settings), component.required(settings)
    return dataclasses.replace(component, provides=frozenset(given), requires=frozenset(required))


def _check_tags(component: Component) -> None:
    for verb, tags in (("provides", component.provides), ("requires", component.requires)):
        for tag in sorted(one for alternatives in tags for one in alternatives.split("|")):
            close = misspelt(tag)
            require(close is None, f"{where(component)} {verb} {tag!r}, which is no tag of recframe: did you mean {close!r}?")


def _own_data(component: Component, factory: Any, config: Any) -> Data | None:
    """The data of an environment that has its own items."""
    if component.kind is not Kind.ENVIRONMENT or "catalog" not in component.provides:
        return None
    own: Data | None = getattr(factory, "own_data", lambda config: None)(config)
    its = where(component)
    require(isinstance(own, Data), f"{its} provides 'catalog', but own_data() returns no Data: return its items, or remove the tag")
    assert own is not None
    require(own.catalog.text_vectors is not None, f"{its}: the catalogue of own_data() needs text vectors: no encoder reads it")
    return own


def _with_questions(component: Component, factory: Any, config: Any, data: Data) -> Data:
    """The data to which the environment has added its questions."""
    asked: Data = factory.training_data(config, data)
    its = where(component)
    require(asked.catalog.num_questions > 0, f"{its} provides 'questions': add them in training_data(), by Data.with_questions")
    return asked


def _check_requirements(component: Component, data: Data) -> None:
    offered = offered_by(data)
    for requirement in component.requires:
        about_data = [tag for tag in requirement.split("|") if is_about_data(tag)]
        met = not about_data or bool(offered.intersection(about_data)) or len(about_data) < len(requirement.split("|"))
        if not met:
            raise DataNeeded(
                f"{where(component)} requires {requirement!r}, which the toy data lacks: pass check_component data that has it"
            )
