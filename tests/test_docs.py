"""The documents: what they show works, and what they name exists."""

import ast
import importlib
import json
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from recframe.components import Component, Kind
from recframe.testing import check_component

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
WRITTEN = [path for path in DOCUMENTS if path.parent.name != "reference"]
# choices and files that are the examples' own
EXAMPLES = {
    *("experiment=mine", "study=mine", "study=two_agents", "experiment=patience", "agent=patient_dqn", "agent=dqn,patient_dqn"),
    *(
        "conf/experiment/mine.yaml",
        "conf/study/mine.yaml",
        "conf/study/two_agents.yaml",
        "conf/labels/mine.yaml",
        "conf/agent/dqn.yaml",
        "conf/agent/linucb.yaml",
        "conf/agent/patient_dqn.yaml",
    ),
}
READERS_MODULES = ("recframe_patience", "recframe_weights")
LONGEST_LINE = 120
KIT_GUIDE = PROJECT / "docs" / "guide" / "plugin_kit.md"
"""Its commands use the plugin that it generates: see tests/plugin_kit/test_guide.py."""


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def commands_of(path: Path) -> list[tuple[str, str, str]]:
    """(app, `-m` or nothing, overrides) of each command of its own line."""
    text = re.sub(r" *\\\n *", " ", path.read_text())
    return re.findall(r"^ *recframe (train|pretrain) +(-m +)?(.*?)(?: +#.*| {3,}.*)?$", text, re.MULTILINE)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors_of(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def python_blocks(guide: str) -> dict[str, str]:
    """The tutorial's files by name."""
    return {match[1]: match[2] for match in re.finditer(r"```python\n# (\S+?):? [^\n]*\n(.*?)```", guide, re.DOTALL)}


# --- the tutorial's plugin


@pytest.fixture
def tutorial() -> str:
    """The pages on which the plugin is made."""
    return "\n".join((PROJECT / "docs" / "tutorial" / f"{page}.md").read_text() for page in ("reward", "agent", "testing", "publishing"))


@pytest.mark.slow
def test_the_plugin_of_the_tutorial_works_as_printed(warm_recframe, plugin_site, tutorial, tmp_path):
    blocks = python_blocks(tutorial)
    agent = {"recframe_patience/myopic_config.py", "recframe_patience/myopic.py"}
    tests = {"tests/test_plugin.py", "tests/test_stay.py"}
    assert set(blocks) == {"recframe_patience/plugin.py", "recframe_patience/stay.py", *tests, *agent}
    # the agent is registered in the same function as the reward, and the experiment is in the package
    (agents_registration, hook) = re.findall(r"```python\n((?:register\(|@hookimpl).*?)```", tutorial, re.DOTALL)
    (experiment,) = re.findall(r"```yaml\n(.*?)```", tutorial, re.DOTALL)
    top = "from pathlib import Path\nfrom recframe_patience.myopic_config import MyopicConfig\n"
    plugin = top + blocks["recframe_patience/plugin.py"] + textwrap.indent(agents_registration, "    ") + hook
    files = {name: text for name, text in blocks.items() if not name.startswith("tests")} | {
        "recframe_patience/__init__.py": "",
        "recframe_patience/plugin.py": plugin,
        "recframe_patience/conf/experiment/patience.yaml": experiment,
    }
    hooks = "recframe_config_paths, recframe_register_components"
    plugin_site.install("patience", f"from recframe_patience.plugin import {hooks}", files=files)
    quick = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "hydra.run.dir=run"]
    warm_recframe("train", "experiment=patience", *quick, site=plugin_site.folder, check=True)
    assert "eval/reward/stay" in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    # what else the pages do with it: the experiment above has its reward, and the agent conforms (below)
    commands = dict.fromkeys(re.findall(r"^    recframe ((?:train|plugins show) .*stay.*?)(?: *#.*)?$", tutorial, re.MULTILINE))
    assert len(commands) == 3
    for command in commands:
        dry = ["--cfg", "job"] if command.startswith("train") else []
        assert "stay" in warm_recframe(*shlex.split(command), *dry, site=plugin_site.folder, check=True).stdout
    namespace: dict = {}
    for test in sorted(tests):
        exec(blocks[test], namespace)
    namespace["test_stay"]()
    namespace["test_those_who_leave_earn_nothing"]()


@pytest.mark.parametrize("whole_catalog_items", [5_000, 10])
def test_the_agent_of_the_tutorial_conforms(tutorial, tmp_path, monkeypatch, whole_catalog_items):
    blocks = python_blocks(tutorial)
    # under a name of its own, since the other test's package may have been imported
    package = tmp_path / "guide_agent"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("myopic_config.py", "myopic.py"):
        (package / name).write_text(blocks[f"recframe_patience/{name}"])
    monkeypatch.syspath_prepend(tmp_path)
    from guide_agent.myopic_config import MyopicConfig

    (registration,) = (block for block in re.findall(r"```python\n(register\(.*?)```", tutorial, re.DOTALL))
    registered: list[Component] = []
    names = {"Component": Component, "Kind": Kind, "MyopicConfig": MyopicConfig, "register": registered.append}
    exec(registration.replace("recframe_patience.", "guide_agent."), names)
    check_component(registered[0], MyopicConfig(whole_catalog_items=whole_catalog_items, working_items=24))


def test_the_modules_that_the_guide_offers_to_agents_have_the_names_it_lists():
    guide = (PROJECT / "docs" / "guide" / "plugins.md").read_text()
    rows = re.findall(r"^\| `(recframe\.(?:item_agents|agent_options)\S*)`: (.+?) \|", guide, re.MULTILINE)
    assert len(rows) >= 5
    for module, names in rows:
        for name in re.findall(r"`(\w+)`", names):
            assert hasattr(importlib.import_module(module), name), (module, name)


# --- commands and code


def runs_of(words: list[str]) -> list[list[str]]:
    """Runs of a sweep in which each choice of each word occurs, of seeds only the first."""
    choices = [[word] if "[" in word or "'" in word else word.partition("=")[2].split(",") for word in words]
    pairs = [(word.partition("=")[0], each[:1] if word.startswith("seed=") else each) for word, each in zip(words, choices, strict=True)]
    number = max(len(each) for _, each in pairs)
    return [[each[0] if "=" in each[0] else f"{key}={each[i % len(each)]}" for key, each in pairs] for i in range(number)]


@cache
def mistakes_in(app: str, *words: str, searched: bool = False) -> list[str]:
    from recframe.config import APPS, find_mistakes

    return find_mistakes(words, app=APPS[app], searched=searched)


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if commands_of(path) and path != KIT_GUIDE], ids=name_of)
def test_commands_in_the_documents_compose(path, monkeypatch):
    for app, sweep, command in commands_of(path):
        for variable in re.findall(r"api_key_variable=(\w+)", command):
            monkeypatch.setenv(variable, "a key of the reader's")
        words = [word for word in shlex.split(command) if not word.startswith(("resume=", "init=", "hydra"))]
        # the readers' own files, folders and plugins do not exist here
        theirs = r"(path|items|interactions)=(FOLDER(/\S+)?|FILE|(reviews|ratings|films)\.csv|products\.jsonl\.gz)$"
        words = [re.sub(theirs, rf"\1={PROJECT}", word).replace(",stay]", "]") for word in words]
        words = [
            word
            for word in words
            if word not in EXAMPLES and not word.endswith("=...") and "stay.weight" not in word and word != "agent=myopic"
        ]
        searched = "hydra/sweeper=optuna" in command or "study=" in command
        for run in runs_of(words) if sweep and not searched else [words]:
            assert mistakes_in(app, *run, searched=searched) == [], command


def test_the_documents_with_commands_are_found():
    found = {name_of(path): len(commands_of(path)) for path in WRITTEN}
    assert all(found[name] >= 2 for name in ("README.md", "docs/guide/agents.md", "docs/guide/encoders.md", "docs/results/agents.md")), (
        found
    )
    assert sum(found.values()) >= 60


@pytest.mark.parametrize("name", ["README.md", "docs/guide/experiments.md"])
def test_mistakes_are_answered_as_the_documents_show(name):
    from recframe.config import find_mistakes

    (command, shown) = re.findall(r"^    \$ recframe train (.*)\n((?:    .*\n)+)", (PROJECT / name).read_text(), re.MULTILINE)[0]
    heading, *lines = [line.strip() for line in shown.splitlines()]
    found = find_mistakes(shlex.split(command))
    assert heading == f"recframe: {len(found)} mistakes"
    for line, problem in zip(lines, found, strict=True):
        assert f"- {problem}".startswith(line.removesuffix("...").rstrip()), problem


def test_make_targets_in_the_documents_exist():
    targets = set(re.findall(r"^(\w+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for path in WRITTEN:
        assert set(re.findall(r"^ *make (\w+)", path.read_text(), re.MULTILINE)) <= targets, path
    assert {"make demo", "make test"} <= set(re.findall(r"^ *(make \w+)", (PROJECT / "README.md").read_text(), re.MULTILINE))


def code_blocks() -> Iterator[tuple[Path, str, str]]:
    for path in WRITTEN:
        yield from (
            (path, language, code) for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)
        )


def test_code_blocks_parse_and_import_what_exists():
    found = list(code_blocks())
    assert {language for _, language, _ in found} == {"json", "python", "yaml", "toml"}
    for path, language, code in found:
        if language == "python":
            compile(code, str(path), "exec")
            for node in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)):
                if node.module.startswith("recframe") and not node.module.startswith(READERS_MODULES):
                    names = [alias.name for alias in node.names]
                    assert all(hasattr(importlib.import_module(node.module), name) for name in names), (path, node.module, names)
        else:
            {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}[language](code)


@pytest.mark.parametrize("experiment", ["intent_aware", "semantic_dqn", "embedding_lstm_two_head"])
def test_commands_in_the_comment_of_an_experiment_compose(experiment):
    from recframe.config import find_mistakes

    text = (PROJECT / "conf" / "experiment" / f"{experiment}.yaml").read_text()
    own, *others = re.findall(r"^# +recframe train +(.*)$", text, re.MULTILINE)
    assert own == f"experiment={experiment}"
    assert others
    for command in others:
        assert find_mistakes(shlex.split(command)) == [], command


# --- links, paths, form


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text())):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.is_file(), target
        assert not anchor or anchor in anchors_of(found), target


def test_every_document_is_reachable_from_the_index():
    reached, waiting = set(), [PROJECT / "docs" / "index.md"]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            targets = re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", path.read_text())
            waiting += [(path.parent / target).resolve() for target in targets if "://" not in target]
    assert reached == set(DOCUMENTS)


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_files_and_folders_named_in_the_documents_exist(path):
    for named in re.findall(r"`((?:recframe|plugins|conf|tests|benchmarks|docs)/[\w/.\-]*)`", path.read_text()):
        assert named in EXAMPLES or (PROJECT / named).exists(), named


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_lines_are_wrapped_except_in_tables_and_code(path):
    lines = without_code(path.read_text()).splitlines()
    assert [line for line in lines if len(line) > LONGEST_LINE and not line.startswith(("|", "    "))] == []


def test_no_figure_was_left_to_be_filled_in():
    for path in DOCUMENTS:
        assert re.findall(r"@[A-Z_]+@|TODO", path.read_text()) == [], path
