"""The pytest plugin: an installed plugin's components and YAML files become tests, where they are asked for."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recframe.plugin_kit.project import Project


@pytest.fixture(scope="module")
def installed(generate, tmp_path_factory) -> Path:
    """A project with an encoder whose preset is wrong, installed for the processes of `session`."""
    folder = tmp_path_factory.mktemp("installed")
    project = Path(shutil.copytree(generate("recframe-letters", "encoder"), folder / "project"))
    (preset,) = project.glob("src/*/conf/encoder/*.yaml")
    preset.write_text(preset.read_text().replace("dim:", "dimm:"))
    Project.read(project).write_metadata(folder / "site")
    return project


@pytest.fixture
def session(installed) -> Callable[..., subprocess.CompletedProcess]:
    """Calls pytest in a folder."""
    paths = [str(installed.parent / "site"), str(installed / "src"), os.environ.get("PYTHONPATH", "")]
    # the tests may run where recframe is installed with its entry point, and where it is not
    command = [sys.executable, "-m", "pytest", "-p", "no:recframe", "-p", "recframe.plugin_kit.pytest_plugin", "-p", "no:cacheprovider"]

    def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "COLUMNS": "200"}
        return subprocess.run([*command, *arguments], cwd=folder, env=variables, capture_output=True, text=True, check=False)

    return call


@pytest.mark.slow
def test_the_setting_adds_a_test_for_each_component_preset_and_experiment(installed, session):
    done = session(installed, "-v")
    assert done.returncode == 1
    results = dict(line.split()[:2] for line in done.stdout.splitlines() if "::" in line and "%]" in line)
    assert results == {
        "tests/test_encoder.py::test_a_text_is_nearer_to_one_with_the_same_words_than_to_another": "PASSED",
        "recframe-letters::loads": "PASSED",
        "recframe-letters::encoder=letters": "PASSED",
        "recframe-letters::encoder=letters_wide": "FAILED",
        "recframe-letters::experiment=letters": "PASSED",
    }
    # one line, which names the file and what would be right, and no traceback
    assert "letters_wide.yaml, line 6: " in done.stdout
    assert "Did you mean 'encoder.dim'?" in done.stdout
    assert "Traceback" not in done.stdout
    assert "configs.py" not in done.stdout


def test_the_option_adds_them_in_any_folder_and_k_chooses_among_them(tmp_path, session):
    done = session(tmp_path, "--recframe", "Recframe_Letters", "-k", "encoder", "--collect-only", "-q")
    assert done.stdout.split("\n\n")[0].splitlines() == ["recframe-letters::encoder=letters", "recframe-letters::encoder=letters_wide"]


def test_the_setting_is_for_sessions_without_files(tmp_path, session):
    (tmp_path / "pytest.ini").write_text("[pytest]\nrecframe_plugins = recframe-letters\n")
    (tmp_path / "test_mine.py").write_text("def test_mine(): pass\n")
    done = session(tmp_path, "test_mine.py", "--collect-only", "-q")
    assert done.stdout.split("\n\n")[0].splitlines() == ["test_mine.py::test_mine"]


def test_a_distribution_that_is_not_installed_is_refused_before_collecting(tmp_path, session):
    done = session(tmp_path, "--recframe", "recframe-numbers")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--recframe: no plugin 'recframe-numbers' is installed; pip install -e ." in done.stderr
    assert "There are: recframe, recframe-letters" in done.stderr
