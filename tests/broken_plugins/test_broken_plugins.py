"""Broken plugins: each fault is noticed, by a message that says what is wrong, and everything else works.

docs/results/broken_plugins.md has the table; `python -m tests.broken_plugins.test_broken_plugins` writes it.
"""

import json
import re
import tempfile
from functools import cache
from pathlib import Path

import pytest

from recframe.components import Kind
from recframe.config import compose_config
from recframe.plugin_loader import registry
from tests.broken_plugins import check_cases, check_simulation_cases, load_cases, outcome, run_cases
from tests.broken_plugins.case import Case

CHECKED = [*check_cases.CASES, *check_simulation_cases.CASES]
CASES = [*load_cases.CASES, *CHECKED, *run_cases.CASES]
TABLE = Path(__file__).parents[2] / "docs" / "results" / "broken_plugins.md"
NOTICED = {"load": "loading", "check": "the check", "run": "a run"}


def said_of(case: Case, folder: Path) -> list[str]:
    site = outcome.install(case, folder)
    if case.when == "load":
        return outcome.load(site).failures
    return outcome.check(site) if case.when == "check" else outcome.run(site, case.overrides)


def row(case: Case, said: list[str]) -> str:
    return f"| {case.what} | {NOTICED[case.when]} | `{outcome.message_of(case, said)}` |"


@cache
def written() -> list[str]:
    return [line for line in TABLE.read_text().splitlines() if line.startswith("| ")][1:]


def named(case: Case) -> str:
    return re.sub(r"\W+", "_", case.what)


@pytest.mark.parametrize("case", load_cases.CASES, ids=named)
def test_a_plugin_that_cannot_be_loaded_is_left_out_and_the_others_stay_usable(case, tmp_path):
    built_in = [(one.component, one.plugin) for one in registry().components() if one.distribution == "recframe"]
    found, said, listed = outcome.load(outcome.install(case, tmp_path))
    assert any(re.search(case.message, text) and "broken" in text for text in said), said
    assert row(case, said) in written()
    assert [(one.component, one.plugin) for one in found.components() if one.distribution == "recframe"] == built_in
    assert "sound" in found.names(Kind.REWARD)
    assert {"sound", "topic_world"} <= {component["name"] for component in json.loads(listed)["components"]}


@pytest.mark.parametrize("case", CHECKED, ids=named)
def test_the_check_says_what_is_wrong_with_a_component(case, tmp_path):
    said = said_of(case, tmp_path)
    assert any(re.search(case.message, text) for text in said), said
    assert "'broken_" in said[0].partition(":")[0], said
    assert row(case, said) in written()


@pytest.mark.parametrize("case", run_cases.CASES, ids=named)
def test_a_run_says_which_component_or_plugin_failed(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "cache"))
    said = said_of(case, tmp_path)
    assert any(re.search(case.message, text) for text in said), said
    assert row(case, said) in written()


def test_every_broken_plugin_is_named_once_and_is_in_the_table():
    kinds = [case.what for case in CASES]
    assert len(set(kinds)) == len(kinds) >= 100
    assert [line.split(" | ")[0].removeprefix("| ") for line in written()] == kinds


def test_with_all_plugins_that_cannot_be_loaded_the_default_run_composes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    site = outcome.PluginSite(tmp_path / "site")
    site.folder.mkdir()
    cases = [case for case in load_cases.CASES if not (case.files or case.beside or case.entry != "broken" or case.needs)]
    for number, case in enumerate(cases):
        site.install(f"broken{number}", case.source)
    with outcome.installed(site) as found:
        assert len({failure.plugin for failure in found.failures}) > 40
        assert compose_config(["reward=[click]"]).agent.name == "dqn"


def write_table() -> None:
    head = TABLE.read_text().partition("| what is broken")[0]
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(case, said_of(case, Path(folder))))
    TABLE.write_text(f"{head}| what is broken | noticed by | message |\n|---|---|---|\n" + "\n".join(rows) + "\n")


if __name__ == "__main__":
    write_table()
