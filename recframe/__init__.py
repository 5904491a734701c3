"""recframe: recommenders that read text with a language model and decide over time with reinforcement learning.

The top of the package imports nothing heavy, so that `recframe --help`, composing a config and refusing a wrong
one stay instant. The pieces people import:

- `recframe.components`, `recframe.hookspecs` — what a plugin's registration module needs;
- `recframe.interfaces` — what a plugin's implementation needs (imports torch);
- `recframe.runner` — `run(cfg)`, the whole job as one function;
- `recframe.testing` — the conformance checks a plugin author runs.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("recframe")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
