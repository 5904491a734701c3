"""Options of the access to a language model."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

import pytest

from recframe.config.contents import use_contents
from recframe.llm import ChatConfig


def test_the_defaults_have_no_problem_and_neither_has_an_endpoint():
    assert list(ChatConfig().problems("environment.llm")) == []
    endpoint = ChatConfig(base_url="https://host/v1", model="m", api_key_variable="MY_KEY", max_cost=1.0, price_out=2.0)
    assert list(endpoint.problems("environment.llm")) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "host/v1", "model": "m"}, "environment.llm.base_url=host/v1 is not an address"),
        ({"base_url": "https://host/v1/chat/completions", "model": "m"}, "leave out '/chat/completions', which is appended to it"),
        ({"base_url": "https://me:secret@host/v1", "model": "m"}, "environment.llm.base_url has a user or password"),
        ({"base_url": "https://host/v1"}, "packaged:smollm2-135m-instruct is loaded here, but environment.llm.base_url is set"),
        ({"api_key_variable": "MY_KEY"}, "environment.llm.api_key_variable is given, but environment.llm.base_url is not"),
        ({"max_cost": 1.0}, "environment.llm.max_cost=1.0 limits nothing without prices"),
        ({"base_url": "https://host/v1", "model": "m", "api_key_variable": "sk-1"}, "is not the name of an environment variable"),
    ],
)
def test_contradictions_are_named_with_the_key_of_the_section(options, message):
    (problem,) = ChatConfig(**options).problems("environment.llm")
    assert message in problem
    assert "secret" not in problem


def test_importing_the_package_imports_neither_torch_nor_an_http_client():
    code = "import sys, recframe.llm; print([name for name in ('torch', 'requests', 'transformers', 'jsonschema') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_an_access_costs_is_not_part_of_a_run_and_what_it_answers_is():
    section = {**asdict(ChatConfig()), "base_url": "http://host/v1", "model": "m"}
    other = {**section, "max_calls": 5, "price_in": 1.0, "timeout": 1.0, "requests_at_once": 2, "replay": "only", "cache": "elsewhere"}
    different = {**section, "temperature": 1.0}
    for values in (section, other, different):
        use_contents(values, ChatConfig)
    assert other == section
    assert different != section
    assert {"base_url", "model", "temperature", "seed", "max_tokens", "ask_again"} <= set(section)
