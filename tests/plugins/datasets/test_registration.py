import importlib
import subprocess
import sys

import pytest

from recframe.components import Component, Kind, options_of
from recframe.interfaces import Dataset
from recframe_plugins.datasets import registration
from recframe_plugins.datasets.synthetic.vocabulary import TOPICS


@pytest.fixture
def components() -> dict[str, Component]:
    registered: list[Component] = []
    registration.recframe_register_components(registered.append)
    return {component.name: component for component in registered}


def test_datasets_are_registered_with_the_tags_they_provide(components):
    assert {name: component.provides for name, component in components.items()} == {
        "synthetic": {
            "users",
            "utterances?utterances",
            *(f"attribute:{name}" for name in ("topics", "title", "description", "tags")),
        },
        "movielens_format": {"interactions", "attribute:title", "attribute:genres", "attribute:year"},
        "table": {"interactions", "attribute:title", "users?profile_template", "attribute:*?items"},
        "recbole_atomic": {"interactions", "attribute:title", "users?profile_template", "attribute:*"},
        "sequences": {"interactions", "attribute:title", "attribute:*?items"},
        "bandit_log": {"interactions", "attribute:title", "attribute:*"},
        "feedback": {"interactions", "attribute:title", "users?profiles", "attribute:*"},
        "rating_matrix": {"rating_matrix", "attribute:title"},
        "synthetic_ratings": {"rating_matrix", "attribute:title"},
    }
    for component in components.values():
        assert component.kind is Kind.DATASET
        module, _, name = component.factory.partition(":")
        assert issubclass(getattr(importlib.import_module(module), name), Dataset)
        assert component.description
        assert all(option.help for option in options_of(component.config))


def test_provided_attributes_are_columns_of_the_synthetic_catalogue(components):
    from recframe_plugins.datasets.synthetic.synthetic import Synthetic

    columns = Synthetic(registration.SyntheticConfig(num_items=2, num_users=2)).load().catalog.attributes.columns
    assert {f"attribute:{column}" for column in columns} >= {tag for tag in components["synthetic"].provides if ":" in tag}


def test_maximum_number_of_topics_is_that_of_the_vocabulary():
    bounds = {option.name: option.bounds for option in options_of(registration.SyntheticConfig)}
    assert bounds["num_topics"] == f">= 2 and <= {len(TOPICS)}"


def test_registration_imports_no_heavy_modules():
    code = "import sys, recframe_plugins.datasets.registration; sys.exit(bool({'torch', 'polars', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
