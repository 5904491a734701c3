"""One question has one answer: as the run's evaluation ranks, from Python, on the command line, over HTTP, and by the ONNX graph."""

from __future__ import annotations

import csv
import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner

import recframe
from recframe.cli.main import app
from recframe.config import validate
from recframe.evaluation.agent_policy import AgentPolicy
from recframe.feedback.store import FeedbackStore
from recframe.interfaces import PAD
from recframe.runner.trained import trained_agent
from recframe.server.config import ServeConfig
from recframe.serving import Question
from recframe.tracking import RunFolder
from tests.serving.server.conftest import running
from tests.serving.test_onnx import answers as answers_of_graph

OBSERVATIONS, FILMS, K = 1_000, 20, 5


class Crowd(NamedTuple):
    """A run, and what its evaluation ranks for the people whose last film was held out.

    asked: what each of them did before, as the file of the log has it, as a question in JSON.   wanted: the items of evaluation.
    """

    run: object
    asked: list[dict]
    wanted: list[list[str]]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> Crowd:
    """1,000 people with films and ratings at random, so that each of them is another observation."""
    folder, rng = tmp_path_factory.mktemp("crowd"), random.Random(0)
    rows = [
        (f"p{person}", film, rng.randint(1, 5), 10 * person + step)
        for person in range(OBSERVATIONS)
        for step, film in enumerate(rng.sample(range(FILMS), rng.randint(4, 9)))
    ]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(f"{film},Film {film} (1999),Drama\n" for film in range(FILMS)))
    with (folder / "ratings.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("userId", "movieId", "rating", "timestamp"), *rows])
    small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.k=[5]", "evaluation.references=false", "logged.batches=30"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(folder / "cache"))
        log = ["experiment=next_item", "dataset=movielens_format", f"dataset.path={folder}", "agent=dqn", *small]
        recframe.run(log, folder=folder / "run")
        with RunFolder.open_to_read(folder / "run") as opened:
            cfg = validate(opened.read_config())
        agent, parts, *_ = trained_agent(folder / "run", cfg, other_data=False, remedy="")
        wanted = {}
        with AgentPolicy(agent) as ranker:
            for queries in parts.log.test.batches(256, agent.spec.history_length, agent.spec.signals, cfg.evaluation.exclude_seen):
                for user, items in zip(queries.observation.user.tolist(), ranker.rank(queries.observation, K).tolist(), strict=True):
                    wanted[parts.data.users.ids[user]] = [parts.data.catalog.ids[item] for item in items if item != PAD]
    histories: dict[str, list] = {}
    for person, film, rating, _ in rows:
        histories.setdefault(person, []).append([str(film), {"click": 1.0, "rating": float(rating)}])
    asked = [{"id": person, "history": done[:-1], "k": K} for person, done in histories.items()]
    return Crowd(folder / "run", asked, [wanted[person] for person in histories])


@pytest.fixture(scope="module")
def exported(crowd, tmp_path_factory):
    """The artefact of the run, with its scoring part as ONNX where that can be written."""
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError:
        onnx = False
    else:
        onnx = True
    recframe.export(crowd.run, path := tmp_path_factory.mktemp("exported") / "policy", onnx=onnx)
    return path


def history_of(question: dict) -> list:
    return [tuple(entry) for entry in question["history"]]


def test_the_observations_are_many_and_their_answers_differ(crowd):
    assert len(crowd.asked) == OBSERVATIONS
    assert len({json.dumps(one["history"]) for one in crowd.asked}) == OBSERVATIONS
    assert len({tuple(items) for items in crowd.wanted}) > 50


def test_from_python_as_in_evaluation(crowd, exported):
    for folder in (crowd.run, exported):
        policy = recframe.load_policy(folder)
        together = policy.recommend_many([Question(history_of(one), k=K) for one in crowd.asked])
        assert [answer.ids for answer in together] == crowd.wanted
    alone = [policy.recommend(history_of(one), k=K).ids for one in crowd.asked[:100]]
    assert alone == crowd.wanted[:100]


def test_on_the_command_line_as_in_evaluation(crowd, exported, tmp_path):
    questions, answers = tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    questions.write_text("".join(json.dumps(one) + "\n" for one in crowd.asked))
    done = CliRunner().invoke(app, ["recommend", str(exported), "--questions", str(questions), "--answers", str(answers)])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [line["id"] for line in lines] == [one["id"] for one in crowd.asked]
    assert [[item["id"] for item in line["items"]] for line in lines] == crowd.wanted


def test_over_http_as_in_evaluation(crowd, exported, tmp_path):
    policy = recframe.load_policy(exported)
    with (
        FeedbackStore.open(f"sqlite:///{tmp_path}/feedback.db") as store,
        running({"main": policy}, store, ServeConfig()) as server,
        # at once, as many people ask, so that the server answers some of them together
        ThreadPoolExecutor(8) as people,
    ):
        answers = list(people.map(lambda one: server.recommend(history=one["history"], k=K), crowd.asked))
    assert [[item["id"] for item in answer["items"]] for answer in answers] == crowd.wanted


def test_by_the_onnx_graph_as_in_evaluation_but_for_ties(crowd, exported):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    policy = recframe.load_policy(exported)
    ids = policy.data.catalog.ids
    histories = [[(ids.index(item), done) for item, done in history_of(one)] for one in crowd.asked]
    found, scores = answers_of_graph(exported, histories, policy.agent.spec.signals, np.zeros(OBSERVATIONS, dtype=int))
    others = 0
    for person, items in enumerate(crowd.wanted):
        wanted = [ids.index(item) for item in items]
        others += wanted != found[person].tolist()
        # another runtime adds in another order: another item only where the scores differ by less than rounding
        tie = 1e-4 * np.ptp(scores[person, found[person]]) + 1e-6
        assert np.allclose(scores[person, found[person]], scores[person, wanted], rtol=0, atol=tie), person
    assert others <= OBSERVATIONS // 100
