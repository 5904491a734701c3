"""Answers of language models, kept on disk by what was asked: one SQLite file that processes share.

An answer is found by everything that it depends on: the model, its settings and the texts. So an entry never becomes invalid, and a run
that asks the same again gets the same, byte for byte, without a call. Keys of endpoints are no part of it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recframe.errors import ModelError
from recframe.llm.messages import Completion, Request

log = logging.getLogger(__name__)

FORMAT = "recframe answers 1"
"""Part of every key, so that entries of another layout are never read."""
NAME = "answers.sqlite"
BUSY_SECONDS = 60
"""How long a process waits for another one that writes."""
TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT NOT NULL, sha256 TEXT NOT NULL) WITHOUT ROWID"


class AnswerCache:
    """Completions by model and request.

    Parameters
    ----------
    folder: created with the first answer.   where: the option that names it, with its value, for messages.
    """

    def __init__(self, folder: Path, where: str) -> None:
        self.path = folder / NAME
        self._where = where
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def get(self, key: str) -> Completion | None:
        """The answer under a key; None if there is none, or if it is damaged."""
        with self._lock:
            try:
                if self._database is None and not self.path.is_file():
                    return None
                row = self._opened().execute("SELECT value, sha256 FROM answers WHERE key = ?", (key,)).fetchone()
            except (sqlite3.Error, OSError) as error:
                raise self._refused(error) from error
        if row is None:
            return None
        value, sha256 = row
        if _sha256(f"{key}{value}") != sha256:
            log.warning("%s: an answer in %s does not match its checksum, and is asked for again", self._where, self.path)
            return None
        parts: dict[str, Any] = json.loads(value)
        return Completion(**{**parts, "probabilities": tuple(parts["probabilities"])})

    def put(self, key: str, completion: Completion) -> None:
        """Keep an answer. It is on disk when this returns."""
        value = json.dumps(asdict(completion))
        with self._lock:
            try:
                with self._opened() as database:
                    database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (key, value, _sha256(f"{key}{value}")))
            except (sqlite3.Error, OSError) as error:
                raise self._refused(error) from error

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                # readers do not wait for a writer; a power cut may lose the last answers, never the file
                self._database = self._connected(str(self.path), "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", TABLE)
            except sqlite3.OperationalError:
                if not self.path.is_file() or os.access(self.path.parent, os.W_OK):
                    raise
                self._database = self._opened_to_read()
        return self._database

    def _opened_to_read(self) -> sqlite3.Connection:
        """The file in a folder in which nobody here may write, with what others write meanwhile.

        SQLite makes files beside a database to read it with others that write. Where they are not there and cannot be made, as of one
        that somebody has sent, nobody writes.
        """
        address, first_read = self.path.absolute().as_uri(), "SELECT 1 FROM answers LIMIT 1"
        try:
            return self._connected(f"{address}?mode=ro", first_read)
        except sqlite3.OperationalError:
            if any(self.path.with_name(f"{NAME}{suffix}").exists() for suffix in ("-wal", "-shm")):
                raise
            return self._connected(f"{address}?immutable=1", first_read)

    def _connected(self, name: str, *statements: str) -> sqlite3.Connection:
        """A connection on which the statements were executed."""
        database = sqlite3.connect(name, timeout=BUSY_SECONDS, check_same_thread=False, uri=name.startswith("file:"))
        try:
            for statement in statements:
                database.execute(statement)
        except BaseException:
            database.close()
            raise
        return database

    def _refused(self, error: Exception) -> ModelError:
        return ModelError(f"{self._where}: the file of answers {self.path} cannot be used: {error}; choose another folder, or replay=off")


def request_key(model: Mapping[str, Any], request: Request) -> str:
    """What an answer is kept under: a hash of the model's identity and of all that is asked."""
    return _sha256(json.dumps([FORMAT, model, request.content()], sort_keys=True))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
