"""recframe export and recframe recommend, as commands: one person, and many as JSON lines."""

from __future__ import annotations

import json
import os

import pytest

import recframe
from recframe.serving.batches import answered
from recframe.serving.exploration import explorer_of
from recframe.serving.lines import STANDARD_INPUT, batches_of_lines


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


def test_a_file_that_is_continued_explores_as_if_it_had_not_stopped(artefact, tmp_path):
    policy = recframe.load_policy(artefact)
    lines = [json.dumps({"history": [str(number % 20)], "k": 3}) if number % 7 else "no json" for number in range(50)]
    batches = [lines[first : first + 8] for first in range(0, 50, 8)]

    def answers(skip):
        return list(answered(policy, batches, 10, skip, explorer_of("epsilon=0.5", seed=3)))

    whole = answers(0)
    assert len(whole) == 50
    assert any(json.loads(line).get("explored") for line in whole)
    assert {item["propensity"] for line in whole for item in json.loads(line).get("items", ())} > {0.5 / 19, 0.5 + 0.5 / 19}
    for skip in (1, 8, 13, 50):
        assert answers(skip) == whole[skip:]


def test_whoever_writes_a_line_and_waits_gets_its_answer(artefact, tmp_path):
    asking, asked = os.pipe()
    policy = recframe.load_policy(artefact)
    with open(asking, encoding="utf-8") as stream, open(asked, "w", encoding="utf-8") as out:
        answers = answered(policy, batches_of_lines(STANDARD_INPUT, stream, 8, "--questions"), 2)
        for film in range(3):
            print(json.dumps({"history": [str(film)], "id": film}), file=out, flush=True)
            assert json.loads(next(answers))["id"] == film
        out.close()
        assert list(answers) == []


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
        (["--seed", "3"], "--seed: it is for --explore; without it nothing is drawn at random"),
        (["--explore", "greedy=1"], "--explore: 'greedy=1' is not allowed; epsilon=0.1, boltzmann=1.0 or thompson=16 are right"),
        (["--say", "hello"], "context: visits of this run come with no text; leave it out"),
    ],
)
def test_mistakes_are_one_line(warm_recframe, artefact, arguments, message):
    done = warm_recframe("recommend", str(artefact), *arguments)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith(f"recframe: {message}")
