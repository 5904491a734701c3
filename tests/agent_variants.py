"""The check of an agent under other options than its defaults, which pass the whole check: where most can go wrong, and not everywhere."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

from recframe.components import Component
from recframe.interfaces import Data, EnvironmentSpec
from recframe.testing import check_component, component_kinds

every_spec = component_kinds._agent_specs


def check_variant(component: Component, config: Any) -> None:
    """`check_component` of an agent in the specifications with its largest slates that restrict what it may show, or tell it more."""

    def richest(component: Component, data: Data) -> Iterator[EnvironmentSpec]:
        specs = list(every_spec(component, data))
        assert len(specs) > 1
        for spec in specs:
            tells = spec.num_candidates > 0 or spec.num_features > 0
            if tells and spec.slate_size == max(one.slate_size for one in specs if one.actions == spec.actions):
                yield spec

    with mock.patch.object(component_kinds, "_agent_specs", richest):
        check_component(component, config)
