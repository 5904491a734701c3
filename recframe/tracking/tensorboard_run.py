"""A run in TensorBoard's event files: metrics, hyperparameters with the run's status, and the final tables."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import yaml
from pytorch_lightning.loggers.logger import Logger
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import FileWriter, SummaryWriter

from recframe.built_in_loggers import TensorBoardLoggerConfig
from recframe.interfaces import FinalResults, RunDescription
from recframe.tracking.counter import split_counter
from recframe.tracking.logged_values import flat_settings, markdown_table

FOLDER = "tensorboard"
STATUS_SUFFIX = ".status"
"""The end of the name of the file with the hyperparameters and the status, which a resumed run writes anew."""


class TensorBoardRunLogger(Logger):
    """A Lightning logger that writes event files to the run's `tensorboard/`, against the run's counter.

    A resumed run goes on in a new file of the same folder; TensorBoard leaves out what the old one has after the checkpoint.
    """

    def __init__(self, config: TensorBoardLoggerConfig, run: RunDescription) -> None:
        super().__init__()
        self._run = run
        self._step = run.resume_at or 0
        purge = None if run.resume_at is None else run.resume_at + 1
        self._folder = run.folder / FOLDER
        # of several statuses, TensorBoard shows the first
        for earlier in self._folder.glob(f"*{STATUS_SUFFIX}"):
            earlier.unlink()
        self._writer = SummaryWriter(str(self._folder), purge_step=purge, flush_secs=config.flush_seconds)
        about = {"name": run.name, "sweep": run.group, "job": run.job}
        self._writer.add_text("run", _code({key: value for key, value in about.items() if value is not None}), self._step)
        self._writer.add_text("config", _code(run.config), self._step)

    @property
    def name(self) -> str:
        """The logger's name."""
        return FOLDER

    @property
    def version(self) -> str:
        """Lightning's name for one of several runs in a folder; empty, since each run has its own folder."""
        return ""

    @property
    def save_dir(self) -> str:
        """The folder of the event files."""
        return str(self._folder)

    @property
    def experiment(self) -> SummaryWriter:
        """The `SummaryWriter`, for callbacks that log media of their own."""
        return self._writer

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log at the metrics' counter."""
        self._step, values = split_counter(metrics, self._step, self._run.counter)
        for name, value in values.items():
            self._writer.add_scalar(name, value, self._step)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Add as text: the table of hyperparameters has the run's config, and can be written once."""
        self._writer.add_text("hyperparameters", _code(vars(params) if isinstance(params, Namespace) else dict(params)), self._step)

    def save(self) -> None:
        """Write what is held back, so that a process that is killed afterwards loses none of it."""
        self._writer.flush()

    def log_results(self, results: FinalResults) -> None:
        """Log the means of the final tables and the summary as scalars, and each table, with intervals, as text."""
        values = {**results.means(), **{name: value for name, value in results.summary.items() if value is not None}}
        for name, value in values.items():
            self._writer.add_scalar(name, value, self._step)
        for name, policies in results.tables.items():
            self._writer.add_text(f"policies/{name}", markdown_table(policies), self._step)

    def close(self, failed: bool) -> None:
        """Write the hyperparameters and how the run ended, and close the files."""
        self._writer.close()
        plain = (bool, int, float, str)
        settings = {key: value if isinstance(value, plain) else str(value) for key, value in flat_settings(self._run.config)}
        experiment, start, _ = hparams(settings, {})
        status = Status.STATUS_FAILURE if failed else Status.STATUS_SUCCESS
        writer = FileWriter(str(self._folder), filename_suffix=STATUS_SUFFIX)
        for summary in (experiment, start, _session_end(status)):
            writer.add_summary(summary, self._step)
        writer.close()


def _session_end(status: int) -> Any:
    """The summary that ends a session of TensorBoard's hyperparameters."""
    data = HParamsPluginData(session_end_info=SessionEndInfo(status=status), version=0)
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=data.SerializeToString())
    return Summary(value=[Summary.Value(tag=SESSION_END_INFO_TAG, metadata=SummaryMetadata(plugin_data=plugin))])


def _code(values: Mapping[str, Any]) -> str:
    """Values as a YAML block of Markdown, which is what TensorBoard shows text as."""
    return f"```yaml\n{yaml.safe_dump(dict(values), sort_keys=False)}```"
