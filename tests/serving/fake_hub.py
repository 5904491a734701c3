"""A server that speaks the parts of the Hugging Face hub's API that push and pull use, with its decisions about large files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_a_secret_of_the_tests"
REGULAR = (".json", ".md")


@dataclass
class FakeHub:
    """commits: by repository, the files of each commit by its id, oldest first.   requests: method, path and token of each."""

    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    refuse_uploads: bool = False
    ignored: tuple[str, ...] = ()

    def __enter__(self) -> FakeHub:
        hub = self
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def commit(self, repository: str, files: dict[str, bytes]) -> str:
        """Add a commit by hand; returns its id."""
        made = self.commits.setdefault(repository, {})
        name = hashlib.sha1(f"{repository} {len(made)}".encode()).hexdigest()
        made[name] = files
        return name

    def fetched(self) -> list[str]:
        """The files of repositories that were downloaded."""
        return [found[1] for method, path, _ in self.requests if method == "GET" and (found := re.search(r"/resolve/[^/]+/(.*)", path))]


class Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, content, status=200, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **{key.replace("_", "-"): value for key, value in headers.items()}}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, token = self.path.split("?")[0], (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        self.hub.requests.append((self.command, self.path, token))
        for pattern, method in ROUTES:
            kind, _, address = pattern.partition(" ")
            if self.command in kind.split("|") and (found := re.fullmatch(address, path)):
                return method(self, *found.groups(), body=body, token=token)
        return self.answer({"error": "no such address"}, 404)

    do_GET = do_POST = do_PUT = do_HEAD = handle_any

    def create(self, body, token):
        if token != TOKEN:
            return self.answer({"error": "Invalid username or password."}, 401)
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.hub.commits:
            return self.answer({"error": "You already created this model repo", "url": f"{self.hub.endpoint}/{name}"}, 409)
        self.hub.commits[name], self.hub.private[name] = {}, asked.get("visibility") == "private" or bool(asked.get("private"))
        return self.answer({"url": f"{self.hub.endpoint}/{name}"})

    def validate(self, body, token):
        return self.answer({"errors": [], "warnings": []})

    def preupload(self, name, revision, body, token):
        if revision != "main":
            return self.answer({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        if self.hub.refuse_uploads:
            return self.answer({"error": f"quota of {token} used up"}, 403)
        files = [file["path"] for file in json.loads(body)["files"]]
        modes = [{"path": path, "uploadMode": "regular" if path.endswith(REGULAR) else "lfs"} for path in files]
        return self.answer({"files": [{**mode, "shouldIgnore": mode["path"] in self.hub.ignored} for mode in modes]})

    def batch(self, name, body, token):
        wanted = json.loads(body)["objects"]
        actions = [{"upload": {"href": f"{self.hub.endpoint}/large/{one['oid']}"}} for one in wanted]
        found = [{**one, **({} if one["oid"] in self.hub.large else {"actions": how})} for one, how in zip(wanted, actions, strict=True)]
        return self.answer({"transfer": "basic", "objects": found})

    def upload(self, oid, body, token):
        assert hashlib.sha256(body).hexdigest() == oid
        self.hub.large[oid] = body
        return self.answer({})

    def commit(self, name, revision, body, token):
        files = dict(list(self.hub.commits[name].values())[-1]) if self.hub.commits[name] else {}
        for line in map(json.loads, body.decode().splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        oid = self.hub.commit(name, files)
        return self.answer({"commitOid": oid, "commitUrl": f"{self.hub.endpoint}/{name}/commit/{oid}", "success": True})

    def found(self, name, revision, token):
        """The commit and its files, or None: it was refused."""
        if name not in self.hub.commits or (self.hub.private.get(name) and token != TOKEN):
            return self.answer({"error": "Repository not found"}, 401, X_Error_Code="RepoNotFound")
        commits = self.hub.commits[name]
        revision = list(commits)[-1] if revision in (None, "main") and commits else revision
        if revision not in commits:
            return self.answer({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        return revision, commits[revision]

    def info(self, name, revision=None, body=None, token=None):
        if found := self.found(name, revision, token):
            siblings = [{"rfilename": path, "size": len(content), "blobId": "0" * 40} for path, content in found[1].items()]
            self.answer({"_id": "1", "id": name, "sha": found[0], "private": False, "tags": [], "siblings": siblings})

    def resolve(self, name, revision, path, body=None, token=None):
        if not (found := self.found(name, revision, token)):
            return None
        if path not in found[1]:
            return self.answer({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
        content = found[1][path]
        return self.answer(content, X_Repo_Commit=found[0], ETag=f'"{hashlib.sha256(content).hexdigest()}"')


ROUTES = [
    ("POST /api/repos/create", Handler.create),
    ("POST /api/validate-yaml", Handler.validate),
    (r"POST /api/models/([^/]+/[^/]+)/preupload/([^/]+)", Handler.preupload),
    (r"POST /([^/]+/[^/]+)\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT /large/([0-9a-f]+)", Handler.upload),
    (r"POST /api/models/([^/]+/[^/]+)/commit/([^/]+)", Handler.commit),
    (r"GET /api/models/([^/]+/[^/]+)", Handler.info),
    (r"GET /api/models/([^/]+/[^/]+)/revision/([^/]+)", Handler.info),
    (r"GET|HEAD /([^/]+/[^/]+)/resolve/([^/]+)/(.+)", Handler.resolve),
]
