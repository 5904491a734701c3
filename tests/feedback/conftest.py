"""Stores for the tests: an SQLite file, and a database of a real PostgreSQL."""

from __future__ import annotations

import pytest

from recframe.feedback.store import FeedbackStore
from tests.postgres_server import postgres

__all__ = ["postgres"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The address of a new database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/feedback.db"
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
def store(url):
    with FeedbackStore.open(url) as store:
        yield store
