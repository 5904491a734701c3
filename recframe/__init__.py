"""recframe: recommenders that read text with a language model and decide over time with reinforcement learning.

This module imports nothing heavy, so that `recframe --help` and the validation of a config are fast. The public modules:

- `recframe.components`, `recframe.hookspecs`: for the registration module of a plugin;
- `recframe.interfaces`: for the implementation of a plugin (imports torch);
- `recframe.item_agents`: building blocks for agents that choose items (imports torch), and `recframe.agent_options`: their options;
- `recframe.testing`: conformance checks for plugin authors;
- `recframe.config`: `compose_config`, the config of a run; `recframe.runner`: `run(cfg)`, a whole run as one function;
- `recframe.gym`: the simulators as Gymnasium environments.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("recframe")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
