"""A run's folder: its files, and the lock that lets only one process use it at a time."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import yaml
from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.config import ConfigError, recorded
from recframe.config.written import read_yaml
from recframe.errors import UserError
from recframe.tracking.atomic import TEMPORARY, atomic_write
from recframe.tracking.result import RESULT_NAME

CONFIG_NAME = "config.yaml"
OVERRIDES_NAME = "overrides.yaml"
CHOICES_NAME = "choices.yaml"
LOG_NAME = "run.log"
LOCK_NAME = "run.lock"
METRICS_NAME = "metrics.csv"
DATA_NAME = "data.json"
FAILURE_NAME = "failure.json"
STOPPED_NAME = "stopped.json"
PLUGINS_NAME = "plugins.json"
IDENTITY_NAME = "identity.json"
MACHINE_NAME = "machine.json"
LAUNCH_NAME = "launch.json"

RECORDS = (
    OVERRIDES_NAME,
    CHOICES_NAME,
    LAUNCH_NAME,
    DATA_NAME,
    MACHINE_NAME,
    PLUGINS_NAME,
    FAILURE_NAME,
    STOPPED_NAME,
    IDENTITY_NAME,
    # last: it makes the folder a run's
    CONFIG_NAME,
)
"""What a run writes before its first step."""


class RunFolderError(UserError):
    """A folder that cannot be used for a run; the message says why and what to do."""


class LockingRefused(RunFolderError):
    """A folder in which the operating system does not let this process make a lock."""


class RunFolder:
    """The folder of one run, locked by this process until `release` (or the end of the `with` block, or of the process).

    `RunFolder.create` makes it for a new run, `RunFolder.open` opens that of an existing run. A folder is a run's if it has a
    `config.yaml`, and the run is finished if it has a `result.json`.
    """

    def __init__(self, path: Path, lock: FileLock | None) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def make(cls, path: str | Path) -> RunFolder:
        """Lock a folder for a run, and create it if necessary. It may contain other files, such as `run.log`, or hold a run (`holds_run`).

        The folder of a run that ended before its first step, because its data could not be read or its process was killed while it
        loaded, is free again: there is nothing in it to resume.

        Raises
        ------
        RunFolderError: if it is being written by another process, or cannot be created.
        """
        path = Path(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(
                f"{path}: cannot be created as a run's folder: {error.strerror}; choose another with hydra.run.dir="
            ) from None
        folder = cls(path, _lock(path))
        if folder.config_path.exists() and not folder.is_started:
            folder.forget()
        return folder

    @classmethod
    def create(cls, path: str | Path) -> RunFolder:
        """`make` for a new run.

        Raises
        ------
        RunFolderError: if it already holds a run, is being written by another process, or cannot be created.
        """
        folder = cls.make(path)
        if folder.holds_run:
            folder.refuse("a run")
        return folder

    def refuse(self, what: str) -> NoReturn:
        """Unlock the folder, which already holds `what`, and raise RunFolderError."""
        self.release()
        raise RunFolderError(
            f"{self.path}: already holds {what}; continue that one with resume={self.path}, or choose another folder with hydra.run.dir="
        )

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Lock the folder of an existing run, to resume or evaluate it.

        Raises
        ------
        RunFolderError: if it holds no run, or is being written by another process.
        """
        path = Path(path)
        _check_holds_run(path)
        return cls(path, _lock(path))

    @classmethod
    def open_to_read(cls, path: str | Path) -> RunFolder:
        """The folder of an existing run, to read its files: locked if this process can lock it. One that it may not write to, such as
        another user's, needs no lock.

        Raises
        ------
        RunFolderError: if it holds no run, may not be read, or is being written by another process.
        """
        path = Path(path)
        _check_holds_run(path)
        try:
            return cls(path, _lock(path))
        except LockingRefused:
            return cls(path, None)

    @property
    def config_path(self) -> Path:
        """The resolved config, `config.yaml`."""
        return self.path / CONFIG_NAME

    @property
    def overrides_path(self) -> Path:
        """The overrides that the run was started with, `overrides.yaml`."""
        return self.path / OVERRIDES_NAME

    @property
    def result_path(self) -> Path:
        """The results, `result.json`; it exists once the run is finished."""
        return self.path / RESULT_NAME

    @property
    def log_path(self) -> Path:
        """The log, `run.log`."""
        return self.path / LOG_NAME

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def holds_run(self) -> bool:
        """Whether there is a run in the folder."""
        return self.config_path.exists()

    @property
    def is_finished(self) -> bool:
        """Whether the run is finished."""
        return self.result_path.is_file()

    @property
    def is_started(self) -> bool:
        """Whether the run has taken a step that is on disk: it has measured, saved or finished something."""
        return self.is_finished or self.checkpoints.exists() or (self.path / METRICS_NAME).exists()

    def forget(self) -> None:
        """Remove the records of a run that never started."""
        for name in RECORDS:
            (self.path / name).unlink(missing_ok=True)

    def write_config(self, config: DictConfig | Mapping[str, Any], overrides: Sequence[str]) -> None:
        """Write `overrides.yaml`, then `config` as `config.yaml`, which makes the folder a run's.

        Interpolations are filled in, except for values of environment variables.
        """
        atomic_write(self.overrides_path, yaml.safe_dump(list(overrides), allow_unicode=True))
        resolved = config if isinstance(config, DictConfig) else OmegaConf.create(dict(config))
        atomic_write(self.config_path, OmegaConf.to_yaml(OmegaConf.create(recorded(resolved))))

    def write_choices(self, choices: Mapping[str, Any]) -> None:
        """Write `choices.yaml`: the file that was chosen for each config group, such as `agent: ppo`."""
        chosen = {str(group): choice for group, choice in choices.items() if not str(group).startswith("hydra/")}
        atomic_write(self.path / CHOICES_NAME, yaml.safe_dump(chosen, allow_unicode=True))

    def write_launch(self, sweep: str | None, options: Sequence[str] = ()) -> None:
        """Write `launch.json`, unless there is one: the sweep that the run is a job of, or None, and options such as `--config-dir`."""
        if not (self.path / LAUNCH_NAME).is_file():
            atomic_write(self.path / LAUNCH_NAME, json.dumps({"sweep": sweep, "options": list(options)}, ensure_ascii=False) + "\n")

    def read_sweep(self) -> str | None:
        """The sweep that the run was started in. Of a run of an earlier release, it is known by the file that Hydra leaves in a sweep."""
        try:
            sweep = json.loads((self.path / LAUNCH_NAME).read_text(encoding="utf-8"))["sweep"]
        except (OSError, ValueError, KeyError, TypeError):
            parent = self.path.resolve().parent
            return parent.name if (parent / "multirun.yaml").exists() else None
        return sweep if isinstance(sweep, str) else None

    def read_config(self) -> DictConfig:
        """The config that the run was started with.

        Raises
        ------
        RunFolderError: if `config.yaml` is not a YAML mapping.
        """
        try:
            content = read_yaml(self.config_path.read_text(encoding="utf-8"), str(self.config_path))
            config = OmegaConf.create(dict(content)) if isinstance(content, Mapping) else None
        except ConfigError as error:
            raise RunFolderError(str(error)) from None
        except OSError as error:
            raise RunFolderError(f"{self.config_path}: cannot be read ({error.strerror}); ask its owner to make it readable") from None
        except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise RunFolderError(f"{self.config_path}: not a config: {str(error).splitlines()[0]}") from None
        if not isinstance(config, DictConfig):
            raise RunFolderError(f"{self.config_path}: not a config: it must hold a mapping")
        return config

    def read_overrides(self) -> list[str]:
        """The overrides that the run was started with; none if the file is missing."""
        return read_overrides(self.path)

    def release(self) -> None:
        """Unlock the folder. A second call has no effect."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.release()


def read_overrides(path: str | Path) -> list[str]:
    """The list in a run folder's `overrides.yaml`; empty if the file is missing. The folder need not be locked.

    Raises
    ------
    RunFolderError: if the file is not a YAML list.
    """
    file = Path(path) / OVERRIDES_NAME
    try:
        overrides = read_yaml(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        return []
    except ConfigError as error:
        raise RunFolderError(str(error)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{file}: not a list of overrides: {str(error).splitlines()[0]}") from None
    if not isinstance(overrides, list):
        raise RunFolderError(f"{file}: not a list of overrides, such as '- agent.gamma=0.9'")
    return [str(override) for override in overrides]


def read_launch_options(path: str | Path) -> list[str]:
    """The options of the command line in a run folder's `launch.json`, such as `--config-dir`; empty where none are known."""
    try:
        options = json.loads((Path(path) / LAUNCH_NAME).read_text(encoding="utf-8"))["options"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [str(option) for option in options] if isinstance(options, list) else []


def read_choices(path: str | Path) -> dict[str, str]:
    """The `{config group: chosen file}` in a run folder's `choices.yaml`; empty if the file is missing, as in runs from Python."""
    file = Path(path) / CHOICES_NAME
    try:
        choices = read_yaml(file.read_text(encoding="utf-8"), str(file), apps=())
    except FileNotFoundError:
        return {}
    except ConfigError as error:
        raise RunFolderError(str(error)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{file}: not a list of choices: {str(error).splitlines()[0]}") from None
    if not isinstance(choices, dict) or any(isinstance(choice, dict) for choice in choices.values()):
        raise RunFolderError(f"{file}: not a list of choices, such as 'agent: ppo'")
    return {str(group): "-" if choice is None else str(choice) for group, choice in choices.items()}


def _lock(path: Path) -> FileLock:
    lock = FileLock(path / LOCK_NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunFolderError(f"{path}: is being written by another process; wait for it or choose another folder") from None
    except (OSError, NotImplementedError) as error:
        raise LockingRefused(f"{path}: cannot be locked ({error}); choose a folder that you can write to") from None
    # only one process writes to the folder, so these files were left by one that was killed
    for leftover in (*path.glob(TEMPORARY), *path.glob(f"*/{TEMPORARY}")):
        with suppress(OSError):
            leftover.unlink()
    return lock


def _check_holds_run(path: Path) -> None:
    try:
        holds = stat.S_ISREG((path / CONFIG_NAME).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        holds = False
    except OSError as error:  # it may be there: `is_file` would call some of these missing
        raise RunFolderError(f"{path}: cannot be read ({error.strerror})") from None
    if not holds:
        raise RunFolderError(_why_no_run(path))


def _why_no_run(path: Path) -> str:
    """Why `path` is not a run's folder, and which folder may be meant."""
    if path.is_file():
        parents = [parent for parent in path.parents if (parent / CONFIG_NAME).is_file()]
        return f"{path}: is a file, not a run's folder" + (f"; did you mean {parents[0]}?" if parents else "")
    if not path.is_dir():
        return f"{path}: there is no such folder"
    runs = sorted(child.parent for child in path.glob(f"*/{CONFIG_NAME}"))
    if not runs:
        return f"{path}: has no {CONFIG_NAME}, so it is not a run's folder"
    if len(runs) == 1:
        return f"{path}: has no {CONFIG_NAME}, so it is not a run's folder; did you mean {runs[0]}?"
    return f"{path}: is not a run's folder, but contains {len(runs)} of them; choose one, such as {runs[-1]}"
