"""A chat with an endpoint that answers, is down, is slow, limits rates, or answers with something else."""

from __future__ import annotations

import json
import logging
import math
import socket
import threading

import pytest
import torch

from recframe.errors import ModelError
from recframe.llm import BudgetExhausted, Chat, ChatConfig, Prompt

KEY = "sk-secret-0123456789"


def logprobs_of(**probabilities: float):
    """The right answer of an endpoint that gives the probabilities of the first token."""
    top = [{"token": token, "logprob": math.log(value)} for token, value in probabilities.items()]
    content = [{"token": "x", "logprob": 0.0, "top_logprobs": top}]
    return lambda body: {"choices": [{"message": {"content": "x"}, "logprobs": {"content": content}}]}


def test_answers_have_the_order_of_the_prompts_whatever_order_they_arrive_in(endpoint, chat, prompts):
    first = threading.Event()

    def late_first(body):
        text = body["messages"][-1]["content"]
        if text == "0":
            assert first.wait(10)
        first.set() if text == "7" else None
        return {"choices": [{"message": {"content": f"answer {text}"}}]}

    endpoint.right = late_first
    answers = chat(requests_at_once=4).ask(prompts(*map(str, range(8))))
    assert [answer.text for answer in answers] == [f"answer {number}" for number in range(8)]


def test_several_requests_are_under_way_at_once_but_no_more_than_configured(endpoint, chat, prompts):
    together = threading.Barrier(3)

    def meet(body):
        # it would break if fewer than three requests were under way
        together.wait(10)
        return {"choices": [{"message": {"content": "ok"}}]}

    endpoint.right = meet
    chat(requests_at_once=3).ask(prompts(*map(str, range(9))))
    assert endpoint.most_at_once == 3


def test_a_request_has_the_texts_and_the_settings(endpoint, chat):
    chat(max_tokens=9, temperature=0.5, seed=4).ask([Prompt("Be short.", "Hello"), Prompt("", "Hi")])
    by_text = {body["messages"][-1]["content"]: body for body in endpoint.requests}
    assert by_text["Hello"] == {
        "model": "small",
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "seed": 4,
    }
    assert [turn["role"] for turn in by_text["Hi"]["messages"]] == ["user"]
    assert set(endpoint.paths) == {"/v1/chat/completions"}


def test_tokens_are_those_that_the_endpoint_counts_and_cost_follows_from_the_prices(chat, prompts):
    talk = chat(price_in=1_000_000, price_out=2_000_000)
    (answer,) = talk.ask(prompts("one two"))
    # "You are a person. one two", and "You said: one two"
    assert (answer.tokens_in, answer.tokens_out) == (6, 4)
    assert (talk.usage.calls, talk.usage.tokens_in, talk.usage.tokens_out, talk.usage.cost) == (1, 6, 4, 14.0)


@pytest.mark.parametrize("status", [429, 500])
def test_a_refused_request_is_sent_again_after_a_while(endpoint, chat, prompts, fake, status):
    endpoint.answers = [(status, {"Retry-After": "7"}, "{}"), (status, {}, "{}")]
    (answer,) = chat().ask(prompts("hello"))
    assert answer.text == "You said: hello"
    assert fake.slept == [7.0, 1.0]


def test_requests_of_all_threads_keep_to_the_rate(endpoint, chat, prompts, fake):
    chat(requests_per_minute=60, requests_at_once=4).ask(prompts("a", "b", "c", "d"))
    # the clock moves by each wait, so that the waits of threads that ask together may be shorter than those of one thread
    assert len(fake.slept) >= 1
    assert fake.now >= 1_000_003.0
    assert len(endpoint.requests) == 4


@pytest.mark.parametrize(
    ("status", "headers", "body", "message"),
    [
        (401, {}, f'{{"error": {{"message": "wrong key {KEY}"}}}}', "the API key in the environment variable MY_KEY is not accepted"),
        (
            404,
            {},
            '{"error": {"message": "no model"}}',
            "environment.llm.model=small: .*answered 404: no such model, or no chat comp",
        ),
        (307, {"Location": "http://elsewhere/v1"}, "", "answered 307, a redirect to http://elsewhere/v1, which is not followed"),
        (200, {}, "<html>nonsense</html>", "the answer is not JSON: <html>nonsense"),
        (200, {}, '{"data": [1, 2]}', "the answer does not have the form"),
        (200, {}, '{"choices": []}', "the answer does not have the form"),
        (200, {}, "[1]", "the answer does not have the form"),
        (200, {}, '{"choices": [{"message": {"content": 5}}]}', "the answer does not have the form"),
        (200, {}, f'{{"error": {{"message": "quota {KEY}"}}}}', r"does not have the form .*: quota \*\*\*"),
    ],
)
def test_every_refusal_is_one_line_without_the_key(endpoint, chat, prompts, monkeypatch, status, headers, body, message):
    monkeypatch.setenv("MY_KEY", KEY)
    endpoint.answers = [(status, headers, body)]
    with pytest.raises(ModelError, match=message) as raised:
        chat(api_key_variable="MY_KEY").ask(prompts("hello"))
    assert str(raised.value).startswith("environment.llm.")
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_after_a_failure_the_same_chat_asks_again(endpoint, chat, prompts):
    endpoint.answers = [(400, {}, "no")]
    talk = chat()
    with pytest.raises(ModelError, match="answered 400: no"):
        talk.ask(prompts("a", "b", "c"))
    assert [answer.text for answer in talk.ask(prompts("a", "b", "c"))] == [f"You said: {text}" for text in "abc"]


def test_an_endpoint_that_is_down_is_told_at_once(fake, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    talk = Chat(ChatConfig(base_url=url, model="m", cache=str(tmp_path)), "environment.llm", fake.clock())
    with pytest.raises(ModelError, match=f"environment.llm.base_url={url}: no server answers there; is it running"):
        talk.ask([Prompt("", str(number)) for number in range(20)])
    assert not fake.slept


def test_a_slow_endpoint_is_given_up_after_the_retries(endpoint, chat, prompts, fake):
    endpoint.delay = 0.5
    with pytest.raises(ModelError, match=r"no answer within 0.05 s, 2 time\(s\); try later"):
        chat(timeout=0.05, retries=1).ask(prompts("hello"))
    assert fake.slept == [0.5]


def test_what_was_answered_before_a_failure_is_not_asked_again(endpoint, chat, prompts):
    endpoint.answers = [(200, {}, None), (200, {}, None), (400, {}, "no")]
    with pytest.raises(ModelError, match="answered 400: no"):
        chat(requests_at_once=1).ask(prompts("a", "b", "c", "d"))
    assert len(endpoint.requests) == 3
    talk = chat(requests_at_once=1)
    assert [answer.cached for answer in talk.ask(prompts("a", "b", "c", "d"))] == [True, True, False, False]
    assert talk.usage.calls == 2


def test_a_failure_ends_the_waits_of_the_other_threads(endpoint, tmp_path, prompts):
    """With the true clock: the second request would wait a minute for the rate."""
    endpoint.answers = [(400, {}, "no")]
    config = ChatConfig(base_url=endpoint.url, model="m", cache=str(tmp_path), requests_per_minute=1, requests_at_once=2)
    with pytest.raises(ModelError, match="answered 400: no"):
        Chat(config, "environment.llm").ask(prompts("a", "b"))
    assert len(endpoint.requests) == 1


def test_the_key_is_in_no_log_and_in_no_file(endpoint, chat, prompts, monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("MY_KEY", KEY)
    endpoint.right = lambda body: {"choices": [{"message": {"content": f"your key is {KEY}"}}]}
    with caplog.at_level(logging.DEBUG):
        (answer,) = chat(api_key_variable="MY_KEY").ask(prompts("hello"))
    assert answer.text == "your key is ***"
    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in caplog.text
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert [path.name for path in written if KEY.encode() in path.read_bytes()] == []


def test_options_are_chosen_by_the_probabilities_of_the_first_token(endpoint, chat, prompts):
    endpoint.right = logprobs_of(Yes=0.5, yes=0.1, No=0.2, Perhaps=0.2)
    assert torch.allclose(chat().choose(prompts("Stay?"), ["Yes", "No"]), torch.tensor([[0.75, 0.25]]))
    assert (endpoint.requests[0]["logprobs"], endpoint.requests[0]["top_logprobs"]) == (True, 20)


def test_options_are_chosen_by_the_answer_if_the_first_token_does_not_tell_them_apart(endpoint, chat, prompts):
    endpoint.right = logprobs_of(**{"Not": 0.9})
    first = endpoint.right({})
    first["choices"][0]["message"]["content"] = "not really."
    endpoint.right = lambda body: first
    assert chat().choose(prompts("Stay?"), ["Not at all", "Not really"]).tolist() == [[0.0, 1.0]]


def test_a_trace_of_probability_is_no_answer_but_what_is_written_may_be_one(endpoint, chat, prompts, caplog):
    written = iter(["Sure! I would say excellent", "average, I would say"])
    scores = {" Sure": -0.01, " average": -9.0, " excellent": -12.0}

    def right(body):
        top = [{"token": token, "logprob": value} for token, value in scores.items()]
        return {"choices": [{"message": {"content": next(written)}, "logprobs": {"content": [{"top_logprobs": top}]}}]}

    endpoint.right = right
    chosen = chat(requests_at_once=1).choose(prompts("How was it?", "And this?"), ["average", "excellent"])
    assert chosen.tolist() == [[0.5, 0.5], [1.0, 0.0]]
    assert "1 of 2 answers begin with none of 'average', 'excellent'" in caplog.text


@pytest.mark.parametrize(("share", "yes"), [(0.55, 0.8), (0.45, 1.0)])
def test_the_first_token_counts_if_it_begins_an_option_half_the_time(endpoint, chat, prompts, share, yes):
    first = logprobs_of(Yes=0.8 * share, No=0.2 * share, Perhaps=1 - share)({})
    first["choices"][0]["message"]["content"] = "Yes"
    endpoint.right = lambda body: first
    assert torch.allclose(chat().choose(prompts("Stay?"), ["Yes", "No"]), torch.tensor([[yes, 1 - yes]]))


def test_without_probabilities_the_answer_is_chosen_and_an_unclear_one_gives_each_the_same(endpoint, chat, prompts, caplog):
    endpoint.right = lambda body: {"choices": [{"message": {"content": " no, thanks" if "go" in str(body) else "I cannot say"}}]}
    chosen = chat(logprobs=False).choose(prompts("Will you go?", "Will you stay?"), ["Yes", "No"])
    assert chosen.tolist() == [[0.0, 1.0], [0.5, 0.5]]
    assert "logprobs" not in endpoint.requests[0]
    assert "environment.llm: 1 of 2 answers begin with none of 'Yes', 'No'" in caplog.text


def test_unclear_choices_are_told_when_their_number_has_doubled(endpoint, chat, prompts, caplog):
    endpoint.right = lambda body: {"choices": [{"message": {"content": "I cannot say"}}]}
    one = chat()
    for number in range(1, 9):
        one.choose(prompts(f"Is it {number}?"), ["Yes", "No"])
    told = [record.getMessage().partition(": ")[2] for record in caplog.records if "begin with none" in record.getMessage()]
    assert [line.partition(" answers")[0] for line in told] == ["1 of 1", "2 of 2", "4 of 4", "8 of 8"]


def test_an_answer_without_probabilities_is_not_taken_for_one_with_them(endpoint, chat, prompts):
    endpoint.right = logprobs_of(Yes=0.75, No=0.25)
    with_them = endpoint.right({})
    with_them["choices"][0]["message"]["content"] = "Yes"
    endpoint.right = lambda body: with_them if body.get("logprobs") else {"choices": [{"message": {"content": "Yes"}}]}
    for _ in range(2):
        assert chat(logprobs=False).choose(prompts("Stay?"), ["Yes", "No"]).tolist() == [[1.0, 0.0]]
        assert chat().choose(prompts("Stay?"), ["Yes", "No"]).tolist() == [[0.75, 0.25]]
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("options", [["Yes"], ["Yes", ""], ["1", "2", "10"], ["Yes", "Yes"]])
def test_options_that_cannot_be_told_apart_are_refused(chat, prompts, options):
    with pytest.raises(ValueError, match="option"):
        chat().choose(prompts("Stay?"), options)


def test_a_budget_of_calls_ends_before_the_call_that_would_exceed_it_and_resume_goes_on(endpoint, chat, prompts):
    texts = [str(number) for number in range(10)]
    with pytest.raises(BudgetExhausted, match=r"environment\.llm\.max_calls=4: .*used so far: 4 calls") as raised:
        chat(max_calls=4, requests_at_once=3).ask(prompts(*texts))
    assert "\n" not in str(raised.value)
    assert len(endpoint.requests) == 4
    # the same command again, twice
    with pytest.raises(BudgetExhausted):
        chat(max_calls=4).ask(prompts(*texts))
    answers = chat(max_calls=4).ask(prompts(*texts))
    assert [answer.text for answer in answers] == [f"You said: {text}" for text in texts]
    assert len(endpoint.requests) == 10


@pytest.mark.parametrize(
    ("limit", "allowed"),
    # a prompt counts with 23 tokens before it is asked, and its answer with 10; the endpoint counts 5 and 3
    [
        ({"max_tokens_total": 32}, 0),
        ({"max_tokens_total": 33}, 1),
        ({"max_tokens_total": 41}, 2),
        ({"max_cost": 0.04, "price_out": 2_000}, 4),
    ],
)
def test_budgets_of_tokens_and_money_count_calls_under_way_with_the_most_they_can_use(endpoint, chat, prompts, limit, allowed):
    with pytest.raises(BudgetExhausted, match=rf"environment\.llm\.{next(iter(limit))}="):
        chat(**limit, max_tokens=10, requests_at_once=1).ask(prompts(*"abcdefghij"))
    assert len(endpoint.requests) == allowed


def test_duplicates_are_asked_once(endpoint, chat, prompts):
    talk = chat()
    answers = talk.ask(prompts("a", "b", "a", "a"))
    assert [answer.text for answer in answers] == ["You said: a", "You said: b", "You said: a", "You said: a"]
    assert len(endpoint.requests) == talk.usage.calls == 2


def test_an_endpoint_is_not_asked_if_there_is_nothing_to_ask(chat):
    assert chat(base_url="http://127.0.0.1:9/v1").ask([]) == []
    assert chat(base_url="http://127.0.0.1:9/v1").choose([], ["Yes", "No"]).shape == (0, 2)


def test_text_with_lone_surrogates_is_asked_and_kept(endpoint, chat, prompts):
    endpoint.right = lambda body: json.loads('{"choices": [{"message": {"content": "\\ud83d ok"}}]}')
    (answer,) = chat().ask(prompts("a \ud83d b"))
    (again,) = chat(replay="only").ask(prompts("a \ud83d b"))
    assert again.text == answer.text == "\ud83d ok"
