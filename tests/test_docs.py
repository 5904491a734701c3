"""What the documents show works as shown."""

import importlib
import re
import shlex

import pytest

from recframe.components import Component, Kind
from recframe.testing import check_component


def python_blocks(guide):
    """The guide's files by name."""
    return {match[1]: match[2] for match in re.finditer(r"```python\n# (\S+?):? [^\n]*\n(.*?)```", guide, re.DOTALL)}


@pytest.mark.slow
def test_the_plugin_of_the_guide_works_as_printed(warm_recframe, plugin_site, project_root, tmp_path):
    blocks = python_blocks((project_root / "docs" / "plugins.md").read_text())
    agent = {"recframe_patience/myopic_config.py", "recframe_patience/myopic.py"}
    assert set(blocks) == {"recframe_patience/plugin.py", "recframe_patience/stay.py", "tests/test_plugin.py", *agent}
    files = {**{name: text for name, text in blocks.items() if not name.startswith("tests")}, "recframe_patience/__init__.py": ""}
    plugin_site.install("patience", "from recframe_patience.plugin import recframe_register_components", files=files)
    quick = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "hydra.run.dir=run"]
    command = ["train", "reward=[click,stay]", "reward.stay.weight=0.1", *quick]
    warm_recframe(*command, site=plugin_site.folder, check=True)
    assert "eval/reward/stay" in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    namespace: dict = {}
    exec(blocks["tests/test_plugin.py"], namespace)
    namespace["test_stay"]()


@pytest.mark.parametrize("whole_catalog_items", [5_000, 10])
def test_the_agent_of_the_guide_conforms(project_root, tmp_path, monkeypatch, whole_catalog_items):
    blocks = python_blocks((project_root / "docs" / "plugins.md").read_text())
    # under a name of its own, since the other test's package may have been imported
    package = tmp_path / "guide_agent"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("myopic_config.py", "myopic.py"):
        (package / name).write_text(blocks[f"recframe_patience/{name}"])
    monkeypatch.syspath_prepend(tmp_path)
    from guide_agent.myopic_config import MyopicConfig

    component = Component(
        Kind.AGENT,
        "myopic",
        MyopicConfig,
        "guide_agent.myopic:Myopic",
        provides={"slates"},
        requires={"actions:items", "experience:replay"},
    )
    check_component(component, MyopicConfig(whole_catalog_items=whole_catalog_items, working_items=24))


def test_the_parts_that_the_guide_offers_to_agents_are_there(project_root):
    guide = (project_root / "docs" / "plugins.md").read_text()
    rows = re.findall(r"^\| `(recframe\.(?:item_agents|agent_options)\S*)`: (.+?) \|", guide, re.MULTILINE)
    assert len(rows) >= 5
    for module, names in rows:
        for name in re.findall(r"`(\w+)`", names):
            assert hasattr(importlib.import_module(module), name), (module, name)


def runs_of(words):
    """Runs of a sweep in which each choice of each word comes up, seeds but for the first."""
    choices = [[word] if "[" in word else word.partition("=")[2].split(",") for word in words]
    pairs = [(word.partition("=")[0], each[:1] if word.startswith("seed=") else each) for word, each in zip(words, choices, strict=True)]
    count = max(len(each) for _, each in pairs)
    return [[each[0] if "=" in each[0] else f"{key}={each[i % len(each)]}" for key, each in pairs] for i in range(count)]


@pytest.mark.parametrize("document", ["README.md", "docs/language.md", "docs/agents.md", "docs/agent_results.md", "docs/simulators.md"])
def test_the_documents_name_only_commands_and_choices_that_exist(project_root, document):
    from recframe.config import APPS, find_mistakes

    text = re.sub(r" *\\\n *", " ", (project_root / document).read_text())
    commands = re.findall(r"^ *recframe (train|pretrain) +(-m +)?(.*?)(?: +#.*)?$", text, re.MULTILINE)
    assert len(commands) >= 4
    for app, sweep, command in commands:
        words = [word for word in shlex.split(command) if not word.startswith(("resume=", "hydra"))]
        # the example's own files and folders are not here
        words = [re.sub(r"path=(FOLDER|FILE)$", f"path={project_root}", word) for word in words if word != "experiment=mine"]
        for run in runs_of(words) if sweep else [words]:
            assert find_mistakes(run, app=APPS[app]) == [], command
    for target in ("make demo", "make test") if document == "README.md" else ():
        assert target in text


@pytest.mark.parametrize("experiment", ["intent_aware", "semantic_dqn", "embedding_lstm_two_head"])
def test_the_plain_agent_beside_an_experiment_can_be_typed_as_its_comment_says(project_root, experiment):
    from recframe.config import find_mistakes

    text = (project_root / "conf" / "experiment" / f"{experiment}.yaml").read_text()
    own, *others = re.findall(r"^# +recframe train +(.*)$", text, re.MULTILINE)
    assert own == f"experiment={experiment}"
    assert others
    for command in others:
        assert find_mistakes(shlex.split(command)) == [], command


def test_no_figure_was_left_to_be_filled_in(project_root):
    for path in (project_root / "README.md", *(project_root / "docs").glob("*.md")):
        assert re.findall(r"@[A-Z_]+@", path.read_text()) == [], path
