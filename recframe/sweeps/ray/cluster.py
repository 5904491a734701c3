"""The connection to Ray: a cluster that exists, or Ray on this machine, which is started for a sweep and ends with this process."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from recframe.config.checks.memory import Machine
from recframe.errors import UserError
from recframe.signals import STOP_SIGNALS

OBJECT_STORE_BYTES = 100_000_000
"""Memory for what is passed between processes, which are configs and results. Ray's default is a third of the machine's."""

CONNECT_SECONDS = 10.0

log = logging.getLogger(__name__)


def connect(options: Mapping[str, Any]) -> None:
    """Connect this process to Ray, if it is not yet.

    Parameters
    ----------
    options: the arguments of `ray.init`; without an address, Ray is started on this machine.

    Raises
    ------
    UserError: if Ray cannot be started or reached, or refuses an option.
    """
    _choose_output()
    if "address" not in options:
        _choose_local()
    import ray

    if ray.is_initialized():
        return
    if "address" in options:
        _check_answer(str(options["address"]))
    local = {} if "address" in options else {"address": "local", "object_store_memory": OBJECT_STORE_BYTES}
    with _handlers_kept(), _not_for_servers():
        try:
            ray.init(**{**local, **options})
        except (ConnectionError, OSError, RuntimeError, TypeError, ValueError) as error:
            what = f"the cluster at {options['address']} cannot be used" if "address" in options else "Ray cannot be started here"
            raise UserError(f"hydra.launcher.ray.init: {what}: {' '.join(str(error).split())}") from error
    nodes = [node for node in ray.nodes() if node["Alive"]]
    log.info("Ray: processors: %d, machines: %d", ray.cluster_resources().get("CPU", 0), len(nodes))


def _check_answer(address: str) -> None:
    """See that there is a server at an address like "10.0.0.1:6379": Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"hydra.launcher.ray.init.address: there is no cluster at {address} ({error})") from None


def check_room(remote: Mapping[str, Any], local: bool) -> None:
    """Look for a machine that can hold a job with these options of `ray.remote`: Ray itself would wait without an end.

    Raises
    ------
    UserError: if there is none, and Ray was started for this sweep, so that no machine will join.
    """
    import ray

    needed = {"CPU": remote.get("num_cpus", 1), "GPU": remote.get("num_gpus", 0), "memory": remote.get("memory", 0)}
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(all(machine.get(name, 0) >= amount for name, amount in needed.items()) for machine in machines):
        return
    has = "; ".join(", ".join(f"{name} {machine.get(name, 0):g}" for name in needed) for machine in machines)
    asked = ", ".join(f"{name} {amount:g}" for name, amount in needed.items())
    message = f"hydra.launcher.ray.remote: no machine has room for a job: it takes {asked}, and there is {has}"
    if local:
        raise UserError(message)
    log.warning("%s; the jobs wait for another machine to join the cluster", message)


def fullest_machine(remote: Mapping[str, Any], at_most: int) -> tuple[int, Machine]:
    """How many of `at_most` jobs with these options of `ray.remote` may run at a time on one machine of the cluster: on that which then has
    the least memory for each.
    """
    import ray

    needed = {"CPU": remote.get("num_cpus", 1), "GPU": remote.get("num_gpus", 0), "memory": remote.get("memory", 0)}
    found = []
    for node in ray.nodes():
        has = node["Resources"] if node["Alive"] else {}
        jobs = min((int(has.get(name, 0) // amount) for name, amount in needed.items() if amount), default=1)
        if jobs and "memory" in has:
            found.append((min(jobs, at_most), Machine("a machine of the cluster", int(has["memory"]))))
    return min(found, key=lambda one: one[1].memory / one[0], default=(1, Machine("a machine of the cluster", 0)))


def _choose_output() -> None:
    """Settings of how jobs' lines are shown, which Ray reads when it is imported; those that the user has made are kept."""
    # Ray would drop lines that several jobs have in common, such as those of a table
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    if not sys.stdout.isatty():
        os.environ.setdefault("RAY_COLOR_PREFIX", "0")


def _choose_local() -> None:
    """Settings of a Ray for this sweep alone; those that the user has made are kept."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray would write a token for all clusters of this user into the home folder
    if "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep this process's handlers of signals; Ray sets its own for SIGTERM, which would end the jobs at once."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextmanager
def _not_for_servers() -> Iterator[None]:
    """Let Ray's own processes, if they are started in the block, overlook the signals that reach all processes of a terminal or of a step.

    They have to last until the jobs are saved. Processes inherit which signals are blocked; a job's process unblocks them. Ray itself does
    this for Ctrl-C. Here, a signal in the block arrives at its end.
    """
    numbers = {number for number in STOP_SIGNALS if number not in (signal.SIGTERM, signal.SIGINT)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
