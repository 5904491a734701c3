"""The wheel, installed without the source tree, is complete: commands, plugins, configs, a run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(made_once) -> Path:
    root = Path(__file__).resolve().parents[1]

    def build(folder: Path) -> None:
        # in a copy, so that no files are left in the source tree
        source = folder / "source"
        source.mkdir()
        for name in ("recframe", "plugins", "conf"):
            shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
            shutil.copy(root / name, source)
        own = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "wheel", *own, str(source)], check=True, capture_output=True)

    return next(made_once("wheel", build).glob("recframe-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The interpreter of a new environment with the wheel and links to this environment's dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    # without a pip of its own, which takes as long to install as everything else
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    site = next(folder.glob("lib/python*/site-packages"))
    # the dependencies are several gigabytes: link them from the environment that runs the tests, without its editable recframe
    entries = [entry for path in sys.path if path.endswith("site-packages") for entry in Path(path).iterdir()]
    for entry in entries:
        own = "recframe" in entry.name.lower() or entry.name.startswith("__editable__")
        if not own and entry.suffix != ".pth" and not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    return python


@pytest.mark.slow
def test_the_wheel_contains_every_module_config_and_licence(wheel, project_root):
    names = set(zipfile.ZipFile(wheel).namelist())
    places = {"recframe": "recframe", "plugins/recframe_plugins": "recframe_plugins", "conf": "recframe/conf"}
    for folder, package in places.items():
        for path in (project_root / folder).rglob("*"):
            if path.suffix in {".py", ".yaml"} or path.name == "py.typed":
                assert f"{package}/{path.relative_to(project_root / folder)}" in names
    for path in (project_root / "recframe" / "plugin_kit" / "template").rglob("*"):
        assert path.is_dir() or str(path.relative_to(project_root)) in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests") for name in names)


@pytest.mark.slow
def test_the_installed_wheel_runs_commands_and_trains(installed, shared_cache, tmp_path):
    # without PYTHONPATH and in another folder, the source tree cannot be imported
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    variables |= {"OMP_NUM_THREADS": "1", "RECFRAME_CACHE": str(shared_cache)}

    def call(*arguments: str) -> str:
        command = [str(installed.parent / "recframe"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = subprocess.run(
        [str(installed), "-c", "import recframe; print(recframe.__file__)"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(installed.parents[1]) in where.stdout
    assert json.loads(call("plugins", "--json"))["failures"] == []
    table = call("train", "debug=smoke", "encoder=tfidf", "hydra.run.dir=run")
    assert "fixed_slate" in table
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "finished"


@pytest.mark.evidence
@pytest.mark.timeout(3000)
def test_a_plugin_from_the_kit_works_from_the_first_command_to_the_last(installed, project_root, tmp_path, capsys):
    """The commands of docs/guide/plugin_kit.md in their order, outside the source tree; then the plugin is missed."""
    bin_folder = installed.parent
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    variables |= {
        "OMP_NUM_THREADS": "1",
        "RECFRAME_CACHE": str(tmp_path / "cache"),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
    }

    def call(*words: str, folder: Path = tmp_path, status: int = 0) -> str:
        # packages come from this environment, and their scripts are not in the new one
        command = [str(installed), "-m", *words] if words[0] in ("mypy", "pip", "pytest") else [str(bin_folder / words[0]), *words[1:]]
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        with capsys.disabled():
            print(f"\n$ {shlex.join(words)}\n{done.stdout}{done.stderr}")
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    project = tmp_path / "recframe-patience"
    told: dict[str, str] = {}
    guide = (project_root / "docs" / "guide" / "plugin_kit.md").read_text()
    for block in re.findall(r"^```\n((?:pip|recframe|pytest)[ \n].*?)^```$", guide, re.DOTALL | re.MULTILINE):
        for command in block.splitlines():
            words = shlex.split(command)
            if words[0] == "cd" or (words[:2] == ["pip", "install"] and "[kit]" in command):
                continue
            if words[:2] == ["pip", "install"]:
                words = ["pip", "install", "--no-deps", "--no-index", "--no-build-isolation", "-e", "."]
            elif words[:2] == ["pip", "uninstall"]:
                words.append("--yes")
            told[command] = call(*words, folder=project if project.is_dir() else tmp_path)
    assert "22 passed" in told["pytest"]
    assert "no issues found in 21 source files" in told["mypy"]
    assert [line.split()[0] for line in told["recframe plugins check ."].splitlines()[1:-2]] == ["ok"] * 16
    # six components, and the plugin in the list of what else plugins offer
    assert told["recframe plugins"].count("recframe-patience  0.1.0") == 7
    (run,) = (project / "runs").iterdir()
    assert json.loads((run / "result.json").read_text())["status"] == "finished"
    (sweep,) = (project / "multirun").iterdir()
    assert len(list(sweep.glob("*/result.json"))) == 2

    # it is uninstalled now
    for words in (["evaluate", str(run)], ["train", f"resume={run}"]):
        assert "recframe-patience 0.1.0" in call("recframe", *words, status=2)
    refused = call("recframe", "train", "experiment=patience", status=2)
    assert "experiment has no choice 'patience'" in refused
    assert "of recframe-patience 0.1.0, which is not installed" in refused
    assert "recframe-patience" not in call("recframe", "plugins")
