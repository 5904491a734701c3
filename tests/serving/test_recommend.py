"""recframe export and recframe recommend, as commands: one person, and many as JSON lines."""

from __future__ import annotations

import json
import os

import pytest
from typer.testing import CliRunner

import recframe
from recframe.cli.main import app
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
    continued = warm_recframe(*command)
    assert continued.returncode == 0
    assert (
        continued.stderr == f"recframe: --answers: answers.jsonl: {whole[: len(whole) // 2].count(chr(10))} answers are there; continued\n"
    )
    assert (tmp_path / "answers.jsonl").read_text() == whole


def test_answers_of_something_else_are_not_continued(artefact, by_text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "asked.jsonl").write_text('{"history": ["1"]}\n{"history": ["2"]}\n')
    (tmp_path / "others.jsonl").write_text('{"history": ["3"]}\n')

    def ask(*more, policy=artefact, asked="asked.jsonl"):
        return CliRunner().invoke(app, ["recommend", str(policy), "--questions", asked, "--answers", "answers.jsonl", *more])

    assert ask().stderr == ""
    whole = (tmp_path / "answers.jsonl").read_text()
    was, now = (recframe.load_policy(one).version for one in (artefact, by_text))
    for done, differs in [
        (ask(policy=by_text), f"of version {was}, not {now}"),
        (ask("-k", "3"), "of -k 10, not 3"),
        (
            ask("--explore", "epsilon=0.5", "--why"),
            "of --explore null, not epsilon=0.5 and of --seed null, not 0 and of --why false, not true",
        ),
        (ask(asked="others.jsonl"), "to other questions"),
    ]:
        said = f"recframe: --answers: answers.jsonl: its 2 answers are {differs}; choose another file, or remove this one\n"
        assert (done.exit_code, done.stderr) == (2, said)
        assert (tmp_path / "answers.jsonl").read_text() == whole
    # more questions may come to those that were answered
    with (tmp_path / "asked.jsonl").open("a") as file:
        file.write('{"history": ["3"]}\n')
    assert ask().stderr == "recframe: --answers: answers.jsonl: 2 answers are there; continued\n"
    assert (tmp_path / "answers.jsonl").read_text().startswith(whole)
    assert (tmp_path / "answers.jsonl").read_text().count("\n") == 3
    # without the file, they begin anew
    (tmp_path / "answers.jsonl").unlink()
    assert ask("-k", "1").stderr == ""
    assert [len(line["items"]) for line in lines_of((tmp_path / "answers.jsonl").read_text())] == [1, 1, 1]


@pytest.mark.parametrize("content", ['{"items": []}\n', '{"items": []}', "my notes"])
def test_a_file_of_which_nothing_is_known_is_left_as_it_is(artefact, tmp_path, content):
    (tmp_path / "asked.jsonl").write_text('{"history": ["1"]}\n')
    (tmp_path / "answers.jsonl").write_text(content)
    asked = ["--questions", str(tmp_path / "asked.jsonl"), "--answers", str(tmp_path / "answers.jsonl")]
    done = CliRunner().invoke(app, ["recommend", str(artefact), *asked])
    assert done.exit_code == 2
    assert "nothing says what it is of (answers.jsonl.origin.json is missing); choose another file" in done.stderr
    assert (tmp_path / "answers.jsonl").read_text() == content
    assert done.stderr.count("\n") == 1


def test_answers_may_go_to_a_device(artefact, tmp_path):
    (tmp_path / "asked.jsonl").write_text('{"history": ["1"]}\n')
    done = CliRunner().invoke(app, ["recommend", str(artefact), "--questions", str(tmp_path / "asked.jsonl"), "--answers", "/dev/null"])
    assert (done.exit_code, done.stderr) == (0, "")


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
