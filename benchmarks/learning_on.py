"""Regret over time of a policy that learns on beside its server, and of the same policy frozen, by people who talk HTTP to both.

    python benchmarks/learning_on.py
    python benchmarks/learning_on.py --visits 20000 --epsilon 0.3 --margin 0

A policy that has learned that everybody takes the first of eight items is served twice, with the same exploration; people take the fourth
one most. Beside one of the servers, `recframe learn --watch` makes rounds. Each visit asks both servers for an item and answers with a
click by its chance. The table has, for each block of visits, the mean regret of both (the chance of the best item less that of the one that
was shown), and the version that is served at its end; the rounds are printed below.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import recframe

ITEMS = 8
WORDS = ("ants", "bees", "cats", "dogs", "eels", "foxes", "goats", "hens")
CHANCES = np.array([0.1, 0.1, 0.1, 0.8, 0.1, 0.4, 0.1, 0.1])
QUICK = ["evaluation.k=[1]", "logged.batches=400", "logged.evaluate_every=100", "agent.learning_rate=0.01"]


def first_policy(folder: Path) -> Path:
    """The artefact of a policy that has learned from people who took the first item."""
    draw = np.random.default_rng(0)
    lines = ["user,item,timestamp,click,propensity"]
    for person in range(40):
        for turn in range(10):
            item = int(draw.integers(ITEMS))
            lines.append(f"u{person},{item},{1000 * person + turn},{int(draw.random() < (0.9 if item == 0 else 0.1))},{1 / ITEMS}")
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    (folder / "items.csv").write_text("id,title\n" + "".join(f"{item},{WORDS[item]}\n" for item in range(ITEMS)))
    data = ["dataset=bandit_log", f"dataset.interactions={folder}/log.csv", f"dataset.items={folder}/items.csv", "encoder=tfidf"]
    run = ["experiment=next_item", "agent=dqn", "agent.gamma=0", "split.by=users", "split.test_share=0.2", "logger=[csv]"]
    still = ["evaluation.references=false", "evaluation.exclude_seen=false", "embeddings.cache=null"]
    recframe.run([*run, *data, *still, *QUICK], folder=folder / "run")
    recframe.export(folder / "run", folder / "policy")
    return folder / "policy"


class Server:
    """`recframe serve` in a process of its own, and a connection to it."""

    def __init__(self, folder: Path, url: str, epsilon: float) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = [f"port={self.port}", f"feedback.url={url}", "watch=true", "exploration.kind=epsilon", f"exploration.epsilon={epsilon}"]
        self.process = started("serve", str(folder), *settings, "seed=0")
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def wait(self, seconds: float = 300) -> None:
        """Wait until it answers."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.connection.request("GET", "/health")
                self.connection.getresponse().read()
                return
            except OSError:
                self.connection.close()
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.2)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request."""
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        if response.status >= 400:
            raise SystemExit(f"{path}: {response.status} {answer}")
        return answer

    def visit(self, session: str, luck: float) -> tuple[float, str]:
        """One item is shown, and clicked by its chance; returns its regret, and the version that chose it."""
        asked = self.post("/recommend", {"session": session, "k": 1})
        item = asked["items"][0]["id"]
        chance = CHANCES[int(item)]
        if luck < chance:
            self.post("/feedback", {"recommendation": asked["recommendation"], "item": item, "signals": {"click": 1}})
        return float(CHANCES.max() - chance), asked["version"]


STDERR = 2
"""The standard error as the system numbers it."""


def started(*arguments: str) -> subprocess.Popen[bytes]:
    """A command of recframe in the background; what it says goes to stderr."""
    return subprocess.Popen([sys.executable, "-m", "recframe", *arguments], stdout=STDERR)


def learner(url: str, folder: Path, arguments: argparse.Namespace) -> subprocess.Popen[bytes]:
    """`recframe learn` beside a server."""
    until = ["--watch"] if arguments.rounds is None else ["--rounds", str(arguments.rounds)]
    gate = ["--margin", str(arguments.margin), "--effective", str(arguments.effective), "--hold-out", "0.5", "--settle", "1"]
    pace = ["--feedback", str(arguments.feedback), "--poll", "0.5"]
    return started("learn", url, str(folder), *until, *gate, *pace, "--", *QUICK, "embeddings.cache=null")


def main() -> None:
    """Run the benchmark, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=12_000)
    parser.add_argument("--turns", type=int, default=8, help="visits of a session")
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--epsilon", type=float, default=0.3)
    parser.add_argument("--feedback", type=int, default=400, help="new feedback of a round")
    parser.add_argument("--effective", type=float, default=30)
    parser.add_argument("--margin", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=None, help="rounds of the learner [default: until the end]; 0: nothing learns")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="recframe-learning-on-"))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        measure(folder, arguments, processes)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder: Path, arguments: argparse.Namespace, processes: list[subprocess.Popen[bytes]]) -> None:
    """Serve, visit, and print."""
    policy = first_policy(folder)
    frozen = shutil.copytree(policy, folder / "frozen")
    urls = [f"sqlite:///{folder}/{name}.db" for name in ("learning", "frozen")]
    sides = [Server(one, url, arguments.epsilon) for one, url in zip((policy, frozen), urls, strict=True)]
    processes += [side.process for side in sides]
    for side in sides:
        side.wait()
    if arguments.rounds != 0:
        processes.append(learner(urls[0], policy, arguments))
    draw = np.random.default_rng(1)
    regrets = np.zeros((arguments.visits, 2))
    print("| visits | regret, learning | regret, frozen | version |\n|---|---|---|---|")
    block = max(1, arguments.visits // arguments.blocks)
    for visit in range(arguments.visits):
        # the same person, with the same mood, at both
        luck, session, version = float(draw.random()), f"s{visit // arguments.turns}", ""
        for place, side in enumerate(sides):
            regrets[visit, place], served = side.visit(session, luck)
            version = served if place == 0 else version
        if (visit + 1) % block == 0:
            mean = regrets[visit + 1 - block : visit + 1].mean(axis=0)
            print(f"| {visit + 1 - block} to {visit + 1} | {mean[0]:.3f} | {mean[1]:.3f} | {version} |", flush=True)
    print(f"\nsum of regrets: {regrets[:, 0].sum():.0f} learning, {regrets[:, 1].sum():.0f} frozen\n")
    rounds = folder / "policy.rounds" / "rounds.jsonl"
    for line in rounds.read_text().splitlines() if rounds.is_file() else ():
        record = json.loads(line)
        print(f"round {record['round']}: {record['outcome']} after {record['seconds']:.0f} s: {record['reason']}")


if __name__ == "__main__":
    main()
