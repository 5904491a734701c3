"""`recframe plugins new`: what it writes is a whole plugin, and what it refuses is left as it was."""

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recframe.cli.main import app
from recframe.components import Kind
from recframe.errors import UserError
from recframe.plugin_kit import new
from recframe.plugin_kit.names import NameRefused, PluginNames
from recframe.plugin_loader import discover, registry


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The registry with the plugin of a project folder alone."""
    monkeypatch.syspath_prepend(str(folder / "src"))
    points = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]["recframe"]
    return discover([EntryPoint(name, value, "recframe") for name, value in points.items()])


@pytest.mark.parametrize("kind", Kind)
def test_a_plugin_of_one_kind_has_the_files_of_this_kind_only(generate, monkeypatch, kind):
    folder = generate(f"recframe-only-{kind}", kind)
    found = loaded(folder, monkeypatch)
    assert found.failures == []
    assert [(one.component.kind, one.component.name) for one in found.components()] == [(kind, f"only_{kind}")]
    package = folder / "src" / f"recframe_only_{kind}"
    assert sorted(path.stem for path in package.glob("*_config.py")) == [f"{kind}_config"]
    assert [path.stem for path in (folder / "tests").iterdir()] == [f"test_{kind}"]
    assert {path.parent.name for path in package.glob("conf/*/*.yaml")} <= {kind.value, "experiment"}
    assert (package / "sample").exists() == (kind is Kind.DATASET)


def test_the_files_of_a_new_plugin_are_linted_and_formatted(generated):
    ruff = str(Path(sys.executable).with_name("ruff"))
    for arguments in (["check"], ["format", "--check"]):
        done = subprocess.run([ruff, *arguments, "--no-cache", "."], cwd=generated, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_every_file_has_one_class_and_every_function_is_annotated(generated):
    for path in generated.rglob("*.py"):
        tree = ast.parse(path.read_text())
        assert sum(isinstance(node, ast.ClassDef) for node in tree.body) <= 1, path
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        assert [node.name for node in functions if node.returns is None] == [], path


def test_the_plugin_states_the_interface_that_it_is_written_for(generated):
    assert "\nrecframe_interface = 1\n" in (generated / "src" / "recframe_patience" / "plugin.py").read_text()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("my plugin", "'my plugin' is not a name for a package; letters, digits and - are right, as in recframe-patience"),
        ("../patience", "'../patience' is not a name for a package"),
        ("2fast", "'2fast' cannot be imported, as it is not an identifier of Python"),
        ("class", "'class' is a keyword of Python"),
        ("recframe-import", "'import' is a keyword of Python"),
        ("json", "'json' is a module of Python itself"),
        ("recframe", "'recframe' is recframe's own"),
        ("recframe-", "'recframe-' is not a name for a package"),
        ("Torch", "the name 'Torch' is taken: Torch 2."),
        ("recframe_plugins", "'recframe_plugins' is recframe's own"),
        ("builtin-agents", "plugin 'builtin_agents' of recframe is installed"),
        ("recframe-dqn", "recframe has the agent 'dqn'; choose another NAME"),
        ("recframe-cartpole", "a config of recframe is called experiment/cartpole"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path, name, reason):
    with pytest.raises(NameRefused) as error:
        new.new_plugin(name, [Kind.AGENT], tmp_path / "new")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_another_kind_is_free():
    PluginNames("recframe-dqn").require_free([Kind.REWARD], registry())


def test_a_folder_with_files_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    done = CliRunner().invoke(app, ["plugins", "new", "recframe-solitude", "--kind", "agent", "--output", str(tmp_path)])
    assert done.exit_code == 2
    assert f"{tmp_path} exists already, and is not an empty folder; choose another with --output" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert [path.name for path in tmp_path.parent.iterdir() if path.name.startswith(".recframe")] == []


def test_an_error_half_way_leaves_nothing_behind(tmp_path, monkeypatch):
    template = tmp_path / "template"
    (template / "project").mkdir(parents=True)
    (template / "copier.yml").write_text("_subdirectory: project\n_templates_suffix: .jinja\n")
    (template / "project" / "a.txt.jinja").write_text("{{ name }}")
    (template / "project" / "b.txt.jinja").write_text("{{ 1 / 0 }}")
    monkeypatch.setattr(new, "TEMPLATE", template)
    (tmp_path / "here").mkdir()
    with pytest.raises(ZeroDivisionError):
        new.new_plugin("recframe-solitude", [Kind.AGENT], tmp_path / "here" / "new")
    assert list((tmp_path / "here").iterdir()) == []


def test_an_empty_folder_is_used(generate, tmp_path):
    done = CliRunner().invoke(app, ["plugins", "new", "recframe-solitude", "--kind", "reward", "-k", "agent", "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "a plugin with agent, reward" in done.stdout
    assert (tmp_path / "pyproject.toml").is_file()


def test_the_current_folder_and_a_link_to_a_folder_are_used(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "link").symlink_to("linked")
    monkeypatch.chdir(tmp_path / "here")
    new.new_plugin("recframe-fresh", [Kind.REWARD], Path())
    new.new_plugin("recframe-fresh", [Kind.REWARD], tmp_path / "link")
    # the folder itself, in which a shell still is
    names = sorted(path.name for path in Path().iterdir())
    assert "pyproject.toml" in names
    assert names == sorted(path.name for path in (tmp_path / "linked").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "link", "linked"]


@pytest.mark.parametrize("output", ["file/new", "file/inner/new", "broken"])
def test_a_place_that_can_be_no_folder_is_refused(tmp_path, output):
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to("nowhere")
    with pytest.raises(UserError, match="choose another with --output"):
        new.new_plugin("recframe-fresh", [Kind.REWARD], tmp_path / output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "file"]


def test_without_copier_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    done = CliRunner().invoke(app, ["plugins", "new", "recframe-solitude", "--kind", "agent", "-o", str(tmp_path / "new")])
    assert done.exit_code == 2
    assert done.stderr == "recframe: recframe plugins new needs copier: pip install 'recframe[kit]'\n"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_lists_the_kinds():
    done = CliRunner().invoke(app, ["plugins", "new", "recframe-solitude", "--kind", "wizard"])
    assert done.exit_code == 2
    assert "--kind wizard: the kinds are dataset, encoder, state_tracker, agent, environment, reward; or all" in done.stderr


def test_neither_the_command_line_nor_the_pytest_plugin_imports_anything_heavy_at_start():
    heavy = "{'copier', 'torch', 'hydra', 'polars', 'jinja2'}"
    command = f"import recframe.cli.main, sys; print({heavy} & set(sys.modules))"
    plugin = f"import recframe.plugin_kit.pytest_plugin, sys; print(({heavy} | {{'omegaconf', 'typer', 'rich'}}) & set(sys.modules))"
    for code in (command, plugin):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"
