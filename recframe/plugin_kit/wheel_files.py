"""The check of the files that would be installed: the project's wheel is built in a copy, and compared with its packages."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from recframe.plugin_kit.findings import Finding, Status
from recframe.plugin_kit.processes import last_words
from recframe.plugin_kit.project import Project

LEFT_OUT = (".*", "__pycache__", "*.egg-info", "build", "dist", "multirun", "node_modules", "outputs", "runs", "venv", "wandb")
"""What is no part of a project's source. An old `*.egg-info` would even bring files back that pyproject.toml no longer lists."""

BUILD = """
import importlib, sys
name, folder, *paths = sys.argv[1:]
sys.path[:0] = paths
module, _, path = name.partition(":")
backend = importlib.import_module(module)
for part in filter(None, path.split(".")):
    backend = getattr(backend, part)
backend.build_wheel(folder)
"""
"""Calls a project's build backend (PEP 517) in its folder, without a network."""

LIMIT = 300
"""Seconds that a build may take."""


def wheel_findings(project: Project) -> Iterator[Finding]:
    """Whether the wheel has every YAML file and `py.typed` of the project's packages, and the modules of its entry points."""
    system = project.tables.get("build-system", {})
    backend = system.get("build-backend", "setuptools.build_meta:__legacy__")
    if lacking := [text for text in system.get("requires", ["setuptools"]) if not _is_installed(text)]:
        wanted = " ".join(f"'{text}'" for text in lacking)
        yield Finding(Status.NOTE, "files", "wheel", f"not built, as what builds it is not installed here: pip install {wanted} to check")
        return
    with tempfile.TemporaryDirectory() as scratch:
        source, output = Path(scratch) / "source", Path(scratch) / "wheel"
        shutil.copytree(project.folder, source, ignore=shutil.ignore_patterns(*LEFT_OUT), ignore_dangling_symlinks=True)
        output.mkdir()
        command = [sys.executable, "-c", BUILD, backend, str(output), *(str(source / path) for path in system.get("backend-path", []))]
        try:
            done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=LIMIT)  # noqa: S603
        except subprocess.TimeoutExpired:
            yield Finding(Status.FAILED, "files", "wheel", f"the build did not end within {LIMIT} seconds: try pip wheel --no-deps .")
            return
        built = next(output.glob("*.whl"), None)
        if done.returncode or built is None:
            yield Finding(Status.FAILED, "files", "wheel", f"it cannot be built: {last_words(done)}; pip wheel --no-deps . shows all")
            return
        yield from _compared(project, set(zipfile.ZipFile(built).namelist()))


def _is_installed(text: str) -> bool:
    """Whether a requirement of the build is met in this environment; one that cannot be read is left to the build."""
    try:
        requirement = Requirement(text)
        return not _applies(requirement) or requirement.specifier.contains(version(requirement.name), prereleases=True)
    except InvalidRequirement:
        return True
    except PackageNotFoundError:
        return False


def _applies(requirement: Requirement) -> bool:
    """Whether a requirement is for this version of Python and this system."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _compared(project: Project, installed: set[str]) -> Iterator[Finding]:
    packages = sorted({module.partition(":")[0].partition(".")[0] for module in project.entry_points.values()})
    counted = []
    wrong = False
    for package in packages:
        root = next((path for path in project.paths if (path / package).is_dir()), None)
        if root is None:
            continue
        files = [path.relative_to(root).as_posix() for path in sorted((root / package).rglob("*")) if path.is_file()]
        yaml = [file for file in files if file.endswith((".yaml", ".yml"))]
        data = [*yaml, *(file for file in files if file == f"{package}/py.typed")]
        modules = [file for file in files if file.endswith(".py")]
        if missing := [file for file in data if file not in installed]:
            wrong = True
            yield Finding(Status.FAILED, "files", package, f"not installed: {', '.join(missing)}; {_remedy(package, missing)}")
        if missing := [file for file in modules if file not in installed]:
            wrong = True
            remedy = "add __init__.py to each folder of modules, and list the packages in pyproject.toml"
            yield Finding(Status.FAILED, "files", package, f"not installed: {', '.join(missing)}; {remedy}")
        counted.append(f"{len(modules)} modules, {len(yaml)} YAML files")
    if not wrong:
        yield Finding(Status.OK, "files", "wheel", f"complete: {'; '.join(counted) or 'no package'}")


def _remedy(package: str, missing: list[str]) -> str:
    """What makes setuptools install the files."""
    inner = [file.removeprefix(f"{package}/") for file in missing]
    patterns = dict.fromkeys(file if "/" not in file else f"{file.partition('/')[0]}/**/*.{file.rpartition('.')[2]}" for file in inner)
    listed = ", ".join(f'"{pattern}"' for pattern in patterns)
    return f"with setuptools, write {package} = [{listed}] below [tool.setuptools.package-data]"
