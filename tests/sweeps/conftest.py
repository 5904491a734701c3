"""Sweeps in this process leave its logging as it was."""

import logging

import pytest


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Hydra sends the log to the terminal, which is another one for each test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
