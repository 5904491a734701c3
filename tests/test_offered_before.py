"""After an uninstall, the message about a name that is missing says which package had it."""

import shutil
import sys
from pathlib import Path

import pytest

from recframe.config import find_mistakes
from recframe.plugin_loader import UnknownComponent, discover, record_path
from recframe.tracking import provenance

PLUGIN = """
    from pathlib import Path
    from recframe.built_in_loggers import CsvLoggerConfig
    from recframe.components import Component, LoggerComponent
    from recframe.hookspecs import hookimpl

    @hookimpl
    def recframe_register_components(register):
        register(Component("reward", "stay", CsvLoggerConfig, "nowhere:Stay"))

    @hookimpl
    def recframe_register_loggers(register):
        register(LoggerComponent("lines", CsvLoggerConfig, "nowhere:Lines"))

    @hookimpl
    def recframe_config_paths():
        return [Path(__file__).parent / "stays_conf"]
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def run_with_stays(plugin_site, monkeypatch):
    """A run with the plugin `stays` of the given version has started, after which the plugin is not loaded."""

    def start(version: str = "1.0") -> None:
        plugin_site.install("stays", PLUGIN, version, {"stays_conf/experiment/stayed.yaml": "# @package _global_\n"})
        with monkeypatch.context() as patch:
            patch.setattr(provenance, "registry", lambda: discover(plugin_site.entry_points()))
            provenance.remember_offers()
        shutil.rmtree(plugin_site.folder / f"stays-{version}.dist-info")
        del sys.modules["stays"]

    return start


@pytest.mark.parametrize(
    ("override", "key"),
    [("reward=stay", "reward"), ("experiment=stayed", "experiment"), ("logger=[csv,lines]", "logger")],
)
def test_each_name_that_a_plugin_offered_is_traced_to_its_package(run_with_stays, override, key):
    (before,) = find_mistakes([override])
    run_with_stays()
    (after,) = find_mistakes([override])
    assert after.startswith(f"{key}=")
    assert after == before + ". It came from plugin 'stays' of stays 1.0, which is not installed"


def test_a_file_of_the_users_own_that_needs_it_says_so(run_with_stays, tmp_path):
    run_with_stays()
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\ndefaults:\n  - override /reward: [stay]\n")
    (problem,) = find_mistakes(["experiment=mine"], config_dir=str(tmp_path))
    assert "mine.yaml, line 3: there is no config 'reward/stay'" in problem
    assert problem.endswith("It came from plugin 'stays' of stays 1.0, which is not installed")


def test_a_newer_version_without_the_name_and_a_plugin_that_is_left_out_are_told_apart(run_with_stays, plugin_site):
    run_with_stays()
    plugin_site.install("stays", PLUGIN.replace('"stay"', '"remain"'), "2.0")
    points = plugin_site.entry_points()
    with pytest.raises(UnknownComponent, match=r"It came from plugin 'stays' of stays 1\.0, which is version 2\.0 now$"):
        discover(points).get("reward", "stay")
    with pytest.raises(
        UnknownComponent, match=r"stays 1\.0, which is installed, but was left out\. Note: RECFRAME_PLUGINS leaves out stays"
    ):
        discover(points, "-stays").get("reward", "stay")


@pytest.mark.parametrize("content", ["", "[1]", '{"reward=stay": 3}', '{"reward=stay": {}}', "{"])
def test_a_record_that_cannot_be_read_changes_nothing(run_with_stays, cache, content):
    before = find_mistakes(["reward=stay"])
    cache.mkdir()
    record_path().write_text(content)
    assert find_mistakes(["reward=stay"]) == before


def test_a_cache_that_cannot_be_written_stops_no_run(run_with_stays, cache):
    cache.write_text("a file in the place of the folder")
    run_with_stays()
    assert cache.is_file()


def test_an_unknown_component_is_the_only_mistake_about_it():
    (problem,) = find_mistakes(["environment.name=stay"])
    assert problem.startswith("environment: no environment is called 'stay'")
