"""A logger that keeps its rows in memory."""

import pytest
from pytorch_lightning.loggers import Logger


class Memory(Logger):
    name, version = "memory", ""

    def __init__(self) -> None:
        super().__init__()
        self.rows = []

    def log_metrics(self, metrics, step=None):
        self.rows.append(metrics)

    def log_hyperparams(self, *args, **kwargs):
        pass


@pytest.fixture
def new_memory() -> type[Memory]:
    return Memory
