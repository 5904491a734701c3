"""Fixtures for all tests: datasets, third-party plugins in a folder, and the command line in processes."""

import gc
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest
from filelock import FileLock

from recframe.plugin_loader import registry

# before torch is imported: the processes of the suite share the cores, and sums in several threads have another order
os.environ["OMP_NUM_THREADS"] = "1"
# hundreds of processes import recframe: each would compile it anew where the environment forbids to keep what is compiled
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Ray gives way to all others, which here are other tests: its jobs would wait for minutes
os.environ.setdefault("RAY_worker_niceness", "0")
PROJECT = Path(__file__).resolve().parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"
"""The folder of datasets that are not in the repository. A test that needs one is skipped where it is absent."""
PROCESSES = 4
"""The largest number of processes for the whole suite: each of them imports everything."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run the whole suite in several processes, and named tests, benchmarks and evidence in one."""
    whole = config.args_source == pytest.Config.ArgsSource.TESTPATHS and "not benchmark" in config.option.markexpr
    return min(PROCESSES, os.cpu_count() or 1) if whole else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the modules with slow tests first, so that no process is left with one of them at the end while the others wait."""
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Do not look for garbage among modules and collected tests, and less often elsewhere: it took a sixth of the suite's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def project_root() -> Path:
    return PROJECT


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """The folder of a dataset in `SHARED_DATA`, by name. The test is skipped if there is none."""

    def find(name: str) -> Path:
        folder = SHARED_DATA / name
        if not folder.is_dir():
            pytest.skip(f"the dataset {name!r} was not found at {folder}")
        return folder

    return find


@pytest.fixture
def movietweetings(shared_data: Callable[[str], Path]) -> Path:
    """The real dataset MovieTweetings."""
    return shared_data("movietweetings-100k")


@pytest.fixture
def full_disk(tmp_path: Path):
    """The folder of a file system of one megabyte, which only root can make; a test of a full disk fills it."""
    folder = tmp_path / "full_disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small file system could not be mounted, which needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def make_read_only() -> Iterator[Callable[[Path], None]]:
    """Makes a folder read-only until the test ends. Root ignores permissions, so that a file system is mounted for it."""
    made: list[Path] = []
    root = os.geteuid() == 0

    def make(folder: Path) -> None:
        if root:
            mount = ["mount", "--bind", str(folder), str(folder)]
            if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
                pytest.skip("a folder could not be mounted read-only, which root needs")
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        else:
            _set_modes(folder, ~0o222)
        made.append(folder)

    yield make
    for folder in made:
        if root:
            # at once for others; files that are mapped into memory stay until this process lets go of them
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        else:
            _set_modes(folder, -1, 0o200)


def _set_modes(folder: Path, keep: int, add: int = 0) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & keep | add)


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
def plugin_site(tmp_path: Path) -> Iterator[PluginSite]:
    yield from _site(tmp_path / "site")


@pytest.fixture(scope="module")
def shared_plugin_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginSite]:
    """A `plugin_site` of all tests of a module."""
    yield from _site(tmp_path_factory.mktemp("plugins") / "site")


def _site(folder: Path) -> Iterator[PluginSite]:
    # this process keeps the registry that it asks for first, which must not be of this folder
    registry()
    folder.mkdir()
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patches:
        patches.syspath_prepend(str(folder))
        yield PluginSite(folder)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


def fresh_process(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess:
    """Call the command line in a new interpreter."""
    command = [sys.executable, "-m", "recframe.cli", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)


def without_own_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the developer's own settings, which must not change the tests."""
    return {name: value for name, value in environment.items() if not name.startswith(("RECFRAME_", "WANDB_", "HYDRA_"))}


class WarmProcesses:
    """Calls the command line in processes that are forked from one in which everything that a run needs is imported."""

    def __init__(self, folder: Path) -> None:
        self.stdout, self.stderr = folder / "stdout", folder / "stderr"
        script, own = Path(__file__).with_name("warm_processes.py"), without_own_settings(os.environ)
        self.server = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=own, text=True)

    def __call__(self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess:
        for path in (self.stdout, self.stderr):
            path.write_text("")
        request = {"arguments": arguments, "cwd": str(cwd), "environment": dict(environment)}
        print(json.dumps({**request, "stdout": str(self.stdout), "stderr": str(self.stderr)}), file=self.server.stdin, flush=True)
        status = int(self.server.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, self.stdout.read_text(), self.stderr.read_text())


@pytest.fixture(scope="session")
def warm_process(tmp_path_factory):
    if sys.platform != "linux":  # on other systems, a process with these imports cannot be forked safely
        yield fresh_process
        return
    processes = WarmProcesses(tmp_path_factory.mktemp("warm"))
    with processes.server:
        yield processes


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session of pytest that all of its processes have."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def shared_cache(shared_folder: Path) -> Path:
    """What runs compute about texts and worlds, for `RECFRAME_CACHE`: tests that are not about the cache need not compute it again."""
    return shared_folder / "cache"


@pytest.fixture(scope="session")
def made_once(shared_folder: Path) -> Callable[[str, Callable[[Path], object]], Path]:
    """`made_once(name, make)`: the folder that `make(folder)` fills for the first process that asks; the others wait and read it."""

    def folder_of(name: str, make: Callable[[Path], object]) -> Path:
        folder, made = shared_folder / name, shared_folder / f"{name}.made"
        with FileLock(shared_folder / f"{name}.lock"):
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                made.touch()
        return folder

    return folder_of


@dataclass
class CommandLine:
    """The command line, called in a new process in an empty folder: `recframe("train", "agent=dqn", site=folder)`."""

    folder: Path
    cache: Path
    start: Callable[[Sequence[str], Path, Mapping[str, str]], subprocess.CompletedProcess]

    def __call__(self, *arguments: str, site: Path | None = None, cwd: Path | None = None, check: bool = False, **environment: str):
        variables = {**without_own_settings(os.environ), "RECFRAME_CACHE": str(self.cache), "COLUMNS": "140", **environment}
        if site is not None:
            variables["PYTHONPATH"] = str(site)
        done = self.start(arguments, cwd or self.folder, variables)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture
def recframe(tmp_path: Path, shared_cache: Path) -> CommandLine:
    return CommandLine(tmp_path, shared_cache, fresh_process)


@pytest.fixture
def warm_recframe(tmp_path: Path, shared_cache: Path, warm_process) -> CommandLine:
    """`recframe` for tests of whole runs, without the time for imports."""
    return CommandLine(tmp_path, shared_cache, warm_process)
