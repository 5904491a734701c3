"""A server of files on 127.0.0.1 that misbehaves as a test asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class FileServer:
    """What the server has, and how it answers. `asked` are the headers of the requests that came.

    cut: for each coming request, the bytes after which the connection is closed; None for all.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    etag: str | None = '"1"'
    cut: list[int | None] = field(default_factory=list)
    status: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/octet-stream"
    say_length: bool = True
    endless: bool = False
    silent: threading.Event | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@contextmanager
def serving(server: FileServer) -> Iterator[FileServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def head(self, status: int, length: int | None, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", server.content_type)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True

        def do_GET(self) -> None:
            server.asked.append(dict(self.headers))
            name = self.path.lstrip("/")
            if server.silent is not None:
                server.silent.wait(30)
                return
            if name in server.redirects:
                return self.head(302, 0, Location=server.redirects[name])
            statuses = server.status.get(name)
            if statuses:
                return self.head(statuses.pop(0), 0)
            if name not in server.files:
                return self.head(404, 0)
            self.send_file(server.files[name])

        def send_file(self, content: bytes) -> None:
            wanted = self.headers.get("Range")
            condition = self.headers.get("If-Range")
            start = 0
            etag = {"ETag": server.etag} if server.etag else {}
            if wanted and server.ranges and condition in (None, server.etag):
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    return self.head(416, 0, Content_Range=f"bytes */{len(content)}")
                where = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
                self.head(206, len(content) - start, **etag, **where)
            else:
                self.head(200, len(content) if server.say_length else None, **etag)
            cut = server.cut.pop(0) if server.cut else None
            self.wfile.write(content[start:] if cut is None else content[start : start + cut])
            while server.endless:
                try:
                    self.wfile.write(b"x" * 65536)
                except OSError:
                    return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            if server.silent is not None:
                server.silent.set()
            http.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(FileServer()) as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[FileServer]:
    with serving(FileServer()) as running:
        yield running
