"""A run in MLflow, by its client only: MLflow's own notion of an active run belongs to the whole process, which may have several runs."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from filelock import FileLock
from pytorch_lightning.loggers.logger import Logger

from recframe.built_in_loggers import MlflowLoggerConfig
from recframe.errors import UserError
from recframe.interfaces import FinalResults, RunDescription
from recframe.tracking.atomic import atomic_write
from recframe.tracking.counter import split_counter
from recframe.tracking.logged_values import flat_settings, markdown_table

FOLDER = "mlflow"
RUN_ID_NAME = f"{FOLDER}/run_id"
LONGEST_PARAM = 6_000
LOCK_NAME = ".recframe.lock"
BATCH = 100
"""Params of one request; MLflow refuses more."""

VARIABLES: Mapping[str, str] = {
    # without it, MLflow 3.17 refuses stores in folders; databases need the whole of mlflow
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # MLflow waits for minutes for a server that does not answer
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Environment variables during calls of MLflow, unless they are set otherwise."""


_one_at_a_time = threading.RLock()


@contextmanager
def _environment() -> Iterator[None]:
    """Set MLflow's variables, and leave the environment as it was. Other threads wait: there is one environment in a process."""
    with _one_at_a_time:
        before = dict(os.environ)
        os.environ.update({name: value for name, value in VARIABLES.items() if name not in before})
        try:
            yield
        finally:
            for name in set(os.environ) - set(before):
                del os.environ[name]
            os.environ.update(before)


def _store_locked(uri: str) -> AbstractContextManager[Any]:
    """Keep other runs from making the store or its experiments at the same time: MLflow does not lock a store in a folder."""
    if urlsplit(uri).scheme != "file":
        return nullcontext()
    folder = Path(url2pathname(urlsplit(uri).path))
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / LOCK_NAME)


class MlflowRunLogger(Logger):
    """A Lightning logger that writes one MLflow run, against the run's counter.

    A resumed run goes on with the MLflow run whose id is in `mlflow/run_id`. What was logged after the checkpoint is not logged again, as
    MLflow cannot remove single points.

    Raises
    ------
    UserError: MLflow cannot start the run.
    """

    def __init__(self, config: MlflowLoggerConfig, run: RunDescription) -> None:
        super().__init__()
        self._run = run
        self._step = run.resume_at or 0
        self._latest: dict[str, int] = {}
        uri = config.tracking_uri or (run.folder.absolute() / FOLDER).as_uri()
        (run.folder / FOLDER).mkdir(exist_ok=True)
        id_path = run.folder / RUN_ID_NAME
        with _environment():
            import mlflow

            self._entities, self._error = mlflow.entities, mlflow.exceptions.MlflowException
            try:
                with _store_locked(uri):
                    self._client = mlflow.MlflowClient(tracking_uri=uri)
                    experiment = self._experiment(config.experiment)
                if run.resume_at is not None and id_path.is_file():
                    self._id = id_path.read_text(encoding="utf-8").strip()
                    self._continue()
                else:
                    self._id = self._new(experiment, config.tags)
                    atomic_write(id_path, f"{self._id}\n")
            except self._error as error:
                reason = str(error).strip().partition("\n")[0]
                raise UserError(f"mlflow: the run cannot be started at {uri}: {reason}") from error

    def _experiment(self, name: str) -> str:
        """The id of the experiment, which is made if there is none."""
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except self._error as error:
            # another run, which started at the same time, was faster
            found = self._client.get_experiment_by_name(name)
            if error.error_code != "RESOURCE_ALREADY_EXISTS" or found is None:
                raise
            return str(found.experiment_id)

    def _new(self, experiment: str, own_tags: Mapping[str, str]) -> str:
        group = {} if self._run.group is None else {"sweep": self._run.group}
        tags = {**own_tags, **group, "job": self._run.job, "folder": str(self._run.folder)}
        made = self._client.create_run(experiment, tags=tags, run_name=self._run.name)
        settings = [(key, str(value)[:LONGEST_PARAM]) for key, value in flat_settings(self._run.config)]
        params = [self._entities.Param(_allowed(key), value) for key, value in settings]
        for first in range(0, len(params), BATCH):
            self._client.log_batch(made.info.run_id, params=params[first : first + BATCH])
        return str(made.info.run_id)

    def _continue(self) -> None:
        """Set the run's status to running, and learn how far each of its metrics was logged."""
        self._client.update_run(self._id, status="RUNNING")
        for name in self._client.get_run(self._id).data.metrics:
            self._latest[name] = max(point.step for point in self._client.get_metric_history(self._id, name))

    @property
    def name(self) -> str:
        """The logger's name."""
        return FOLDER

    @property
    def version(self) -> str:
        """The id of the MLflow run."""
        return self._id

    @property
    def experiment(self) -> Any:
        """The `MlflowClient`, for callbacks that log artifacts of their own to the run `version`."""
        return self._client

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log at the metrics' counter, in one request."""
        self._step, values = split_counter(metrics, self._step, self._run.counter)
        self._log(values)

    def _log(self, values: Mapping[str, float | None]) -> None:
        now = int(time.time() * 1000)
        named = {_allowed(name): value for name, value in values.items() if value is not None}
        new = {name: value for name, value in named.items() if self._step > self._latest.get(name, -1)}
        if new:
            points = [self._entities.Metric(name, value, now, self._step) for name, value in new.items()]
            with _environment():
                self._client.log_batch(self._id, metrics=points)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Add to the run's params."""
        given = vars(params) if isinstance(params, Namespace) else dict(params)
        with _environment():
            for key, value in flat_settings(given):
                self._client.log_param(self._id, _allowed(key), str(value)[:LONGEST_PARAM])

    def log_results(self, results: FinalResults) -> None:
        """Log the means of the final tables and the summary as metrics, and the tables with intervals as artifacts (JSON and Markdown)."""
        self._log({**results.means(), **results.summary})
        with _environment():
            for name, policies in results.tables.items():
                self._client.log_text(self._id, json.dumps(policies, indent=2), f"policies/{name}.json")
                self._client.log_text(self._id, markdown_table(policies) + "\n", f"policies/{name}.md")
            if results.recommendations:
                self._client.log_text(self._id, json.dumps(list(results.recommendations), indent=2, default=str), "recommendations.json")

    def close(self, failed: bool) -> None:
        """End the MLflow run, as failed or finished."""
        with _environment():
            self._client.set_terminated(self._id, "FAILED" if failed else "FINISHED")


def _allowed(name: str) -> str:
    """A name that MLflow takes: `ndcg_10` for `ndcg@10`."""
    return re.sub(r"[^\w\-./: ]", "_", name)
