"""The loggers that recframe itself offers, with their options. They are registered like those of plugins; this module imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from recframe.components import LoggerComponent, option

WANDB_REFUSES = "/\\#?%:"


@dataclass
class CsvLoggerConfig:
    """metrics.csv in the run's folder."""


@dataclass
class WandbLoggerConfig:
    """Weights & Biases."""

    project: str = option("recframe", "W&B project")
    entity: str | None = option(None, "W&B team or user; null: the account's default")
    mode: str = option("offline", "offline: write only to the run's folder", choices=["offline", "online"], address={"online": "wandb"})
    tags: list[str] = option([], "tags of the run")

    def contradictions(self) -> Iterator[str]:
        """What W&B refuses once a run is sent to it."""
        if not self.project.strip():
            yield "logger.wandb.project: it is empty; name a project"
        elif wrong := sorted(set(self.project) & set(WANDB_REFUSES)):
            yield f"logger.wandb.project: W&B allows no {' '.join(wrong)} in a project's name"


@dataclass
class TensorBoardLoggerConfig:
    """TensorBoard's event files in the run's folder: `tensorboard --logdir runs`."""

    flush_seconds: int = option(30, "seconds after which metrics are in the file at the latest", ge=1)


@dataclass
class MlflowLoggerConfig:
    """MLflow, in a store in the run's folder or on a tracking server."""

    tracking_uri: str | None = option(
        None,
        "tracking server (http://, https://) or folder (file://) of MLflow; null: mlflow/ in the run's folder. User and password belong "
        "in the environment variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        address=True,
        sends=("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
    )
    experiment: str = option("recframe", "MLflow experiment; it is made if there is none of this name")
    tags: dict[str, str] = option({}, "tags of the run")

    def contradictions(self) -> Iterator[str]:
        """What the URI may not be."""
        if self.tracking_uri is None:
            return
        parts = urlsplit(self.tracking_uri)
        if parts.username is not None or parts.password is not None or parts.query:
            # the value may be a secret, which must not be repeated
            yield (
                "logger.mlflow.tracking_uri: a URI with a user, a password or a query would be recorded with the run; leave them out, and "
                "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        elif parts.scheme not in ("http", "https", "file"):
            yield f"logger.mlflow.tracking_uri: {self.tracking_uri!r} does not begin with http://, https:// or file://"


HERE = "recframe.tracking"

BUILT_IN_LOGGERS = (
    LoggerComponent("csv", CsvLoggerConfig, f"{HERE}.metrics_csv:csv_logger", essential=True),
    LoggerComponent("wandb", WandbLoggerConfig, f"{HERE}.wandb_run:wandb_logger", install="pip install wandb"),
    LoggerComponent(
        "tensorboard", TensorBoardLoggerConfig, f"{HERE}.tensorboard_run:TensorBoardRunLogger", install="pip install tensorboard"
    ),
    LoggerComponent("mlflow", MlflowLoggerConfig, f"{HERE}.mlflow_run:MlflowRunLogger", install="pip install 'recframe[mlflow]'"),
)
