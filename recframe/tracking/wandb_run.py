"""A run on Weights & Biases. One process can have several; each ends separately and leaves the process as it was."""

from __future__ import annotations

import logging
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

from pytorch_lightning.loggers.logger import DummyLogger, Logger

from recframe.built_in_loggers import WandbLoggerConfig
from recframe.errors import UserError
from recframe.interfaces import FinalResults, RunDescription
from recframe.tracking.atomic import atomic_write
from recframe.tracking.counter import ENV_STEPS, split_counter
from recframe.tracking.metrics_csv import logged_before
from recframe.tracking.wandb_files import own_folders, supersede_offline_runs
from recframe.tracking.wandb_launch import without_launch_agent

log = logging.getLogger(__name__)

RUN_ID_NAME = "wandb/run_id"
TABLES: Mapping[str, str] = {"final": "policies", "cold": "cold_policies", "ranking": "ranking_policies"}
"""The names of the final tables in W&B."""

# `wandb login` keeps the key of W&B's own service under this host, whatever the service's address
PUBLIC_HOST = "api.wandb.ai"

# Start quickly and quietly, and record nothing about the machine: no console output, system metrics, package list or code.
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
    """W&B cannot be used as configured; the message says what to do."""


class WandbRunLogger(Logger):
    """A Lightning logger that writes one W&B run, against env_steps.

    The constructor starts the run and raises any error about W&B. Call `close` in a `finally` block: otherwise W&B waits for the end of the
    process. Lightning's own `finalize` leaves the run open, since evaluation follows.

    Parameters
    ----------
    folder: the run's folder; W&B's files are written to its `wandb/`, and the run's id to `wandb/run_id`.
    project, entity, group, job_type, name, tags: as in W&B; the group is the sweep.
    mode: "offline" writes to the folder only (`wandb sync` sends the run later); "online" needs an API key.
    config: the run's config, as nested plain dicts and lists.
    resume: continue the W&B run whose id is in the folder; False always starts a new one.
    counter: the metric that calls are recorded against.
    history: what a resumed run has logged before. It is logged again where the W&B run lacks it: an offline run is a file of its own,
        which then has the whole history, and a killed process may not have sent all of it. None: it is not known, so that an earlier
        offline run stays beside the new one.

    Raises
    ------
    TrackingError: if wandb is not installed, no API key is found for mode=online, or W&B cannot start the run.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        project: str = "recframe",
        entity: str | None = None,
        mode: Literal["offline", "online"] = "offline",
        group: str | None = None,
        job_type: str = "train",
        name: str | None = None,
        tags: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        resume: bool = False,
        counter: str = ENV_STEPS,
        history: Sequence[Mapping[str, Any]] | None = (),
    ) -> None:
        super().__init__()
        self._counter = counter
        self._folder = Path(folder)
        self._places = own_folders(self._folder)
        self._project = project
        self._env_steps = 0
        self._closed = False
        with _process_restored(mode, self._places), without_launch_agent():
            self._wandb = _import_wandb()
            if mode == "online":
                _require_api_key(self._wandb)
            settings = {key: value for key, value in SETTINGS.items() if key in self._wandb.Settings.model_fields}
            run_id = _run_id(self._folder, resume)
            if mode == "offline" and history is not None:
                supersede_offline_runs(self._folder)
            try:
                # messages outside a run, such as a warning when logging, follow only the settings of the process
                self._wandb.setup(self._wandb.Settings(silent=True))
                self._run = self._wandb.init(
                    dir=str(self._folder),
                    id=run_id,
                    # offline, the id alone identifies the run
                    resume="allow" if resume and mode == "online" else None,
                    # do not join or end another run that is open in this process
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
            if self._run.id != run_id:  # an agent of W&B's own sweeps chooses the id
                atomic_write(self._folder / RUN_ID_NAME, f"{self._run.id}\n")
            self._run.define_metric(counter)
            self._run.define_metric("*", step_metric=counter)
        for row in history or ():
            # online, the steps that the server has are not logged twice
            if int(row[counter]) >= self._run.step:
                self.log_metrics(row)

    @property
    def name(self) -> str:
        """The W&B project."""
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

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log at the metrics' `env_steps`, which is also the step in W&B, so that a resumed run records no step twice."""
        self._env_steps, values = split_counter(metrics, self._env_steps, self._counter)
        if values:
            self._run.log({self._counter: self._env_steps, **values}, step=self._env_steps)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Add to the run's config."""
        self._run.config.update(vars(params) if isinstance(params, Namespace) else dict(params), allow_val_change=True)

    def log_table(self, name: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Log a table with one row for each record; its columns are the records' keys in order of appearance."""
        columns = list(dict.fromkeys(key for record in records for key in record))
        rows = [[_cell(record.get(column)) for column in columns] for record in records]
        with _variables_set(self._places):
            table = self._wandb.Table(columns=columns, data=rows, allow_mixed_types=True)
            # no step, since W&B's may be ahead of ours in a resumed run; no commit, since metrics of this step may follow
            self._run.log({name: table}, commit=False)

    def log_results(self, results: FinalResults) -> None:
        """Log the summary, each final table with intervals, and the recommendations. What W&B fails to record of it is a warning.

        The means of the tables are summary values, under the names of `FinalResults.means`.
        """
        with _warning_of("the summary"):
            self.log_summary({**results.means(), **results.summary})
        for name, policies in results.tables.items():
            with _warning_of(f"the table {TABLES.get(name, name)}"):
                self.log_table(TABLES.get(name, name), [_with_intervals(policy, metrics) for policy, metrics in policies.items()])
        if results.recommendations:
            with _warning_of("the recommendations"):
                self.log_recommendations(results.recommendations)

    def log_recommendations(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Log sample recommendations as the table "recommendations"."""
        self.log_table("recommendations", records)

    def log_summary(self, values: Mapping[str, Any]) -> None:
        """Log values of the whole run, such as the objective; None and non-finite values are left out."""
        self._run.summary.update({key: cell for key, value in values.items() if (cell := _cell(value)) is not None})

    def close(self, failed: bool = False) -> None:
        """End the W&B run, as failed or finished. A second call has no effect."""
        if not self._closed:
            self._closed = True
            with _variables_set(self._places):
                self._run.finish(exit_code=1 if failed else 0)


def wandb_logger(config: WandbLoggerConfig, run: RunDescription) -> Logger:
    """The logger `wandb` of a run; one that records nothing if the environment has WANDB_MODE=disabled, by which W&B is switched off."""
    if os.environ.get("WANDB_MODE") == "disabled":
        log.info("WANDB_MODE=disabled: nothing is recorded in W&B")
        return DummyLogger()
    return WandbRunLogger(
        run.folder,
        project=config.project,
        entity=config.entity,
        mode=config.mode,  # type: ignore[arg-type]  # the schema checks it
        tags=config.tags,
        group=run.group,
        job_type=run.job,
        name=run.name,
        config=run.config,
        resume=run.resume_at is not None,
        counter=run.counter,
        history=(logged_before(run.folder, run.counter, run.resume_at) or None) if run.resume_at else (),
    )


@contextmanager
def _warning_of(part: str) -> Iterator[None]:
    """Log an error of the block, in which W&B records a part of the results, as a warning."""
    try:
        yield
    except Exception as error:  # W&B raises many types
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        log.warning("wandb: %s could not be recorded (%s)", part, reason)


def _with_intervals(policy: str, metrics: Mapping[str, Mapping[str, float | None]]) -> dict[str, Any]:
    record: dict[str, Any] = {"policy": policy}
    for metric, statistic in metrics.items():
        record |= {metric: statistic["mean"], f"{metric}/low": statistic["low"], f"{metric}/high": statistic["high"]}
    return record


def _import_wandb() -> ModuleType:
    try:
        import wandb
    except ImportError as error:
        raise TrackingError(f"wandb: cannot be imported ({error}): run `pip install wandb`, or leave it out with logger=csv") from None
    return wandb


def _reason(error: Exception) -> str:
    """W&B's error message in one line; pydantic gives the reason for a refused setting in `errors()`."""
    details = getattr(error, "errors", None)
    message = details()[0]["msg"] if callable(details) else str(error)
    return str(message).strip().partition("\n")[0]


def _require_api_key(wandb: ModuleType) -> None:
    """Raise TrackingError if no API key is found where W&B looks for one; W&B itself would ask in the terminal and wait."""
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
    """The id in the run's folder if the run is resumed, or a new one, which is written there before W&B starts."""
    path = folder / RUN_ID_NAME
    if resume and path.is_file() and (kept := path.read_text(encoding="utf-8").strip()):
        return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = secrets.token_hex(4)
    atomic_write(path, fresh + "\n")
    return fresh


@contextmanager
def _variables_set(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _process_restored(mode: str, variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for W&B, and undo its changes to the process's environment and hooks; offline, also disable its error reporting.

    With WANDB_SERVICE left in the environment, child processes such as a sweep's workers would use this process's service.
    """
    before = dict(os.environ)
    os.environ.update(variables)
    # W&B's hooks print a second traceback; `close` records how the run ended
    hooks = sys.excepthook, sys.exit
    if mode != "online":
        # W&B's error reporting opens a connection in every mode
        os.environ["WANDB_ERROR_REPORTING"] = "false"
    try:
        yield
    finally:
        sys.excepthook, sys.exit = hooks
        for key in set(os.environ) - set(before):
            del os.environ[key]
        os.environ.update(before)


def _cell(value: Any) -> Any:
    """The value of a table's cell: a string, a number, or None, also for non-finite numbers."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(str(entry) for entry in value)
    if hasattr(value, "__float__"):
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)
