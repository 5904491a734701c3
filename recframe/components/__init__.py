"""The declarations that a plugin registers: a `Component` of one of six `Kind`s, or a `LoggerComponent`, each with `option`s.

Every plugin's registration module imports this package, so it must stay light: standard library only.
"""

from recframe.components.component import Component, ComponentError, nested_sections, node
from recframe.components.consistency import contradictions, require_consistent
from recframe.components.kind import CORE_SETTINGS, Kind
from recframe.components.logger import LoggerComponent
from recframe.components.memory import FLOAT, MemoryNeed, Sizes, layer_weights, memory_needs
from recframe.components.options import (
    Option,
    bounds_problems,
    describe_bounds,
    option,
    options_of,
    renamed_option,
    renamed_options,
    seed_option,
)
from recframe.components.tags import TAGS

__all__ = [
    "CORE_SETTINGS",
    "FLOAT",
    "TAGS",
    "Component",
    "ComponentError",
    "Kind",
    "LoggerComponent",
    "MemoryNeed",
    "Option",
    "Sizes",
    "bounds_problems",
    "contradictions",
    "describe_bounds",
    "layer_weights",
    "memory_needs",
    "nested_sections",
    "node",
    "option",
    "options_of",
    "renamed_option",
    "renamed_options",
    "require_consistent",
    "seed_option",
]
