"""A real PostgreSQL that is started once for the tests, where the machine has one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import pytest


def programs_of_postgres() -> Path | None:
    """The folder with PostgreSQL's programs; None: it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    other = shutil.which("initdb")
    return Path(other).resolve().parent if other else None


def children_of(parent: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(status.parent.name))
    return found


def running(process: int) -> bool:
    """Whether a process is there, and not only its entry, which its parent has yet to remove."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Postgres:
    """A PostgreSQL of its own in a new folder, run by another user than root, which it refuses."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self.before = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self.before:
            shutil.chown(folder, "postgres", "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._call("initdb", "-D", str(folder / "data"), "-U", "tester", "-A", "trust", "--no-sync")

    def _call(self, program: str, *arguments: str) -> None:
        command = [*self.before, str(self.programs / program), *arguments]
        with (Path(tempfile.gettempdir()) / f"postgres-{self.port}.log").open("ab") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log, cwd="/", timeout=60)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """Kill all of its processes at once (SIGKILL), as when the machine runs out of memory."""
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        # without the first one, nobody starts others; each of these belongs to it
        os.kill(postmaster, signal.SIGSTOP)
        processes = [*children_of(postmaster), postmaster]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        until = time.monotonic() + 30
        while any(running(process) for process in processes):
            assert time.monotonic() < until
            time.sleep(0.01)
        # where nobody removes the entries of dead processes, its number would count as that of one that runs
        for lock in (self.folder / "data" / "postmaster.pid", *self.folder.glob(".s.PGSQL.*.lock")):
            lock.unlink()

    def new_database(self) -> str:
        """The address of a new, empty database."""
        import psycopg

        name = f"d{uuid.uuid4().hex}"
        with psycopg.connect(f"postgresql://tester@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://tester@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def postgres():
    """A running PostgreSQL."""
    pytest.importorskip("psycopg")
    programs = programs_of_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here")
    folder = Path(tempfile.mkdtemp(prefix="recframe-postgres-"))
    server = Postgres(folder, programs)
    server.start()
    yield server
    with contextlib.suppress(subprocess.CalledProcessError):
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)
    (Path(tempfile.gettempdir()) / f"postgres-{server.port}.log").unlink(missing_ok=True)
