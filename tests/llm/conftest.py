"""A scripted endpoint that repeats the question, and chats with it."""

from __future__ import annotations

import pytest

from recframe.llm import Chat, ChatConfig, Prompt
from tests.scripted_endpoint import FakeTime, ScriptedEndpoint, chat_answer


@pytest.fixture
def endpoint():
    server = ScriptedEndpoint(chat_answer(lambda messages: f"You said: {messages[-1]['content']}"))
    with server.running():
        yield server


@pytest.fixture
def fake():
    return FakeTime()


@pytest.fixture
def chat(endpoint, fake, tmp_path):
    """Make a chat with the endpoint, whose cache is in the test's folder."""

    def make(**options) -> Chat:
        defaults = {"base_url": endpoint.url, "model": "small", "cache": str(tmp_path / "cache")}
        return Chat(ChatConfig(**{**defaults, **options}), key="environment.llm", clock=fake.clock())

    return make


@pytest.fixture
def prompts():
    def make(*texts: str) -> list[Prompt]:
        return [Prompt("You are a person.", text) for text in texts]

    return make
