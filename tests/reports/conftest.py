"""Folders of runs as the runner writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recframe.cli.main import app
from recframe.tracking import RunFolder, write_result
from tests.reports.made_up import make_sweep


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for key, value in values.items():
        *parents, last = key.split(".")
        inner = config
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return config


@pytest.fixture
def make_run(tmp_path):
    """A function that writes a run. `mean` is the return of its trained policy, None if the run did not finish."""

    def make(
        name: str,
        seed: int,
        mean: float | None,
        overrides: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        policies: Mapping[str, Any] | None = None,
        **extra: Any,
    ) -> Path:
        path = tmp_path / name
        with RunFolder.create(path) as folder:
            folder.write_config({"seed": seed, **_nested(config or {})}, [f"seed={seed}", *overrides])
            if mean is not None:
                trained = {"return": {"mean": mean, "low": mean - 1, "high": mean + 2, "n": 64}}
                write_result(
                    path,
                    objective=mean,
                    seed=seed,
                    env_steps=1000,
                    seconds=2.0,
                    policies=policies or {"trained": trained, "random": trained},
                    **extra,
                )
        return path

    return make


@pytest.fixture(scope="session")
def sweep_folder(tmp_path_factory):
    """A made-up sweep of 2 agents, 2 encoders and 3 seeds, which no test may change."""
    return make_sweep(tmp_path_factory.mktemp("sweep") / "made_up")


@pytest.fixture
def call():
    """Calls the command line in this process; returns what it has printed."""

    def run(*arguments, code=0):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert done.exit_code == code, done.output
        return done

    return run
