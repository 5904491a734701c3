"""Generated plugins, and how the tests install them."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("copier")


@pytest.fixture(scope="session")
def generate(tmp_path_factory) -> Callable[..., Path]:
    """A new plugin with these kinds, in a folder of its own."""
    from recframe.components import Kind
    from recframe.plugin_kit.new import new_plugin

    def make(name: str, *kinds: str) -> Path:
        return new_plugin(name, [Kind(kind) for kind in kinds] or list(Kind), tmp_path_factory.mktemp("new") / name)

    return make


@pytest.fixture(scope="session")
def generated(generate) -> Path:
    """A new plugin with all kinds, which no test changes."""
    return generate("recframe-patience")
