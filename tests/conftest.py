"""Pieces that tests of every part share."""

import os
import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project_root() -> Path:
    return PROJECT


@pytest.fixture
def movietweetings() -> Path:
    """The real dataset beside the project; tests that need it skip where it is absent."""
    folder = PROJECT.parent / "shared" / "data" / "movietweetings-100k"
    if not folder.is_dir():
        pytest.skip("the MovieTweetings dataset is not beside the project (../shared/data/movietweetings-100k)")
    return folder


class PluginSite:
    """A folder that looks like site-packages, into which a test installs plugin distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, source: str, version: str = "1.0", files: dict[str, str] | None = None, module: str | None = None) -> None:
        module = module or name
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source))
        for path, text in (files or {}).items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(textwrap.dedent(text))
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[recframe]\n{name} = {module}\n")

    def entry_points(self) -> list[EntryPoint]:
        found = distributions(path=[str(self.folder)])
        return [point for distribution in found for point in distribution.entry_points if point.group == "recframe"]


@pytest.fixture
def plugin_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginSite:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield PluginSite(folder)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def recframe(tmp_path: Path):
    """Run the command line in a process of its own, in an empty folder: `recframe("train", "agent=dqn", site=folder)`."""

    def call(*arguments: str, site: Path | None = None, cwd: Path | None = None, check: bool = False, **environment: str):
        # threads: the suite's processes share few cores
        cache = str(tmp_path.parent / "cache")
        # what a developer has set for their own runs is no part of the tests
        own = {name: value for name, value in os.environ.items() if not name.startswith(("RECFRAME_", "WANDB_", "HYDRA_"))}
        variables = {**own, "OMP_NUM_THREADS": "1", "RECFRAME_CACHE": cache, "COLUMNS": "140", **environment}
        if site is not None:
            variables["PYTHONPATH"] = str(site)
        command = [sys.executable, "-m", "recframe.cli", *arguments]
        done = subprocess.run(command, cwd=cwd or tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=300)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    return call
