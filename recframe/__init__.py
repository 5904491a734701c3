"""recframe: recommenders that read text with a language model and decide over time with reinforcement learning.

The Python API is in this module. Its names are imported when they are first used: this module itself imports nothing heavy, so that
`recframe --help` and the validation of a config are fast.

- `compose`, `run`, `resume`, `load_result`: runs and their results;
- `build`, `registered`: components, also those that were defined in a notebook;
- `load_policy`: a trained policy that recommends; `export`: a policy as a folder of its own;
- `explain`: why a policy recommends an item.

Other public modules:

- `recframe.components`, `recframe.hookspecs`: for the registration module of a plugin;
- `recframe.interfaces`: for the implementation of a plugin (imports torch);
- `recframe.item_agents`: building blocks for agents that choose items (imports torch), and `recframe.agent_options`: their options;
- `recframe.testing`: conformance checks for plugin authors;
- `recframe.runner`: `evaluate`, and what a run tells plugins;
- `recframe.gym`: the simulators as Gymnasium environments.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from recframe.lazy_imports import lazy_names

if TYPE_CHECKING:
    from recframe.api.components import build
    from recframe.api.configs import compose
    from recframe.api.runs import Interrupted, resume, run
    from recframe.api.session import registered
    from recframe.explanations.explain import explain
    from recframe.runner.results import RunResult, load_result
    from recframe.serving.artefact.write import export
    from recframe.serving.load import load_policy
    from recframe.serving.policy import LoadedPolicy

try:
    __version__ = version("recframe")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = [
    "Interrupted",
    "LoadedPolicy",
    "RunResult",
    "__version__",
    "build",
    "compose",
    "explain",
    "export",
    "load_policy",
    "load_result",
    "registered",
    "resume",
    "run",
]

_HOMES = {
    "Interrupted": "recframe.api.runs",
    "LoadedPolicy": "recframe.serving.policy",
    "RunResult": "recframe.runner.results",
    "build": "recframe.api.components",
    "compose": "recframe.api.configs",
    "explain": "recframe.explanations.explain",
    "export": "recframe.serving.artefact.write",
    "load_policy": "recframe.serving.load",
    "load_result": "recframe.runner.results",
    "registered": "recframe.api.session",
    "resume": "recframe.api.runs",
    "run": "recframe.api.runs",
}
"""The modules of the lazy names."""


__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
