"""metrics.csv: the metrics of a run over time, which a resumed run continues as if it had not been stopped."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from recframe.built_in_loggers import CsvLoggerConfig
from recframe.errors import UserError
from recframe.interfaces import RunDescription
from recframe.tracking.atomic import WriteError, atomic_write
from recframe.tracking.counter import ENV_STEPS, split_counter
from recframe.tracking.folder import METRICS_NAME

Row = dict[str, str]


class MetricsError(UserError):
    """A metrics.csv that cannot be continued; the message names the file."""


class CsvMetricsLogger(Logger):
    """A Lightning logger that writes `metrics.csv`: one row for each call; columns are `env_steps`, then metrics as they appear.

    Each call writes its row before it returns, so a killed run loses at most the line it was writing. A new metric adds a column, for which
    the file is rewritten atomically.

    Parameters
    ----------
    folder: the run's folder.
    resume_at: None starts a new file. A number continues the existing file, without the rows after that value of the counter: the run
        resumes from a checkpoint that is older than those rows, and will log them again.
    counter: the metric that calls are recorded against, and the name of the first column.

    Raises
    ------
    MetricsError: if this class did not write the file to continue.
    """

    def __init__(self, folder: str | Path, resume_at: int | None = None, counter: str = ENV_STEPS) -> None:
        super().__init__()
        self._counter = counter
        self.path = Path(folder) / METRICS_NAME
        self._columns: list[str] = [counter]
        self._env_steps = 0
        self._last_kept: dict[str, str] = {}
        if resume_at is None:
            self.path.unlink(missing_ok=True)
        else:
            self.truncate_after(resume_at)

    @property
    def name(self) -> str:
        """The logger's name."""
        return "csv"

    @property
    def version(self) -> str:
        """Lightning's name for one of several runs in a folder; empty, since each run has its own folder."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run's folder."""
        return str(self.path.parent)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Append a row. `step`, Lightning's count of optimizer steps, is ignored."""
        self._env_steps, values = split_counter(metrics, self._env_steps, self._counter)
        if not values:
            return
        row = {self._counter: str(self._env_steps)} | {name: repr(value) for name, value in values.items()}
        # the evaluation of a stage's start has the counter of the checkpoint before it: the stopped run has logged it already
        repeated, self._last_kept = row == self._last_kept, {}
        if repeated:
            return
        new = [name for name in row if name not in self._columns]
        if new or not self.path.exists():
            rows = _read(self.path, self._counter)
            self._columns += new
            atomic_write(self.path, _table(self._columns, [*rows, row]))
        else:
            line = _line(row.get(column, "") for column in self._columns).encode()
            try:
                with self.path.open("ab") as file:
                    file.write(line)
            except OSError as error:
                raise WriteError(self.path, error) from error

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run's folder has a `config.yaml`."""

    def truncate_after(self, env_steps: int) -> None:
        """Drop rows after `env_steps` env steps, an incomplete last line, and columns that then have no values."""
        kept = [row for row in _read(self.path, self._counter) if int(row[self._counter]) <= env_steps]
        self._columns = list(dict.fromkeys([self._counter, *(name for row in kept for name, value in row.items() if value)]))
        self._env_steps = env_steps
        self._last_kept = {name: value for name, value in kept[-1].items() if value} if kept else {}
        if kept:
            atomic_write(self.path, _table(self._columns, kept))
        else:
            self.path.unlink(missing_ok=True)


def csv_logger(config: CsvLoggerConfig, run: RunDescription) -> CsvMetricsLogger:
    """The logger `csv` of a run."""
    return CsvMetricsLogger(run.folder, run.resume_at or None, run.counter)


def logged_before(folder: Path, counter: str, up_to: int) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv up to a value of its counter, as they were logged; none if there is no such file.

    Raises
    ------
    MetricsError: if `CsvMetricsLogger` did not write the file.
    """
    rows = [row for row in _read(folder / METRICS_NAME, counter) if int(row[counter]) <= up_to]
    return [{name: int(value) if name == counter else float(value) for name, value in row.items() if value} for row in rows]


def _read(path: Path, counter: str) -> list[Row]:
    """The complete rows of a metrics file; none if it is missing. A last line without a line break is incomplete."""
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    header, *lines = list(csv.reader(io.StringIO(whole.decode("utf-8"), newline=""))) or [[counter]]
    if header[0] != counter:
        raise MetricsError(f"{path}: line 1: the first column must be {counter}, not {header[0]!r}; move the file away")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header) or not line[0].isdigit():
            raise MetricsError(f"{path}: line {number}: not a row of {len(header)} numbers; fix the line or move the file away")
    return [dict(zip(header, line, strict=True)) for line in lines]


def _table(columns: list[str], rows: Iterable[Row]) -> str:
    return _line(columns) + "".join(_line(row.get(column, "") for column in columns) for row in rows)


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
