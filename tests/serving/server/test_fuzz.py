"""Requests that are made from the server's own description, right ones and wrong ones: none is answered with a failure."""

from __future__ import annotations

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

QUICK = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "phases": [hypothesis.Phase.generate]}


def fuzz(url: str, examples: int, seed: int = 0, key: str = "") -> int:
    """Send so many requests to every operation, half of them wrong. Returns their number."""
    headers = {"X-API-Key": key} if key else {}
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    sent = 0
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

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
                    nonlocal sent
                    sent += 1
                    response = case.call(session=session, headers=headers, timeout=30)
                    case.validate_response(response, checks=CHECKS)
                    if response.status_code >= 400:
                        body = response.json()
                        assert list(body) == ["error"]
                        assert "\n" not in body["error"]
                        assert "Traceback" not in body["error"]

                try:
                    send()
                except hypothesis.errors.Unsatisfiable:
                    # nothing about it can be wrong
                    continue
    return sent


def test_requests_from_the_description_are_answered(serve, monkeypatch):
    monkeypatch.setenv("TEST_ADMIN", "admin")
    server = serve("admin_key_variable=TEST_ADMIN")
    assert fuzz(server.url, 4, key="admin") > 40
    assert server.recommend()["items"]


@pytest.mark.evidence
def test_evidence_ten_thousand_requests(serve, monkeypatch):
    monkeypatch.setenv("TEST_ADMIN", "admin")
    server = serve("admin_key_variable=TEST_ADMIN")
    sent = 0
    seed = 0
    while sent < 10_000:
        sent += fuzz(server.url, 100, seed, key="admin")
        seed += 1
    print(f"{sent} requests, none answered with a failure")
    assert server.recommend()["items"]
