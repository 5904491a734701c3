"""Latency, requests per second, start and memory of `recframe serve`, as multiples of a minimal FastAPI app.

    OMP_NUM_THREADS=1 python benchmarks/serving.py
    OMP_NUM_THREADS=1 python benchmarks/serving.py --items 1000 100000 1000000
    OMP_NUM_THREADS=1 python benchmarks/serving.py --saturate 600

The minimal app multiplies a matrix of item vectors by a vector, takes the ten best, and answers their numbers: it reads no history, checks
nothing, remembers nothing and stores nothing. The server answers a history of five items, with a session, and has stored the decision in
SQLite on the disk of --folder before it answers; with exact search, and with approximate search (--search), of which the server tells how
many of the best items it finds. All are processes of their own and are asked in turns by one client: one request at a
time for the latencies, and from --clients connections at once for requests per second. Start is the processor time, and memory the
resident memory, of a process that has answered its first request. The artefact is that of a small run whose catalogue is replaced by
one of random vectors in groups.

--saturate SECONDS keeps a server of --items items busy with --clients connections at once for so long instead: visits of sessions that come
and go, each with an answer and feedback about an item of it, one in a hundred with an explanation. It prints memory, requests per second
and latency over time, and then checks that each acknowledged feedback is in the store, once.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import polars as pl
import torch
from serving_saturation import saturated

import recframe
from recframe.files import file_sha256
from recframe.interfaces import Catalog
from recframe.serving.artefact.manifest import MANIFEST, WEIGHTS, read_manifest, version_of
from recframe.serving.artefact.tables import read_tables, write_tables

SMALL_RUN = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false", "evaluation.num_users=4"]
SMALL_RUN += [
    "dataset.num_items=40",
    "dataset.num_users=30",
    "environment.num_users=16",
    "trainer.env_steps=64",
    "agent.learning_starts=32",
]
BARE = """
import sys
import torch, uvicorn
from fastapi import FastAPI
app = FastAPI()
torch.manual_seed(0)
items, user = torch.randn({items}, {dim}), torch.randn({dim})

@app.post("/recommend")
async def recommend(asked: dict) -> dict:
    best = (items @ user).topk(10)
    return {{"items": best.indices.tolist(), "scores": best.values.tolist()}}

uvicorn.run(app, port={port}, log_level="warning")
"""


def small_artefact(folder: Path) -> Path:
    """The artefact of a small run."""
    run = recframe.run(SMALL_RUN, folder=folder / "run")
    recframe.export(run.folder, folder / "small")
    return folder / "small"


def with_items(small: Path, folder: Path, number: int) -> Path:
    """The same artefact with a catalogue of so many items, whose random vectors lie in groups of about a hundred, as those of texts do."""
    manifest = read_manifest(small)
    given = read_tables(small, manifest.files)
    dim = given.data.catalog.text_vectors.shape[1]
    ids = [f"item-{item}" for item in range(number)]
    draw = torch.Generator().manual_seed(0)
    centres = torch.randn(max(1, number // GROUP), dim, generator=draw)
    groups = torch.randint(len(centres), (number,), generator=draw)
    vectors = torch.nn.functional.normalize(centres[groups] + SPREAD * torch.randn(number, dim, generator=draw), dim=1)
    titles = pl.DataFrame({"title": [f"Item {item}" for item in range(number)]})
    catalog = Catalog(ids, titles["title"].to_list(), titles, torch.zeros(number), vectors)
    folder.mkdir()
    names = write_tables(folder, replace(given, data=given.data._replace(catalog=catalog)))
    (folder / WEIGHTS).write_bytes((small / WEIGHTS).read_bytes())
    files = {name: file_sha256(folder / name) for name in (*names, WEIGHTS)}
    spec = {**manifest.spec, "num_items": number}
    new = replace(manifest, spec=spec, files=files, sizes={**manifest.sizes, "items": number}, version=version_of(asdict(manifest), files))
    (folder / MANIFEST).write_text(new.text())
    return folder


GROUP, SPREAD = 100, 0.5
"""Items of a group, and how far they are from its centre, in units of the distance between centres."""


class Started(NamedTuple):
    """A server that has answered.   process: its number.   cpu: seconds of processor time until then.   memory: MiB."""

    port: int
    process: int
    cpu: float
    memory: float


@contextmanager
def started(command: Sequence[str], folder: Path, port: int, body: bytes) -> Iterator[Started]:
    """A process that serves at a port."""
    with (folder / "log.txt").open("ab") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process:
        try:
            while True:
                try:
                    ask(http.client.HTTPConnection("127.0.0.1", port), body)
                    break
                except OSError:
                    if process.poll() is not None:
                        raise SystemExit((folder / "log.txt").read_text()) from None
                    time.sleep(0.02)
            yield Started(port, process.pid, cpu_of(process.pid), memory_of(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)


def cpu_of(process: int) -> float:
    """The processor time of a process, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(process: int) -> float:
    """The resident memory of a process, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def ask(connection: http.client.HTTPConnection, body: bytes) -> float:
    """Send one request. Returns the seconds until its answer."""
    begun = time.perf_counter()
    connection.request("POST", "/recommend", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"status {answer.status}")
    return time.perf_counter() - begun


def latencies(port: int, body: bytes, requests: int) -> list[float]:
    """Seconds of requests, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    return [ask(connection, body) for _ in range(requests)]


def rate(port: int, body: bytes, requests: int, clients: int) -> float:
    """Requests per second of so many clients at once."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        for one in [threads.submit(latencies, port, body, requests // clients) for _ in range(clients)]:
            one.result()
    return requests // clients * clients / (time.perf_counter() - begun)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def milliseconds(seconds: Sequence[float]) -> str:
    """Median and 99th percentile."""
    return f"{1000 * statistics.median(seconds):.2f} | {1000 * sorted(seconds)[int(0.99 * len(seconds))]:.2f}"


def server_command(artefact: Path, folder: Path, port: int, search: str) -> list[str]:
    """The command line of `recframe serve` with a store of its own."""
    store = f"feedback.url=sqlite:///{folder}/{artefact.name}-{search}.db"
    return [sys.executable, "-m", "recframe", "serve", str(artefact), f"port={port}", store, f"search.kind={search}"]


def question() -> bytes:
    """A request with a history of five items."""
    return json.dumps({"history": [f"item-{item}" for item in range(5)], "session": "one", "k": 10}).encode()


def rows(small: Path, folder: Path, items: int, args: argparse.Namespace) -> Iterator[str]:
    """The rows of the table of one catalogue."""
    artefact, body = with_items(small, folder / f"items-{items}", items), question()
    sides_of = {f"recframe serve, {search}": search for search in args.search}
    with ExitStack() as stack:
        sides = []
        for search in sides_of.values():
            port = free_port()
            sides.append(stack.enter_context(started(server_command(artefact, folder, port, search), folder, port, body)))
        port = free_port()
        bare = [sys.executable, "-c", BARE.format(items=items, dim=args.dim, port=port)]
        sides.append(stack.enter_context(started(bare, folder, port, body)))
        names = [*sides_of, "minimal app"]
        for side in sides:
            latencies(side.port, body, args.requests // 10 + 1)
        timed: list[list[float]] = [[] for _ in sides]
        rates: list[list[float]] = [[] for _ in sides]
        for _ in range(args.turns):
            for place, side in enumerate(sides):
                timed[place] += latencies(side.port, body, args.requests // args.turns)
        for _ in range(args.turns):
            for place, side in enumerate(sides):
                rates[place].append(rate(side.port, body, args.requests // args.turns, args.clients))
        for place, (name, side) in enumerate(zip(names, sides, strict=True)):
            many = f"{statistics.median(rates[place]):.0f}"
            start = f"{side.cpu:.1f} | {side.memory:.0f}"
            ratio = statistics.median(timed[place]) / statistics.median(timed[-1])
            yield f"| {items:,} | {name} | {milliseconds(timed[place])} | {ratio:.2f} | {many} | {start} |"


def saturation(small: Path, folder: Path, args: argparse.Namespace) -> Iterator[str]:
    """The rows of the table over time of a server that is kept busy."""
    artefact, port = with_items(small, folder / "busy", args.items[0]), free_port()
    # few bytes for sessions: their memory then stays as it is after a short while
    command = [*server_command(artefact, folder, port, args.search[0]), "sessions.megabytes=2"]
    url = next(part for part in command if part.startswith("feedback.url=")).removeprefix("feedback.url=")
    with started(command, folder, port, question()) as server:
        yield from saturated(port, url, args.saturate, args.clients, lambda: memory_of(server.process))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--search", nargs="+", choices=["exact", "approximate"], default=["exact", "approximate"])
    parser.add_argument("--saturate", type=float, default=None, metavar="SECONDS", help="keep a server busy for so long instead")
    parser.add_argument("--dim", type=int, default=64, help="of the minimal app's vectors")
    parser.add_argument("--folder", type=Path, default=None, help="where the artefacts and stores go [default: a temporary folder]")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        folder = Path(temporary)
        small = small_artefact(folder)
        if args.saturate is not None:
            for row in saturation(small, folder, args):
                print(row, flush=True)
            return
        print("| items | side | p50, ms | p99, ms | ratio of p50 | requests/s | start, CPU s | memory, MiB |")
        print("|---:|---|---:|---:|---:|---:|---:|---:|")
        for items in args.items:
            for row in rows(small, folder, items, args):
                print(row, flush=True)
        for line in (folder / "log.txt").read_text().splitlines():
            if "approximate search" in line:
                print(line.partition("main: ")[2])


if __name__ == "__main__":
    main()
