"""Requests that are made from the server's own description, right ones and wrong ones: none is answered with a failure."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.serving.server.test_as_command import process

SLOW = "batch.seconds=100"
"""A machine that is busy with other things may take long for the first explanation, which is no failure of the server."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

NOT_JSON = (b"", b"{", b"null", b"[" * 1_000, b'{"k": NaN}', b'{"k": 1}{}', b"\xff\xfe{}", b'{"history": [[[]]]}', b'{"a": "\\ud800"}')
"""Bodies that no schema describes."""


def fuzz(url: str, examples: int, seed: int = 0, key: str = "") -> Counter[str]:
    """Send so many requests to every operation, "right" and "wrong" ones. Returns how many of both were sent."""
    headers = {"X-API-Key": key} if key else {}
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    sent: Counter[str] = Counter()
    kind = [""]
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                kind[0] = "right" if mode is GenerationMode.POSITIVE else "wrong"

                @hypothesis.seed(seed)
                @hypothesis.settings(
                    max_examples=examples,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                    phases=[hypothesis.Phase.generate],
                )
                @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
                def send(case):
                    sent[kind[0]] += 1
                    response = case.call(session=session, headers=headers, timeout=120)
                    case.validate_response(response, checks=CHECKS)
                    require_one_line(response)

                try:
                    send()
                except hypothesis.errors.Unsatisfiable:
                    # nothing about it can be wrong
                    continue
            if operation.method == "post":
                for body in NOT_JSON:
                    sent["wrong"] += 1
                    answer = session.post(
                        f"{url}{operation.path}", data=body, headers={**headers, "Content-Type": "application/json"}, timeout=30
                    )
                    assert answer.status_code < 500, answer.text
                    require_one_line(answer)
    return sent


def require_one_line(response: requests.Response) -> None:
    """A refusal is one line, and no traceback."""
    if response.status_code >= 400:
        body = response.json()
        assert list(body) == ["error"]
        assert "\n" not in body["error"]
        assert "Traceback" not in body["error"]


def test_requests_from_the_description_are_answered(serve, monkeypatch):
    monkeypatch.setenv("TEST_ADMIN", "admin")
    server = serve("admin_key_variable=TEST_ADMIN")
    sent = fuzz(server.url, 4, key="admin")
    assert min(sent["right"], sent["wrong"]) > 20
    assert server.recommend()["items"]


@pytest.mark.evidence
@pytest.mark.timeout(3_600)
def test_evidence_ten_thousand_wrong_requests(artefact, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_ADMIN", "admin")
    with process(artefact, tmp_path, "admin_key_variable=TEST_ADMIN", "sessions.megabytes=2", SLOW) as (server, url):
        before = requests.post(f"{url}/recommend", json={"history": ["3"], "session": "mine"}, timeout=30).json()
        sent: Counter[str] = Counter()
        memory: list[float] = []
        while sent["wrong"] < 10_000:
            sent += fuzz(url, 100, len(memory), key="admin")
            memory.append(resident_megabytes(server.pid))
            print(f"{dict(sent)}, {memory[-1]:.0f} MB", flush=True)
        after = requests.post(f"{url}/recommend", json={"history": ["3"], "session": "mine"}, timeout=30).json()
        assert [item["id"] for item in after["items"]] == [item["id"] for item in before["items"]]
        assert server.poll() is None
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
    print(f"{sent['wrong']:,} wrong requests and {sent['right']:,} right ones, none answered with a failure")
    # what is made once is made in the first thousands
    half = len(memory) // 2
    assert max(memory[half:]) < 1.1 * memory[half]


def resident_megabytes(pid: int) -> float:
    """The memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
