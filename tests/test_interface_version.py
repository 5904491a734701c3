"""The version of the plugin interface: a plugin states it, it is checked when the plugin is loaded, and `recframe plugins` shows it."""

import json

import pytest
from typer.testing import CliRunner

from recframe.cli.main import app
from recframe.plugin_loader import SUPPORTED, discover
from recframe.plugin_loader.interface_version import Supported, version_problem

PLUGIN = """
    from recframe.hookspecs import hookimpl

    {statement}

    @hookimpl
    def recframe_run_started(cfg): ...

    @hookimpl
    def recframe_callbacks(cfg): ...
"""


@pytest.mark.parametrize("statement", ["", f"recframe_interface = {SUPPORTED.newest}"])
def test_a_plugin_of_this_version_or_without_a_statement_is_loaded(plugin_site, statement):
    plugin_site.install("stars", PLUGIN.format(statement=statement))
    found = discover(plugin_site.entry_points())
    (plugin,) = found.plugins
    assert (plugin.plugin, plugin.interface, found.failures) == ("stars", 1, [])
    assert set(plugin.hooks) == {"recframe_run_started", "recframe_callbacks"}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            f"recframe_interface = {SUPPORTED.newest + 1}",
            f"it is written for version {SUPPORTED.newest + 1} of the plugin interface, and this recframe knows version 1. "
            "Upgrade recframe, or install an older version of stars",
        ),
        ("recframe_interface = '1'", "its recframe_interface is '1'; it is a whole number such as 1. Correct it in stars"),
        ("recframe_interface = True", "its recframe_interface is True; it is a whole number such as 1"),
        ("recframe_interface = 0", "its recframe_interface is 0; it is a whole number such as 1"),
    ],
)
def test_a_plugin_of_another_version_is_left_out_with_what_to_do(plugin_site, statement, said):
    plugin_site.install("stars", PLUGIN.format(statement=statement))
    found = discover(plugin_site.entry_points())
    (failure,) = found.failures
    assert str(failure).startswith(f"plugin 'stars' of stars was left out: {said}")
    assert found.plugins == []


def test_a_version_that_is_no_longer_supported_names_the_release_that_ended_it():
    later = Supported(oldest=3, newest=5, ended={1: "0.4", 2: "0.9"})
    assert version_problem(3, "stars", later) is None
    assert version_problem(2, "stars", later) == (
        "it is written for version 2 of the plugin interface, which recframe 0.9 has ended; this one knows versions 3 to 5",
        "Upgrade stars, or install 'recframe<0.9'",
    )


def test_every_ended_version_has_its_release():
    assert set(SUPPORTED.ended) == set(range(1, SUPPORTED.oldest))


def test_the_list_of_plugins_shows_the_version_and_the_hooks(plugin_site, monkeypatch):
    plugin_site.install("stars", PLUGIN.format(statement="recframe_interface = 1"), version="2.5")
    monkeypatch.setattr("recframe.cli.plugins.registry", lambda: discover(plugin_site.entry_points()))
    monkeypatch.setenv("COLUMNS", "140")
    listed = CliRunner().invoke(app, ["plugins"]).stdout
    (line,) = [line.split() for line in listed.splitlines() if line.startswith("stars")]
    assert line[:4] == ["stars", "stars", "2.5", "1"]
    assert {word.strip(",") for word in line[4:]} == {"run_started", "callbacks"}
    as_json = json.loads(CliRunner().invoke(app, ["plugins", "--json"]).stdout)
    assert as_json["interface"] == {"oldest": SUPPORTED.oldest, "newest": SUPPORTED.newest}
    (plugin,) = as_json["plugins"]
    assert (plugin["interface"], plugin["version"]) == (1, "2.5")
