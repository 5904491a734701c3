"""Structured answers, and answers that are kept and replayed."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.errors import ModelError
from recframe.llm import Answer, Schema
from recframe.llm.cache import AnswerCache
from recframe.llm.messages import Completion
from tests.scripted_endpoint import chat_answer

RATING = Schema(
    {
        "type": "object",
        "properties": {"rating": {"type": "integer", "minimum": 1, "maximum": 5}, "says": {"type": "string"}},
        "required": ["rating"],
        "additionalProperties": False,
    }
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"rating": 4}', {"rating": 4}),
        ('Sure!\n```json\n{"rating": 4, "says": "{fine}"}\n```', {"rating": 4, "says": "{fine}"}),
        ('I think {this} is it: {"rating": 2}. Bye', {"rating": 2}),
    ],
)
def test_the_json_in_an_answer_is_found_among_words(text, value):
    assert RATING.read(text) == (value, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("four stars", "it is not JSON: four stars"),
        ("", "it is not JSON: "),
        ('{"rating": NaN}', "it is not JSON"),
        ('{"rating": 6}', r"\$\.rating: 6 is greater than the maximum of 5"),
        ('{"rating": "4"}', r"\$\.rating: '4' is not of type 'integer'"),
        ("{}", r"\$: 'rating' is a required property"),
        ('{"rating": 4, "other": 1}', r"\$: Additional properties are not allowed"),
        ("4", r"\$: 4 is not of type 'object'"),
        ("[" * 5000, "it is not JSON"),
        ('{"rating": 4' + "x" * 5000, r"it is not JSON: .{200}\.\.\."),
    ],
)
def test_what_is_wrong_with_an_answer_is_one_short_line(text, problem):
    value, found = RATING.read(text)
    assert value is None
    assert found is not None
    assert len(found) < 300
    assert "\n" not in found
    assert re.match(problem, found), found


def test_a_schema_that_is_none_is_refused():
    with pytest.raises(ValueError, match="not a JSON Schema: 'whole' is not valid"):
        Schema({"type": "whole"})


@given(text=st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_has_either_a_value_or_a_problem(text):
    value, problem = RATING.read(text)
    assert (value is None) == (problem is not None)


@given(value=st.fixed_dictionaries({"rating": st.integers(1, 5), "says": st.text(max_size=20)}), around=st.text("ab \n`", max_size=10))
@settings(max_examples=100, deadline=None)
def test_every_valid_answer_is_read_back_whatever_words_are_around_it(value, around):
    assert RATING.read(f"{around}{json.dumps(value)}{around}") == (value, None)


def test_the_model_is_told_the_schema_and_a_wrong_answer_is_asked_again_with_what_is_wrong(endpoint, chat, prompts):
    def write(messages):
        return '{"rating": 5}' if len(messages) > 2 else "five stars"

    endpoint.right = chat_answer(write)
    (answer,) = chat().ask(prompts("Rate it."), RATING)
    assert (answer.value, answer.problem) == ({"rating": 5}, None)
    first, second = (body["messages"] for body in endpoint.requests)
    assert first[0]["content"].startswith("You are a person.\n\nAnswer with JSON only")
    assert '"maximum": 5' in first[0]["content"]
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": "five stars"}
    assert second[3]["content"].startswith("That is not as asked for: it is not JSON: five stars.")
    # the tokens of both calls
    assert answer.tokens_out == 4


def test_an_answer_that_stays_wrong_has_a_problem_and_no_value_and_the_others_are_not_asked_again(endpoint, chat, prompts):
    endpoint.right = chat_answer(lambda messages: "no idea" if "bad" in str(messages) else '{"rating": 1}')
    good, bad = chat(ask_again=2).ask(prompts("good", "bad"), RATING)
    assert (good.value, good.problem) == ({"rating": 1}, None)
    assert (bad.value, bad.problem, bad.text) == (None, "it is not JSON: no idea", "no idea")
    assert len(endpoint.requests) == 4
    assert chat(ask_again=0).ask(prompts("bad"), RATING)[0].cached


def test_an_answer_that_was_cut_off_says_so(endpoint, chat, prompts):
    endpoint.right = lambda body: {"choices": [{"message": {"content": '{"rating": '}, "finish_reason": "length"}]}
    (answer,) = chat(max_tokens=3, ask_again=0).ask(prompts("Rate it."), RATING)
    assert answer.problem == 'cut off after max_tokens=3: {"rating":'


def test_an_answer_without_text_has_a_problem(endpoint, chat, prompts):
    endpoint.right = lambda body: {"choices": [{"message": {"content": None}}]}
    (answer,) = chat().ask(prompts("hello"))
    assert (answer.text, answer.problem) == ("", "the model wrote nothing")


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
def test_an_endpoint_is_told_the_format_if_it_takes_one(endpoint, chat, prompts, kind):
    endpoint.right = chat_answer(lambda messages: '{"rating": 3}')
    chat(response_format=kind).ask(prompts("Rate it."), RATING)
    told = endpoint.requests[0]["response_format"]
    assert told["type"] == kind
    assert (told.get("json_schema", {}).get("schema") == RATING.definition) == (kind == "json_schema")
    # without a schema, any text is right
    chat(response_format=kind).ask(prompts("Say hello."))
    assert "response_format" not in endpoint.requests[1]


def test_a_second_run_asks_nothing_and_its_answers_are_the_same_byte_for_byte(endpoint, chat, prompts):
    numbers = iter(range(1000))
    # a model that never says the same twice
    endpoint.right = lambda body: {"choices": [{"message": {"content": f"{next(numbers)} \u00e4\u0000"}}]}
    texts = [f"question {number}" for number in range(30)]
    first = chat(temperature=1.0).ask(prompts(*texts))
    again = chat(temperature=1.0, base_url=endpoint.url, requests_at_once=1, retries=0, max_calls=0).ask(prompts(*reversed(texts)))
    assert len(endpoint.requests) == 30
    assert [answer.text for answer in reversed(again)] == [answer.text for answer in first]
    assert all(answer.cached for answer in again)
    assert len({answer.text for answer in first}) == 30


def test_an_answer_belongs_to_its_model_settings_and_texts(endpoint, chat, prompts):
    chat().ask(prompts("a"))
    others = [{"model": "large"}, {"max_tokens": 5}, {"temperature": 0.1}, {"temperature": 0.1, "seed": 1}]
    for number, options in enumerate(others, start=2):
        assert not chat(**options).ask(prompts("a"))[0].cached
        assert len(endpoint.requests) == number
    # nothing is drawn at temperature zero
    assert chat(seed=5).ask(prompts("a"))[0].cached


def test_replay_only_names_what_is_missing_and_asks_nothing(endpoint, chat, prompts, tmp_path):
    chat().ask(prompts("a"))
    expected = rf"environment\.llm\.replay=only: 2 of 3 prompts were not answered before, according to {tmp_path}/cache/answers\.sqlite"
    with pytest.raises(ModelError, match=expected):
        chat(replay="only").ask(prompts("a", "b", "c", "b"))
    assert len(endpoint.requests) == 1
    assert chat(replay="only", base_url=endpoint.url).ask(prompts("a"))[0].cached


def test_without_replay_all_is_asked_and_nothing_is_kept(endpoint, chat, prompts, tmp_path):
    for _ in range(2):
        assert not chat(replay="off").ask(prompts("a"))[0].cached
    assert len(endpoint.requests) == 2
    assert not (tmp_path / "cache").exists()


def test_without_a_folder_the_answers_are_in_recframes_cache(endpoint, chat, prompts, tmp_path, monkeypatch):
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "home"))
    chat(cache=None).ask(prompts("a"))
    assert (tmp_path / "home" / "llm" / "answers.sqlite").is_file()


def test_a_damaged_answer_is_asked_again(endpoint, chat, prompts, tmp_path, caplog):
    chat().ask(prompts("a"))
    with sqlite3.connect(tmp_path / "cache" / "answers.sqlite") as database:
        database.execute("UPDATE answers SET value = replace(value, 'You', 'Yo')")
    (answer,) = chat().ask(prompts("a"))
    assert (answer.text, answer.cached) == ("You said: a", False)
    assert "does not match its checksum" in caplog.text
    assert chat().ask(prompts("a"))[0].cached


@pytest.mark.parametrize("content", [b"not a database" * 100, None])
def test_a_file_that_is_no_database_is_named_with_what_to_do(chat, prompts, tmp_path, content):
    path = tmp_path / "cache" / "answers.sqlite"
    path.parent.mkdir()
    if content is None:
        path.parent.rmdir()
        path.parent.write_text("a file where the folder should be")
    else:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"environment\.llm\.cache=.*cannot be used: .*; choose another folder, or replay=off"):
        chat().ask(prompts("a"))


def test_a_folder_of_answers_that_was_sent_read_only_is_read_and_an_answer_that_cannot_be_kept_is_refused(
    endpoint, chat, prompts, tmp_path, make_read_only
):
    (tmp_path / "sent").mkdir()
    kept = {"cache": str(tmp_path / "sent")}
    answers = chat(**kept).ask(prompts("a", "b"))
    asked = len(endpoint.requests)
    make_read_only(tmp_path / "sent")
    again = chat(**kept, replay="only").ask(prompts("a", "b"))
    assert [answer.text for answer in again] == [answer.text for answer in answers]
    assert len(endpoint.requests) == asked
    with pytest.raises(ModelError, match=r"cannot be used: attempt to write a readonly database; choose another folder, or replay=off"):
        chat(**kept).ask(prompts("c"))


@pytest.mark.parametrize("emptied", [False, True])
def test_answers_that_somebody_else_still_writes_are_read_as_they_come(tmp_path, make_read_only, emptied):
    writer = AnswerCache(tmp_path / "theirs", "x")
    writer.put("a", Completion("1", 1, 1))
    if emptied:  # all is in the file itself
        writer._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    make_read_only(tmp_path / "theirs")
    reader = AnswerCache(tmp_path / "theirs", "x")
    assert reader.get("a") == Completion("1", 1, 1)
    writer.put("b", Completion("2", 1, 1))
    assert reader.get("b") == Completion("2", 1, 1)


@pytest.mark.parametrize(("left", "refused"), [((), False), (("-wal",), True), (("-shm",), True)])
def test_a_read_only_file_of_answers_is_taken_for_complete_only_without_files_of_a_writer(
    tmp_path, make_read_only, monkeypatch, left, refused
):
    folder, opened, connect = tmp_path / "theirs", [], sqlite3.connect
    writer = AnswerCache(folder, "x")
    writer.put("a", Completion("1", 1, 1))
    writer._database.close()
    for suffix in left:
        (folder / f"answers.sqlite{suffix}").touch()
    make_read_only(folder)
    monkeypatch.setattr(sqlite3, "connect", lambda *arguments, **options: opened.append(connect(*arguments, **options)) or opened[-1])
    reader = AnswerCache(folder, "x")
    if refused:
        with pytest.raises(ModelError, match="cannot be used: "):
            reader.get("a")
    else:
        assert reader.get("a") == Completion("1", 1, 1)
    # what failed was closed
    for connection in opened if refused else opened[:-1]:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_threads_and_processes_keep_answers_in_one_file(tmp_path):
    code = (
        "import sys; from pathlib import Path; from recframe.llm.cache import AnswerCache; from recframe.llm.messages import Completion\n"
        "cache = AnswerCache(Path(sys.argv[1]), 'x')\n"
        "for number in range(40): cache.put(f'process {number}', Completion('p', 1, 1))"
    )
    cache = AnswerCache(tmp_path, "x")
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])

    def write(thread: int) -> None:
        for number in range(20):
            cache.put(f"thread {thread} {number}", Completion("t", 1, 1, probabilities=(0.5, 0.5)))

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.wait(60) == 0
    assert all(cache.get(f"process {number}") == Completion("p", 1, 1) for number in range(40))
    assert all(cache.get(f"thread {one} {number}").probabilities == (0.5, 0.5) for one in range(3) for number in range(20))


def test_an_answer_says_whether_it_was_cached_and_usage_counts_it(chat, prompts):
    talk = chat()
    talk.ask(prompts("a"))
    assert talk.ask(prompts("a", "a", "b")) == [
        Answer("You said: a", cached=True, tokens_in=5, tokens_out=3),
        Answer("You said: a", cached=True, tokens_in=5, tokens_out=3),
        Answer("You said: b", cached=False, tokens_in=5, tokens_out=3),
    ]
    assert (talk.usage.calls, talk.usage.cached) == (2, 2)
