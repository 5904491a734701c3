"""recframe export and recframe recommend, as commands: one person, and many as JSON lines."""

from __future__ import annotations

import json

import pytest

import recframe


@pytest.fixture(scope="module")
def artefact(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("artefact") / "policy"
    recframe.export(folder, path)
    return path


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_is_exported_and_asked(warm_recframe, folder, tmp_path):
    exported = warm_recframe("export", str(folder), "policy")
    assert exported.returncode == 0, exported.stderr
    assert "20 items" in exported.stdout
    asked = warm_recframe("recommend", "policy", "--history", "3", "--history", "4", "-k", "3")
    assert asked.returncode == 0, asked.stderr
    expected = recframe.load_policy(folder).recommend(["3", "4"], k=3)
    assert [line.split()[1] for line in asked.stdout.splitlines()] == expected.ids


def test_many_questions_are_answered_in_order_and_continued(warm_recframe, artefact, tmp_path):
    policy = recframe.load_policy(artefact)
    asked = [{"id": number, "history": [str(number), [str(number + 1), {"rating": 2}]], "k": 2} for number in range(6)]
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(question) + "\n" for question in asked) + "\n")
    command = ["recommend", str(artefact), "--questions", "asked.jsonl", "--answers", "answers.jsonl"]
    assert warm_recframe(*command).returncode == 0
    whole = (tmp_path / "answers.jsonl").read_text()
    for number, answer in enumerate(lines_of(whole)):
        expected = policy.recommend([str(number), (str(number + 1), {"rating": 2})], k=2)
        assert answer["id"] == number
        assert [item["id"] for item in answer["items"]] == expected.ids
    # killed in the middle of a line
    (tmp_path / "answers.jsonl").write_text(whole[: len(whole) // 2])
    assert warm_recframe(*command).returncode == 0
    assert (tmp_path / "answers.jsonl").read_text() == whole


def test_a_bad_question_is_one_line_and_the_others_are_answered(warm_recframe, artefact, tmp_path):
    bad = ['{"history": ["nope"]}', "not json", "[1]", '{"histroy": ["1"]}', '{"k": 0, "id": "x"}', '{"history": "1"}', "[" * 100_000]
    (tmp_path / "asked.jsonl").write_text("\n".join([*bad, '{"history": ["1"]}']) + "\n")
    done = warm_recframe("recommend", str(artefact), "--questions", "asked.jsonl", "-k", "1")
    answers = lines_of(done.stdout)
    assert done.returncode == 2
    assert "7 of the questions could not be answered" in done.stderr
    assert ["error" in answer for answer in answers] == [True] * len(bad) + [False]
    assert answers[4]["id"] == "x"
    assert "line 4: a question has no 'histroy'" in answers[3]["error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--history", "nope"], "history: no item of the run's data has the id 'nope'"),
        (["--questions", "none.jsonl"], "--questions: none.jsonl: cannot be read (No such file or directory)"),
        (["--questions", "-", "--user", "p1"], "--questions: its lines say who asks; leave out --user"),
        (["--answers", "a.jsonl"], "--answers: it is for --questions; one answer is printed"),
        (["--say", "hello"], "context: visits of this run come with no text; leave it out"),
    ],
)
def test_mistakes_are_one_line(warm_recframe, artefact, arguments, message):
    done = warm_recframe("recommend", str(artefact), *arguments)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith(f"recframe: {message}")
