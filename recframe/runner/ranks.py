"""The processes of a run with `trainer.devices` above 1: this one is the first, and starts the others.

Each of them is a new interpreter that reads what to do from its standard input (see `recframe.runner.rank`), so that it is the same from
the command line, from a worker of a launcher and from a notebook. The pipe stays open: a process whose starter is gone ends at once.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from recframe.errors import UserError
from recframe.interfaces import UserDivision
from recframe.training import LAST, RankLost, Ranks
from recframe.training.checkpoints import training_is_complete

GLOO = "GLOO_SOCKET_IFNAME"
WAIT = timedelta(hours=12)
"""A limit on a rank's wait for the others, such as for an evaluation. The end of a process is noticed at once, whatever the limit."""
MEETING = timedelta(minutes=2)
"""The same for the moment in which they connect, when they are ready to."""
PATIENCE = 10.0
"""Seconds in which a process says why it ended, and ends."""


LOST = 3
"""The exit code of a process that ends because another one is gone."""


class RankFailed(UserError):
    """A process of the training failed, in words."""

    exit_code = 1


class Started:
    """A process that was started."""

    def __init__(self, rank: int, task: dict[str, Any], log: Path) -> None:
        self.rank, self.log = rank, log
        with log.open("a", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "recframe.runner.rank"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self.process.stdin is not None
        print(json.dumps({**task, "rank": rank}), file=self.process.stdin, flush=True)

    def answer(self) -> dict[str, Any]:
        """Its next message: `ready`, or the `error` and `exit_code` with which it ends; empty if it ended without a word."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        message: dict[str, Any] = json.loads(line) if line else {}
        return message

    def reason(self) -> str | None:
        """Why it ended by itself, in words; None if it did not, or for want of another one."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return None
        if error := self.answer().get("error"):
            return str(error)
        if code < 0:
            by = f"by {signal.Signals(-code).name}"
            return f"it was killed {by}, as the system does when memory runs out" if -code == signal.SIGKILL else f"it was stopped {by}"
        return None if code in (0, LOST) else f"it ended with exit code {code}; see {self.log}"

    def end(self, patience: float) -> None:
        """End the process, by force after `patience` seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        if self.log.is_file() and not self.log.stat().st_size:
            self.log.unlink()


@contextmanager
def other_ranks(cfg: DictConfig, folder: Path, resume_from: Path | None, threads: dict[str, int]) -> Iterator[Ranks]:
    """Within the block, `trainer.devices` - 1 more processes do their part of the run's training.

    Parameters
    ----------
    folder: the run's.   threads: those of each process.

    Raises
    ------
    RankFailed: one of them failed or was killed.
    """
    count = cfg.trainer.devices
    if count == 1 or (resume_from is not None and training_is_complete(resume_from)):
        yield Ranks()
        return
    with tempfile.TemporaryDirectory(prefix="recframe-ranks-") as meeting:
        task: dict[str, Any] = {
            "config": OmegaConf.to_yaml(cfg, resolve=True),
            "folder": str(folder),
            "resume_from": None if resume_from is None else str(resume_from),
            "store": f"{meeting}/store",
            **threads,
        }
        started = [Started(rank, task, folder / f"rank_{rank}.log") for rank in range(1, count)]
        patience = 0.0
        try:
            for one in started:
                answer = one.answer()
                if "ready" not in answer:
                    raise RankFailed(_message(one, answer.get("error") or one.reason() or "it gave no answer", folder))
            with process_group(UserDivision(0, count), task["store"]):
                yield Ranks(UserDivision(0, count))
            patience = PATIENCE
        except BaseException as error:
            if not _is_loss(error):
                raise
            reasons = [(one, reason) for one in started if (reason := one.reason()) is not None]
            if not reasons:
                raise
            raise RankFailed(_message(*reasons[0], folder)) from error
        finally:
            for one in started:
                one.end(patience)


def _message(one: Started, reason: str, folder: Path) -> str:
    saved = folder / "checkpoints" / LAST
    remedy = f"; the last checkpoint is saved. Resume with: recframe train resume={folder}" if saved.is_file() else ""
    return f"process {one.rank + 1} of the training failed: {reason}{remedy}"


def _is_loss(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that another process is gone."""
    while error is not None:
        if isinstance(error, RankLost) or (isinstance(error, RuntimeError) and "gloo" in str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def process_group(part: UserDivision, store: str) -> Iterator[None]:
    """The communication of the processes within the block; they meet at a file.

    All are on this machine, so that the loopback interface is the right one, and nobody else can connect.
    """
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    given = GLOO in os.environ
    if not given and loopback is not None:
        os.environ[GLOO] = loopback
    try:
        meeting = torch.distributed.FileStore(store, part.ranks)  # type: ignore[attr-defined]
        torch.distributed.init_process_group("gloo", store=meeting, rank=part.rank, world_size=part.ranks, timeout=MEETING)
    finally:
        if not given:
            os.environ.pop(GLOO, None)
    torch.distributed.distributed_c10d._set_pg_timeout(WAIT)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()
