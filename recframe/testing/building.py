"""Building a component as a run builds it, and what can go wrong then, in sentences that name the component."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import nn

from recframe.components import Component
from recframe.config import ConfigError, config_object, config_section
from recframe.errors import UserError
from recframe.testing.conformance import ConformanceError, require

OWN_PACKAGE = "recframe."


def where(component: Component) -> str:
    """How messages call a component."""
    return f"{component.kind} {component.name!r}"


@contextmanager
def named(component: Component) -> Iterator[None]:
    """Name the component in every error of the block. An error that its code raises becomes a `ConformanceError` with the place."""
    try:
        yield
    except ConformanceError as error:
        if not str(error).startswith(where(component)):
            error.args = (f"{where(component)}: {error}",)
        raise
    except UserError as error:
        raise ConformanceError(f"{where(component)}: {error}") from error
    except Exception as error:
        raise ConformanceError(f"{where(component)}: {_raised(error, component)}") from error


def implementation(component: Component) -> Callable[..., Any]:
    """The factory of a component, imported.

    Raises
    ------
    ConformanceError: it cannot be imported or called, or is a class that lacks methods.
    """
    module, _, attribute = component.factory.partition(":")
    its = f"{where(component)}: its factory {component.factory!r}"
    try:
        factory: Any = component.implementation or getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConformanceError(f"{its} cannot be imported: {error}") from error
    require(callable(factory), f"{its} is not callable")
    if inspect.isabstract(factory):
        missing = ", ".join(sorted(factory.__abstractmethods__))
        raise ConformanceError(f"{its} does not implement {missing}, which the interface {_interface(factory)} requires")
    return factory  # type: ignore[no-any-return]


def _interface(cls: type) -> str:
    """The class of `recframe.interfaces` that a class inherits from first."""
    bases = (base for base in cls.__mro__ if base.__module__.startswith(f"{OWN_PACKAGE}interfaces"))
    return next((base.__name__ for base in bases), "that it inherits from")


class Builder:
    """Builds a component: the config passes through the section of a run's config, and weights are drawn from a seeded generator."""

    def __init__(self, component: Component, config: Any) -> None:
        self.component = component
        self.config = config
        self.factory = implementation(component)

    def settings(self, config: Any = None) -> Any:
        """The config object that a run with these settings gives to the factory: lists in place of tuples, absolute paths.

        Raises
        ------
        ConformanceError: a run refuses the settings.
        """
        config = self.config if config is None else config
        try:
            settings = config_object(self.component, config_section(self.component, config))
        except ConfigError as error:
            raise ConformanceError(f"{where(self.component)}: a run refuses its config: {'; '.join(error.problems)}") from error
        for field in dataclasses.fields(self.component.config):
            # the factory is given the built components
            if field.metadata.get("components"):
                setattr(settings, field.name, getattr(config, field.name))
        return settings

    def __call__(self, config: Any = None, /, *, weights_seed: int = 0, **parts: Any) -> Any:
        """Build it with the arguments of its kind.

        weights_seed: what torch's global generator, which a run seeds before it builds an agent, is seeded with.

        Raises
        ------
        ConformanceError: the factory does not take these arguments, or does not call the constructor of its base class.
        """
        settings = self.settings(config)
        try:
            inspect.signature(self.factory).bind(settings, **parts)
        except TypeError as error:
            call = ", ".join(["config", *(f"{name}=" for name in parts)])
            raise ConformanceError(f"{where(self.component)}: its factory must be callable as factory({call}): {error}") from error
        with torch.random.fork_rng(), self._initialized():
            torch.manual_seed(weights_seed)
            built = self.factory(settings, **parts)
        uninitialized = isinstance(built, nn.Module) and "_parameters" not in vars(built)
        require(not uninitialized, self._without_super())
        return built

    @contextmanager
    def _initialized(self) -> Iterator[None]:
        """Say in a sentence that a constructor does not call its base class's, which torch reports at the first submodule."""
        try:
            yield
        except AttributeError as error:
            if "before Module.__init__() call" in str(error) or (isinstance(error.obj, nn.Module) and "_parameters" not in vars(error.obj)):
                raise ConformanceError(self._without_super()) from error
            raise

    def _without_super(self) -> str:
        return f"{where(self.component)}: its constructor does not call super().__init__({_ARGUMENTS.get(self.component.kind, '')}) first"


_ARGUMENTS = {"agent": "spec, seed", "state_tracker": "spec, data, item_dim"}


def _raised(error: Exception, component: Component) -> str:
    """Which method of the component raised an error, and where: the last line of its own package."""
    package = component.factory.partition(":")[0].partition(".")[0]
    frames = list(_frames(error.__traceback__))
    own = [frame for frame in frames if frame[0].partition(".")[0] == package]
    # an error in what a base class of recframe does with a value of the component
    _, method, file, line = own[0] if own else frames[-1]
    if own:
        _, _, file, line = own[-1]
    name = method.rpartition(".")[2]
    called = "its constructor" if name == "__init__" else f"{name}()"
    text = " ".join(str(error).split())
    return f"{called} raised {type(error).__name__}{f': {text}' if text else ''} ({Path(file).name}:{line})"


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, str, str, int]]:
    """(module, qualified name, file, line) of each frame of a traceback, the outermost first."""
    for frame, line in traceback.walk_tb(trace):
        yield str(frame.f_globals.get("__name__", "")), frame.f_code.co_qualname, frame.f_code.co_filename, line
