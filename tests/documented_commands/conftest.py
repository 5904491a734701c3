"""What the tests of this folder share: places in which the documented commands are run, and a run that takes no time."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import recframe
from tests.documented_commands.places import write_data

SMALL = {
    "dataset.num_items": "40",
    "dataset.num_users": "60",
    "environment.num_users": "16",
    "evaluation.num_users": "4",
    "evaluation.references": "false",
    "trainer.env_steps": "64",
    "agent.learning_starts": "32",
}


@contextmanager
def logging_as_it_was() -> Iterator[None]:
    """Commands log to the terminal, which is another one for each test, and Hydra switches off the loggers that it finds."""
    root, loggers = logging.getLogger(), logging.getLogger().manager.loggerDict
    handlers, level, off = list(root.handlers), root.level, {name for name, one in loggers.items() if getattr(one, "disabled", False)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, one in loggers.items():
        if isinstance(one, logging.Logger):
            one.disabled = name in off


@pytest.fixture(autouse=True)
def logging_of_a_test() -> Iterator[None]:
    with logging_as_it_was():
        yield


@pytest.fixture(autouse=True, scope="module")
def logging_of_a_module() -> Iterator[None]:
    with logging_as_it_was():
        yield


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned a little, its artefact, and data of every kind. No test changes it."""
    folder = tmp_path_factory.mktemp("places")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(folder / "cache"))
        small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", *(f"{key}={value}" for key, value in SMALL.items())]
        recframe.run(small, folder=folder / "runs" / "mine")
        recframe.export(folder / "runs" / "mine", folder / "policy")
    (folder / "data").mkdir()
    write_data(folder / "data")
    return folder


@pytest.fixture
def here(places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, from which commands are run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("RECFRAME_CACHE", str(places / "cache"))
    # Hydra reads them from there
    monkeypatch.setattr(sys, "argv", ["recframe"])
    return tmp_path
