"""A model's endpoint on this machine, which answers as a test scripts it: rightly, late, with errors, or with something else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from recframe.endpoints.clock import Clock

Faults = list[tuple[int, dict[str, str], str | None]]


class ScriptedEndpoint(ThreadingHTTPServer):
    """Takes `answers` in turn: (status, headers, body, or None for the right one); afterwards, always the right one.

    right: the right answer to a request, as JSON.   delay: seconds before each answer.
    requests, headers, paths: what was asked, in the order of arrival.   most_at_once: the largest number of requests at one time.
    """

    daemon_threads = True
    # connections that wait until they are accepted
    request_queue_size = 64

    def __init__(self, right: Callable[[dict[str, Any]], Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.right = right
        self.answers: Faults = []
        self.delay = 0.0
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    @contextmanager
    def running(self) -> Iterator[ScriptedEndpoint]:
        """Answers within the block."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedEndpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.paths.append(self.path)
            server.requests.append(body)
            server.headers.append(dict(self.headers))
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
            status, headers, answer = server.answers.pop(0) if server.answers else (200, {}, None)
        if server.delay:
            time.sleep(server.delay)
        if answer is None:
            answer = json.dumps(server.right(body))
        with server.lock:
            server.at_once -= 1
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        # a client that does not wait any longer is part of some scripts
        with suppress(BrokenPipeError):
            self.wfile.write(answer.encode())
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        pass


def chat_answer(write: Callable[[list[dict[str, str]]], str]) -> Callable[[dict[str, Any]], Any]:
    """The right answers of a chat model that writes `write(messages)`; a token is a word."""

    def right(body: dict[str, Any]) -> Any:
        text = write(body["messages"])
        used = {"prompt_tokens": sum(len(turn["content"].split()) for turn in body["messages"]), "completion_tokens": len(text.split())}
        return {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}], "usage": used}

    return right


class FakeTime:
    """A clock that sleeping moves, so that tests do not wait."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, sleep=self.sleep, uniform=lambda: 0.0)
