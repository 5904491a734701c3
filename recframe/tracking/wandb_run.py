"""A run on Weights & Biases: one process may do many of them, each ends by itself and leaves no trace in the process."""

from __future__ import annotations

import math
import netrc
import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal
from urllib.parse import urlsplit

from pytorch_lightning.loggers.logger import Logger

from recframe.errors import UserError
from recframe.tracking.atomic import atomic_write
from recframe.tracking.metrics import ENV_STEPS, split_counter

RUN_ID_NAME = "wandb/run_id"

# where `wandb login` has long kept the key of W&B's own service, by whatever name that service is reached
PUBLIC_HOST = "api.wandb.ai"

# Quick to start, quiet, and nothing about the machine: no console capture, system sampling, list of packages or copy of the code.
SETTINGS: Mapping[str, Any] = {
    "silent": True,
    "console": "off",
    "use_dot_wandb": False,
    "disable_code": True,
    "save_code": False,
    "disable_job_creation": True,
    "x_disable_machine_info": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}


class TrackingError(UserError):
    """W&B cannot be used as the config says; the message says what to do."""


class WandbTracking(Logger):
    """A Lightning logger that writes one W&B run, against env_steps.

    The run starts when this is built, which is where everything that can be wrong with W&B is said. Call `close` in a
    `finally`: without it W&B waits for the end of the process. Lightning's own `finalize` leaves the run open, since evaluation follows.

    Parameters
    ----------
    folder: the run's folder; W&B's files go into its `wandb/`, the run's id into `wandb/run_id`.
    project, entity, group, job_type, name, tags: W&B's own; the group is the sweep.
    mode: "offline" writes to the folder only (`wandb sync` sends it later), "online" needs an API key, "disabled" does nothing.
    config: the run's config, nested plain dicts and lists.
    resume: continue the W&B run whose id the folder holds; False always makes a new one.
    counter: what a logging call is counted in, if not env_steps.

    Raises
    ------
    TrackingError: if wandb is not installed, mode=online finds no API key, or W&B refuses to start.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        project: str = "recframe",
        entity: str | None = None,
        mode: Literal["offline", "online", "disabled"] = "offline",
        group: str | None = None,
        job_type: str = "train",
        name: str | None = None,
        tags: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        resume: bool = False,
        counter: str = ENV_STEPS,
    ) -> None:
        super().__init__()
        self._counter = counter
        self._folder = Path(folder)
        self._project = project
        self._env_steps = 0
        self._closed = False
        with _process_restored(mode):
            self._wandb = _import_wandb()
            if mode == "online":
                _require_api_key(self._wandb)
            settings = {key: value for key, value in SETTINGS.items() if key in self._wandb.Settings.model_fields}
            run_id = _run_id(self._folder, resume) if mode != "disabled" else None
            try:
                # messages outside a run, such as a warning at logging, obey the process's settings only
                self._wandb.setup(self._wandb.Settings(silent=True))
                self._run = self._wandb.init(
                    dir=str(self._folder),
                    id=run_id,
                    # offline, the id alone says which run it is
                    resume="allow" if resume and mode == "online" else None,
                    # another run in this process, left open by whom ever, is neither joined nor ended
                    reinit="create_new",
                    project=project,
                    entity=entity,
                    mode=mode,
                    group=group,
                    job_type=job_type,
                    name=name,
                    tags=list(tags),
                    config=dict(config or {}),
                    settings=self._wandb.Settings(**settings),
                )
            except (self._wandb.errors.Error, ValueError) as error:
                way_out = "; or logger.wandb.mode=offline" if mode == "online" else ""
                raise TrackingError(f"wandb: the run cannot be started: {_reason(error)}{way_out}") from error
            if run_id is not None and self._run.id != run_id:  # an agent of W&B's own sweeps chooses the id
                atomic_write(self._folder / RUN_ID_NAME, f"{self._run.id}\n")
            self._run.define_metric(counter)
            self._run.define_metric("*", step_metric=counter)

    @property
    def name(self) -> str:
        """The W&B project, as Lightning has it."""
        return self._project

    @property
    def version(self) -> str:
        """The W&B run's id."""
        return str(self._run.id)

    @property
    def save_dir(self) -> str:
        """The run's folder."""
        return str(self._folder)

    @property
    def experiment(self) -> Any:
        """The `wandb.Run`, for callbacks that log media of their own."""
        return self._run

    @property
    def url(self) -> str | None:
        """Where to look at the run; None unless online."""
        return self._run.url or None

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log at the metrics' `env_steps`, which is W&B's step too: what a resumed run logs again is not there twice."""
        self._env_steps, values = split_counter(metrics, self._env_steps, self._counter)
        if values:
            self._run.log({self._counter: self._env_steps, **values}, step=self._env_steps)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Add to the run's config."""
        self._run.config.update(vars(params) if isinstance(params, Namespace) else dict(params), allow_val_change=True)

    def log_table(self, name: str, records: Sequence[Mapping[str, Any]]) -> None:
        """A table with a row a record; its columns are the records' keys in order of appearance."""
        columns = list(dict.fromkeys(key for record in records for key in record))
        rows = [[_cell(record.get(column)) for column in columns] for record in records]
        # no step: on a resumed run W&B's may be ahead of ours; no commit: metrics of this moment may follow
        self._run.log({name: self._wandb.Table(columns=columns, data=rows, allow_mixed_types=True)}, commit=False)

    def log_policies(
        self, policies: Mapping[str, Mapping[str, Mapping[str, float | None]]], table: str = "policies", summary: str = "final"
    ) -> None:
        """Final results as result.json has them: the table of that name with intervals, and the means as summary values.

        The summary's keys read `<summary>/<policy>/<metric>`.
        """
        records, means = [], {}
        for policy, metrics in policies.items():
            means |= {f"{summary}/{policy}/{metric}": statistic["mean"] for metric, statistic in metrics.items()}
            record: dict[str, Any] = {"policy": policy}
            for metric, statistic in metrics.items():
                record |= {metric: statistic["mean"], f"{metric}/low": statistic["low"], f"{metric}/high": statistic["high"]}
            records.append(record)
        self.log_table(table, records)
        self.log_summary(means)

    def log_recommendations(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Sample recommendations as the table "recommendations"."""
        self.log_table("recommendations", records)

    def log_summary(self, values: Mapping[str, Any]) -> None:
        """Values of the whole run, such as the objective; None and what is not finite are left out."""
        self._run.summary.update({key: cell for key, value in values.items() if (cell := _cell(value)) is not None})

    def close(self, failed: bool = False) -> None:
        """End the W&B run, as failed or finished. Doing so twice is harmless."""
        if not self._closed:
            self._closed = True
            self._run.finish(exit_code=1 if failed else 0)


def _import_wandb() -> ModuleType:
    try:
        import wandb
    except ImportError as error:
        raise TrackingError(f"wandb: cannot be imported ({error}): run `pip install wandb`, or leave it out by logger=csv") from None
    return wandb


def _reason(error: Exception) -> str:
    """What W&B says, in one line; a setting that pydantic refuses has the reason further down."""
    details = getattr(error, "errors", None)
    message = details()[0]["msg"] if callable(details) else str(error)
    return str(message).strip().partition("\n")[0]


def _require_api_key(wandb: ModuleType) -> None:
    """Look where W&B would, since W&B itself asks at the terminal and waits."""
    settings = wandb.setup(wandb.Settings(silent=True)).settings
    if settings.api_key or os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return
    hosts = [urlsplit(settings.base_url).netloc]
    if settings.base_url == wandb.Settings.model_fields["base_url"].default:
        hosts.append(PUBLIC_HOST)
    try:
        known = netrc.netrc(os.environ.get("NETRC") or Path("~/.netrc").expanduser())
    except (OSError, netrc.NetrcParseError):
        found = "~/.netrc cannot be read"
    else:
        if any(known.authenticators(host) for host in hosts):
            return
        found = f"~/.netrc has none for {hosts[-1]}"
    raise TrackingError(
        f"wandb: mode=online needs an API key ({found}): run `wandb login` or set WANDB_API_KEY; or logger.wandb.mode=offline"
    )


def _run_id(folder: Path, resume: bool) -> str:
    """The id kept in the run's folder if it is to be resumed, or a new one, kept there before W&B sees it."""
    path = folder / RUN_ID_NAME
    if resume and path.is_file() and (kept := path.read_text(encoding="utf-8").strip()):
        return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = secrets.token_hex(4)
    atomic_write(path, fresh + "\n")
    return fresh


@contextmanager
def _process_restored(mode: str) -> Iterator[None]:
    """Undo what W&B does to the process's environment and hooks; offline, keep it from reporting to its maker.

    Left in place, WANDB_SERVICE would have child processes, such as a sweep's workers, write through this process's service.
    """
    before = dict(os.environ)
    # W&B's hooks print a traceback of their own beside the process's; `close` says how the run ended
    hooks = sys.excepthook, sys.exit
    if mode != "online":
        # W&B's telemetry opens a connection in every mode
        os.environ["WANDB_ERROR_REPORTING"] = "false"
    try:
        yield
    finally:
        sys.excepthook, sys.exit = hooks  # type: ignore[assignment]
        for key in set(os.environ) - set(before):
            del os.environ[key]
        os.environ.update(before)


def _cell(value: Any) -> Any:
    """A table's cell: a string, a number or None, which also stands for what is not finite."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(str(entry) for entry in value)
    if hasattr(value, "__float__"):
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)
