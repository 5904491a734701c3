"""One question has one answer: of the run, as its evaluation ranks, of the artefact from Python, on the command line, and over HTTP."""

from __future__ import annotations

import json
import random

import pytest
from typer.testing import CliRunner

import recframe
from recframe.cli.main import app
from recframe.serving import Question

K = 5


@pytest.mark.parametrize("people", [100, pytest.param(1_000, marks=pytest.mark.evidence)])
def test_people_get_the_same_items_everywhere(folder, artefact, policy, server, tmp_path, people):
    ids, signals = policy.data.catalog.ids, policy.agent.spec.signals
    rng = random.Random(0)
    asked = []
    for person in range(people):
        history = [[item, {signals[0]: float(rng.randint(0, 5))}] for item in rng.sample(ids, rng.randint(0, 6))]
        asked.append({"id": person, "history": history, "k": K})
    of_run = recframe.load_policy(folder)
    wanted = [of_run.recommend([tuple(entry) for entry in one["history"]], k=K).ids for one in asked]
    assert len({tuple(items) for items in wanted}) > people // 20

    together = policy.recommend_many([Question([tuple(entry) for entry in one["history"]], k=K) for one in asked])
    assert [answer.ids for answer in together] == wanted

    questions, answers = tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    questions.write_text("".join(json.dumps(one) + "\n" for one in asked))
    done = CliRunner().invoke(app, ["recommend", str(artefact), "--questions", str(questions), "--answers", str(answers)])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [[item["id"] for item in line["items"]] for line in lines] == wanted

    over_http = [server.recommend(history=one["history"], k=K) for one in asked]
    assert [[item["id"] for item in answer["items"]] for answer in over_http] == wanted
