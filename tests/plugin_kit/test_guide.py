"""The kit's guide: what it shows is what the kit writes, and its commands compose with the plugin that it generates."""

import re
import shlex
import tomllib
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from recframe.config import find_mistakes
from recframe.plugin_loader import discover


@pytest.fixture(scope="module")
def guide() -> str:
    return (Path(__file__).resolve().parents[2] / "docs" / "guide" / "plugin_kit.md").read_text()


def test_the_tree_in_the_guide_is_the_one_that_is_written(guide, generated):
    (tree,) = re.findall(r"^```\nrecframe-patience/\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    folders: list[str] = []
    for line in tree.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2 - 1, line.split()[0]
        folders[depth:] = [name] if name.endswith("/") else []
        if name != "...":
            assert (generated / "".join(folders[:depth]) / name).exists(), line


def test_the_settings_in_the_guide_are_those_that_are_written(guide, generated):
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    written = tomllib.loads((generated / "pyproject.toml").read_text())
    assert tomllib.loads(shown)["tool"]["pytest"]["ini_options"].items() <= written["tool"]["pytest"]["ini_options"].items()


def test_the_commands_in_the_guide_compose(guide, generated, monkeypatch):
    monkeypatch.syspath_prepend(str(generated / "src"))
    built_in = next(one for one in distributions() if one.name == "recframe").entry_points.select(group="recframe")
    found = discover([*built_in, EntryPoint("patience", "recframe_patience.plugin", "recframe")])
    assert found.failures == []
    for module in ("compose.search_path", "compose.overrides", "schema.store", "checks.validate", "checks.run"):
        monkeypatch.setattr(f"recframe.config.{module}.registry", lambda: found)
    commands = re.findall(r"^recframe train (?:-m )?(.*)$", guide, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert find_mistakes([word for word in shlex.split(command) if not word.startswith("hydra/")]) == [], command
