"""The encoder `http_embeddings`, against a local server that can fail, limit rates, reorder and give wrong answers, with a fake clock."""

import hashlib
import random
import socket
import time
from email.utils import formatdate

import numpy as np
import pytest
import torch

from recframe.components import contradictions
from recframe.config import find_mistakes
from recframe.embeddings import EmbeddingStore
from recframe.endpoints.clock import Clock
from recframe.errors import ModelError
from recframe.plugin_loader import registry
from recframe.testing import check_component
from recframe_plugins.encoders.http.config import HttpEmbeddingsConfig
from recframe_plugins.encoders.http.encoder import HttpEmbeddingsEncoder
from tests.scripted_endpoint import FakeTime, ScriptedEndpoint

CPU = torch.device("cpu")
KEY = "sk-secret-0123456789"


def vector(text: str, dim: int) -> list[float]:
    return [byte / 255 - 0.5 for byte in hashlib.shake_256(text.encode()).digest(dim)]


class Server(ScriptedEndpoint):
    """Answers with vectors of `dim` numbers; `rearrange` edits the data of the right answer."""

    def __init__(self) -> None:
        super().__init__(self.embed)
        self.rearrange = lambda data: data
        self.dim = 8

    def embed(self, body: dict) -> dict:
        dim = body.get("dimensions", self.dim)
        return {"data": self.rearrange([{"index": i, "embedding": vector(text, dim)} for i, text in enumerate(body["input"])])}


@pytest.fixture
def server():
    with Server().running() as server:
        yield server


@pytest.fixture
def fake():
    return FakeTime()


@pytest.fixture
def ask(server, fake):
    def make(**options) -> HttpEmbeddingsEncoder:
        return HttpEmbeddingsEncoder(HttpEmbeddingsConfig(**{"base_url": server.url, "model": "small", **options}), CPU, fake.clock())

    return make


def units(texts, dim=8):
    vectors = np.array([vector(text, dim) for text in texts], dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_encoder_conforms(server):
    component = registry().get("encoder", "http_embeddings")
    check_component(component, HttpEmbeddingsConfig(base_url=server.url, model="small"), unvaried={"requests_per_minute"})


def test_requests_are_bounded_in_texts_and_characters(server, ask):
    texts = ["aaaa", "bbbb", "cccc", "d" * 30, "e", "f"]
    vectors = ask(batch_size=2, batch_characters=8, dimensions=5).encode(texts, "item")
    assert np.allclose(vectors, units(texts, 5), atol=1e-6)
    assert [body["input"] for body in server.requests] == [["aaaa", "bbbb"], ["cccc"], ["d" * 30], ["e", "f"]]
    assert all(body["model"] == "small" and body["dimensions"] == 5 for body in server.requests)
    assert set(server.paths) == {"/v1/embeddings"}


def test_the_dimension_is_that_of_the_first_answer(server, ask):
    encoder = ask()
    assert encoder.dim == 8
    assert "dimensions" not in server.requests[0]
    server.dim = 9
    with pytest.raises(ModelError, match="answered with vectors of 9 numbers, its first answer had 8"):
        encoder.encode(["a"], "item")


def test_vectors_are_ordered_by_their_index(server, ask):
    server.rearrange = lambda data: data[::-1]
    assert np.allclose(ask().encode(["a", "b", "c"], "item"), units(["a", "b", "c"]), atol=1e-6)
    server.rearrange = lambda data: [{"embedding": entry["embedding"]} for entry in data]
    assert np.allclose(ask().encode(["a", "b", "c"], "item"), units(["a", "b", "c"]), atol=1e-6)


def test_each_role_has_its_prompt_and_normalize_can_be_turned_off(server, ask):
    vectors = ask(item_prompt="passage: ", normalize=False).encode(["a"], "item")
    assert np.allclose(vectors, [vector("passage: a", 8)], atol=1e-6)
    ask(item_prompt="passage: ").encode(["a"], "context")
    assert server.requests[-1]["input"] == ["a"]


def test_blank_texts_are_not_sent_and_get_the_zero_vector(server, ask):
    vectors = ask().encode(["", "a", " \n"], "item")
    assert [body["input"] for body in server.requests] == [["a"]]
    assert not vectors[[0, 2]].any()
    assert np.allclose(vectors[1], units(["a"])[0], atol=1e-6)
    assert ask(dimensions=3).encode([""], "item").shape == (1, 3)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_rate_limits_and_server_errors_are_retried_with_exponential_backoff(server, ask, fake, status):
    server.answers = [(status, {}, "{}")] * 3
    assert np.allclose(ask().encode(["a"], "item"), units(["a"]), atol=1e-6)
    assert fake.slept == [0.5, 1.0, 2.0]
    assert len(server.requests) == 4


def test_jitter_shortens_a_wait_by_up_to_a_half(server, fake):
    clock = Clock(monotonic=lambda: fake.now, sleep=fake.sleep, uniform=lambda: 0.5)
    server.answers = [(500, {}, "")]
    HttpEmbeddingsEncoder(HttpEmbeddingsConfig(base_url=server.url, model="small"), CPU, clock).encode(["a"], "item")
    assert fake.slept == [0.375]


def test_retry_after_is_respected(server, ask, fake):
    server.answers = [(429, {"Retry-After": "7"}, ""), (500, {"Retry-After": formatdate(time.time() + 20, usegmt=True)}, "")]
    ask().encode(["a"], "item")
    assert fake.slept == [7.0, pytest.approx(20, abs=5)]


def test_a_retry_after_that_is_too_long_is_refused_at_once(server, ask, fake):
    server.answers = [(429, {"Retry-After": "86400"}, "")]
    with pytest.raises(ModelError, match="answered 429 and asks to wait for more than 600 s; try later"):
        ask().encode(["a"], "item")
    assert fake.slept == []


def test_a_malformed_retry_after_is_ignored(server, ask, fake):
    server.answers = [(503, {"Retry-After": "soon"}, "")]
    ask().encode(["a"], "item")
    assert fake.slept == [0.5]


def test_retry_after_does_not_make_a_refusal_retried(server, ask, fake):
    server.answers = [(413, {"Retry-After": "7"}, "too large")]
    with pytest.raises(ModelError, match="answered 413: too large"):
        ask().encode(["a"], "item")
    assert fake.slept == []


def test_after_the_last_retry_the_error_has_the_servers_message(server, ask, fake):
    server.answers = [(429, {}, '{"error": {"message": "quota is\\nused up"}}')] * 3
    with pytest.raises(ModelError, match=r"answered 429: quota is used up, 3 time\(s\); try later") as raised:
        ask(retries=2).encode(["a"], "item")
    assert len(fake.slept) == 2
    assert "\n" not in str(raised.value)


def test_requests_keep_to_the_rate(server, ask, fake):
    ask(requests_per_minute=30, batch_size=1).encode(["a", "b", "c"], "item")
    assert fake.slept == [2.0, 2.0]


def test_retries_keep_to_the_rate(server, ask, fake):
    server.answers = [(500, {}, "")]
    ask(requests_per_minute=30).encode(["a"], "item")
    assert fake.slept == [0.5, 1.5]


def test_retries_do_not_draw_from_the_global_generator(server, ask):
    server.answers = [(500, {}, "")] * 2
    random.seed(0)
    state = random.getstate()
    ask().encode(["a"], "item")
    assert random.getstate() == state


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, f'{{"error": {{"message": "wrong key {KEY}"}}}}', "the API key in the environment variable MY_KEY is not accepted"),
        (404, '{"error": {"message": "no model"}}', "encoder.model=small: .*/v1/embeddings answered 404: no such model.*: no model"),
        (400, f'{{"error": {{"message": "too long {KEY}"}}}}', r"answered 400: too long \*\*\*"),
        (200, "<html>", "the answer is not JSON: <html>"),
        (200, '{"vectors": []}', "the answer does not have the form"),
        (200, '{"data": [{"index": 1, "embedding": [1, 2]}]}', "under 1 indices for 1 texts"),
        (200, '{"data": [{"index": 0, "embedding": []}]}', r"vectors of shape \[1, 0\]"),
        (200, '{"data": []}', "under 0 indices for 1 texts"),
    ],
)
def test_a_refusal_is_one_line_without_the_key(server, ask, fake, monkeypatch, status, body, message):
    monkeypatch.setenv("MY_KEY", KEY)
    server.answers = [(status, {}, body)]
    with pytest.raises(ModelError, match=message) as raised:
        ask(api_key_variable="MY_KEY").encode(["a"], "item")
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not fake.slept
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_a_server_that_requires_a_key_gets_none_from_netrc(server, ask, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login me password {KEY}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.answers = [(401, {}, "")]
    with pytest.raises(ModelError, match=r"it requires an API key: .* set encoder\.api_key_variable to its name"):
        ask().encode(["a"], "item")
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize(("key", "message"), [(None, "no such environment variable"), ("two words", "its value is not a key")])
def test_an_unusable_key_is_refused_before_anything_is_sent(server, ask, monkeypatch, key, message):
    monkeypatch.delenv("MY_KEY", raising=False)
    if key:
        monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(ModelError, match=f"encoder.api_key_variable=MY_KEY: .*{message}"):
        ask(api_key_variable="MY_KEY").encode(["a"], "item")
    assert not server.requests


def test_redirects_are_not_followed(server, ask):
    server.answers = [(307, {"Location": f"{server.url}/elsewhere"}, "")]
    with pytest.raises(ModelError, match=r"answered 307, a redirect to .*/v1/elsewhere, which is not followed"):
        ask().encode(["a"], "item")
    assert len(server.requests) == 1


def test_an_address_without_a_server_is_reported_at_once(fake):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    encoder = HttpEmbeddingsEncoder(HttpEmbeddingsConfig(base_url=url, model="small"), CPU, fake.clock())
    with pytest.raises(ModelError, match=f"encoder.base_url={url}: no server answers there; is it running"):
        encoder.encode(["a"], "item")
    assert not fake.slept


def test_a_server_that_goes_away_is_retried(server, ask, fake):
    encoder = ask(retries=2)
    encoder.encode(["a"], "item")
    server.shutdown()
    server.server_close()
    encoder.endpoint._threads.session.close()
    with pytest.raises(ModelError, match=r"the connection was lost, 3 time\(s\)"):
        encoder.encode(["b"], "item")
    assert fake.slept == [0.5, 1.0]


def test_timeouts_are_retried(fake):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        config = HttpEmbeddingsConfig(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}", model="small", timeout=0.05, retries=1)
        with pytest.raises(ModelError, match=r"no answer within 0.05 s, 2 time\(s\)"):
            HttpEmbeddingsEncoder(config, CPU, fake.clock()).encode(["a"], "item")
    assert fake.slept == [0.5]


def test_an_answer_that_breaks_off_is_retried(server, ask, fake):
    server.answers = [(500, {}, ""), (200, {"Content-Length": "1000"}, "{")]
    assert np.allclose(ask().encode(["a"], "item"), units(["a"]), atol=1e-6)
    assert fake.slept == [0.5, 1.0]


def test_answers_that_break_off_use_up_the_retries(server, ask, fake):
    server.answers = [(500, {}, ""), *[(200, {"Content-Length": "1000"}, "{")] * 9]
    with pytest.raises(ModelError, match=r"the connection was lost, 3 time\(s\)") as raised:
        ask(retries=2).encode(["a"], "item")
    assert len(server.requests) == 3
    assert "\n" not in str(raised.value)


def test_texts_in_the_store_are_not_requested_again_with_another_key_or_batch_size(server, ask, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    first = EmbeddingStore(tmp_path, ask(api_key_variable="MY_KEY")).vectors(["a", "b", "a"], "item")
    asked = len(server.requests)
    again = EmbeddingStore(tmp_path, ask(batch_size=1, retries=0)).vectors(["b", "a"], "item")
    assert len(server.requests) == asked
    assert torch.equal(again, first[:2].flip(0))
    assert KEY not in ask(api_key_variable="MY_KEY").fingerprint


def test_the_fingerprint_covers_what_changes_vectors(ask):
    others = [{"model": "large"}, {"dimensions": 4}, {"normalize": False}, {"item_prompt": "x"}, {"base_url": "http://other/v1"}]
    assert len({ask(**options).fingerprint for options in [{}, *others]}) == 6
    assert ask(base_url="http://other/v1/").fingerprint == ask(base_url="http://other/v1").fingerprint


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("api.openai.com/v1", "is not an address"),
        ("ftp://host/v1", "is not an address"),
        ("http://host:port/v1", "is not an address"),
        (f"https://me:{KEY}@host/v1", "has a user or password"),
        ("https://host/v1?x=1", "must end with its path"),
        ("https://host/v1/embeddings", "leave out '/embeddings'"),
    ],
)
def test_addresses_are_checked_before_a_run(url, message):
    (problem,) = contradictions(HttpEmbeddingsConfig(base_url=url, model="small"))
    assert message in problem
    assert KEY not in problem


@pytest.mark.parametrize("key", ["sk-proj-1f", "1f2e3d", "a b", ""])
def test_a_key_in_place_of_its_variables_name_is_refused_and_not_repeated(key):
    (problem,) = contradictions(HttpEmbeddingsConfig(base_url="https://host/v1", model="small", api_key_variable=key))
    assert problem.startswith("encoder.api_key_variable is not the name of an environment variable: put the key into one")
    assert not key or key not in problem


def test_missing_options_are_named_on_the_command_line():
    problems = find_mistakes(["encoder=http_embeddings", "encoder.batch_size=0"])
    assert [problem.partition(" ")[0] for problem in problems] == ["encoder.base_url", "encoder.model", "encoder.batch_size:"]
