"""Imports of PyTorch Lightning and tensordict without the parts of their dependencies that a run does not use.

Two packages took 3.5 of the 5 CPU seconds of a run's imports, and no setting leaves them out:

- `torch._dynamo`, torch's compiler. tensordict and Lightning mark functions for it, and every step of an optimizer imports it to tell it
  of a break. `LazyCompiler` stands for it until anybody else asks it for anything; it then becomes the real module.
- torchmetrics, of which Lightning needs the classes `Metric` and `MetricCollection`. With the package come text metrics and so
  transformers, SciPy and Matplotlib. While Lightning is imported, a placeholder for the package has just these two, from their own
  modules; whoever imports torchmetrics afterwards gets all of it, with the same classes.

`recframe.interfaces` imports this module. What was imported before it stays as it is.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch

COMPILER, METRICS, PLOTS = "torch._dynamo", "torchmetrics", "torchmetrics.utilities.plot"

OPTIMIZER_METHODS = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
"""The methods of `torch.optim.Optimizer` that import the compiler, to be left out by it."""


class LazyCompiler(ModuleType):
    """`torch._dynamo` until it is used: it answers what a run asks of it, and is executed at the first other question."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__, self.__loader__, self.__file__ = spec, spec.loader, spec.origin
        self.__path__ = spec.submodule_search_locations or []
        self._in_graph: list[Callable[..., Any]] = []
        self._lock = threading.RLock()
        self.OptimizedModule = OptimizedModule
        self.disable = left_out

    def allow_in_graph(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Note the function for the compiler."""
        self._in_graph.append(function)
        return function

    def assume_constant_result(self, function: Any) -> Any:
        """All that the compiler's own function does."""
        function._dynamo_marked_constant = True
        return function

    def graph_break(self, msg: str = "") -> None:
        """Nothing: nothing is being compiled."""

    def __getattr__(self, name: str) -> Any:
        # tools that look through all modules ask for other attributes of the language
        if name.startswith("__"):
            raise AttributeError(name)
        self.execute()
        return getattr(self, name)

    def execute(self) -> None:
        """Become the real module."""
        with self._lock:
            if type(self) is ModuleType:
                return
            spec, noted = self.__spec__, self._in_graph
            assert spec is not None
            assert spec.loader is not None
            for name in [name for name in vars(self) if not name.startswith("__")]:
                del self.__dict__[name]
            sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, CompilerFirst)]
            self.__class__ = ModuleType  # type: ignore[assignment]
            spec.loader.exec_module(self)
            for function in noted:
                self.allow_in_graph(function)


class CompilerFirst(MetaPathFinder, Loader):
    """Executes the compiler before the first of its modules is imported, which is then there already, and stays as it is."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """A spec of the module that is there, if it is."""
        if not name.startswith(f"{COMPILER}."):
            return None
        if isinstance(lazy := sys.modules[COMPILER], LazyCompiler):
            lazy.execute()
        there = sys.modules.get(name)
        if there is None or (spec := there.__spec__) is None:
            return None
        # the import system takes the spec of a module that is there, whatever is returned here, and would execute it once more
        spec.loader_state, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module that is there."""
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Only give its spec back its loader."""
        spec = module.__spec__
        assert spec is not None
        spec.loader, spec.loader_state = spec.loader_state, None


def compiler() -> ModuleType | None:
    """torch's compiler, once it is used."""
    module = sys.modules.get(COMPILER)
    return None if isinstance(module, LazyCompiler) else module


def left_out(function: Callable[..., Any] | None = None, *arguments: Any, **options: Any) -> Any:
    """`torch._dynamo.disable` for a compiler that is not used yet: from when it is, it leaves the function out."""
    if function is None:
        return partial(left_out, **options)
    made: list[Callable[..., Any]] = []

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        if not made:
            if (used := compiler()) is None:
                return function(*given, **named)
            made.append(used.disable(function, *arguments, **options))
        return made[0](*given, **named)

    return call


class _CompiledModule(type):
    def __instancecheck__(cls, instance: object) -> bool:
        used = compiler()
        return used is not None and isinstance(instance, used.OptimizedModule)


class OptimizedModule(metaclass=_CompiledModule):
    """`torch._dynamo.OptimizedModule` for `isinstance`: nothing is one before the compiler is used."""


class Around(MetaPathFinder):
    """Executes a module, when it is imported for the first time, inside a context manager, which is given the module."""

    def __init__(self, name: str, context: Callable[[ModuleType], AbstractContextManager[None]]) -> None:
        self.name, self.context = name, context

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the other finders give."""
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def inside(module: ModuleType) -> None:
            with self.context(module):
                execute(module)

        spec.loader.exec_module = inside  # type: ignore[method-assign]
        return spec


class Placeholder(ModuleType):
    """Stands for a module within `standing`. If it is asked for what it lacks, the real module is imported after all."""

    def __init__(self, name: str, **attributes: Any) -> None:
        super().__init__(name)
        self.__dict__.update(attributes)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._remove()
        return getattr(importlib.import_module(self.__name__), name)

    @contextmanager
    def standing(self) -> Iterator[None]:
        """It is found in the module's place within the block."""
        sys.modules[self.__name__] = self
        try:
            yield
        finally:
            self._remove()

    def _remove(self) -> None:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


@contextmanager
def _few_metrics(_: ModuleType) -> Iterator[None]:
    """Within the block, torchmetrics has only what Lightning needs."""
    found = importlib.util.find_spec(METRICS)
    if METRICS in sys.modules or found is None:
        yield
        return
    package = Placeholder(METRICS, __path__=found.submodule_search_locations, __spec__=found, _logger=logging.getLogger(METRICS))
    with package.standing():
        plots = Placeholder(PLOTS, plot_single_or_multi_val=_plotted, _AX_TYPE=Any, _PLOT_OUT_TYPE=Any)
        with plots.standing():
            # metric.py cannot be imported before it
            importlib.import_module(f"{METRICS}.utilities")
            for module, name in (("metric", "Metric"), ("collections", "MetricCollection")):
                vars(package)[name] = getattr(importlib.import_module(f"{METRICS}.{module}"), name)
        yield
    sys.meta_path.insert(0, Around(METRICS, _with_its_modules))


def _plotted(*arguments: Any, **options: Any) -> Any:
    return importlib.import_module(PLOTS).plot_single_or_multi_val(*arguments, **options)


@contextmanager
def _with_its_modules(package: ModuleType) -> Iterator[None]:
    """torchmetrics starts with the modules as attributes that were imported without it."""
    prefix = f"{METRICS}."
    for name, module in list(sys.modules.items()):
        if name.startswith(prefix) and "." not in (own := name.removeprefix(prefix)):
            setattr(package, own, module)
    yield


def _install() -> None:
    if METRICS not in sys.modules and "pytorch_lightning" not in sys.modules:
        sys.meta_path.insert(0, Around("pytorch_lightning", _few_metrics))
    if COMPILER in sys.modules or (spec := importlib.util.find_spec(COMPILER)) is None:
        return
    sys.meta_path.insert(0, CompilerFirst())
    torch._dynamo = sys.modules[COMPILER] = LazyCompiler(spec)
    for name in OPTIMIZER_METHODS:
        method = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if method is not None:
            # where torch keeps what the compiler's `disable` makes of the method; if there is nothing, the first call imports the compiler
            method.__dict__.setdefault("__dynamo_disable", left_out(method, wrapping=False))


_install()
