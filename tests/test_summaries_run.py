"""Runs whose state has a sentence about the person: trained, stopped and resumed, exported and asked, and what is refused."""

import pytest
from typer.testing import CliRunner

import recframe
from recframe import runner
from recframe.building.parts import assemble
from recframe.cli.main import app
from recframe.config import ConfigError, compose_config, find_mistakes
from recframe.errors import Stop
from tests.scripted_chat import scripted_chat

QUICK = [
    "debug=smoke",
    "encoder=tfidf",
    "encoder.dim=16",
    "logger=[csv]",
    "trainer.progress_bar=false",
    "evaluation.references=false",
    "evaluation.bootstrap_samples=100",
]
SMALL = [
    "dataset.num_items=40",
    "dataset.num_users=100",
    "environment.num_users=4",
    "evaluation.num_users=4",
    "evaluation.periodic_users=4",
    "evaluation.sample_users=0",
]
LENGTH = [
    "trainer.env_steps=96",
    "trainer.evaluate_every=32",
    "trainer.chunk_steps=4",
    "evaluation.max_steps=5",
    "evaluation.sample_users=0",
]
AGENT = ["agent=dqn", "agent.learning_starts=16", "agent.batch_size=16", "agent.updates_per_chunk=2"]
TRACKER = ["state_tracker=summaries", "state_tracker.every=2"]
INNER = ["+state_tracker@state_tracker.inner.steps=gru", "state_tracker.inner.steps.state_dim=8"]


def liked(question):
    """The scripted model says what the last title was."""
    return f"They like {question.splitlines()[-2][2:].partition(' (')[0]}."


@pytest.fixture(scope="module")
def chat():
    with scripted_chat(liked) as server:
        yield server


def settings(chat, cache, *more):
    asked = [f"state_tracker.llm.{name}={value}" for name, value in {**chat.settings, "cache": cache}.items()]
    return [*QUICK, *SMALL, *LENGTH, *AGENT, *TRACKER, *INNER, *asked, *more]


@pytest.fixture(scope="module")
def finished(chat, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return runner.run(compose_config(settings(chat, folder / "answers")), folder / "run"), folder


def test_every_question_is_asked_once_and_a_stopped_run_resumes_to_the_same_numbers(chat, finished, tmp_path, monkeypatch):
    from recframe.training.checkpoints import RunCheckpoints

    result, _ = finished
    asked = len(chat.questions)
    assert len(set(chat.questions)) == asked > 10
    save = RunCheckpoints.save

    def stop_after(self, trainer):
        save(self, trainer)
        raise Stop("stopped", 143)

    monkeypatch.setattr(RunCheckpoints, "save", stop_after)
    with pytest.raises(Stop):
        runner.run(compose_config(settings(chat, tmp_path / "answers")), tmp_path / "run")
    monkeypatch.undo()
    half = len(chat.questions) - asked
    assert 0 < half < asked
    assert runner.resume(tmp_path / "run").policies == result.policies
    # the stopped process had answers of its own, and the other half is asked only now
    assert len(chat.questions) - asked == asked


def test_an_exported_policy_reads_sentences_about_new_histories(chat, finished, tmp_path):
    folder = finished[1] / "run"
    done = CliRunner().invoke(app, ["export", str(folder), str(tmp_path / "artefact")])
    assert done.exit_code == 0, done.stderr
    of_run, of_artefact = (recframe.load_policy(place) for place in (folder, tmp_path / "artefact"))
    titles = of_run.data.catalog.titles
    question = {"history": [("item-0", {"click": 1}), ("item-5", {"click": 1})], "k": 3}
    answers = [[(line.id, line.score) for line in policy.recommend(**question)] for policy in (of_run, of_artefact)]
    assert [one[0] for one in answers[0]] == [one[0] for one in answers[1]]
    assert [one[1] for one in answers[0]] == pytest.approx([one[1] for one in answers[1]], abs=1e-5)
    assert any(f"- {titles[0]} (click 1, rating 0)\n- {titles[5]} (click 1" in question for question in chat.questions)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["encoder=id"], "state_tracker=summaries writes texts, and encoder=id reads none; use another encoder"),
        (["embeddings.shuffle=true"], "state_tracker=summaries writes texts with a meaning, of which embeddings.shuffle=true deprives"),
        (["encoder=gpt", "encoder.tuning=lora"], "state_tracker=summaries reads its texts with the encoder as it is, which encoder.tuning"),
        (
            ["environment=gymnasium", "environment.id=CartPole-v1", "reward=[environment]"],
            "state_tracker=summaries writes texts about items, and environment=gymnasium brings its own",
        ),
        (
            ["agent=language_policy"],
            "state_tracker=summaries reads the titles of a history, whose items agent=language_policy gives numbers",
        ),
        (["agent=language_policy", "agent.model=somewhere"], "state_tracker=summaries reads the titles of a history, whose items agent"),
        (["state_tracker.every=30"], "state_tracker.every=30 is more than state_tracker.history_length=20"),
        (["state_tracker.llm.max_cost=1"], "state_tracker.llm.max_cost=1.0 limits nothing without prices"),
        (["+state_tracker@state_tracker.inner.a=summaries"], "state_tracker.inner.a=summaries: one sentence is enough"),
    ],
)
def test_mistakes_are_found_before_anything_is_loaded(overrides, line):
    problems = find_mistakes(["state_tracker=summaries", *overrides])
    assert any(one.startswith(line) for one in problems), problems


def test_a_working_set_is_refused_in_a_line(chat, tmp_path):
    cfg = compose_config(settings(chat, tmp_path / "answers", "agent.whole_catalog_items=20"))
    with pytest.raises(ConfigError, match=r"^agent\.whole_catalog_items=20: state_tracker=summaries reads the titles .* set it to 40, "):
        runner.run(cfg, tmp_path / "run")


def test_a_working_set_is_refused_before_a_prior_is_loaded(chat, tmp_path, monkeypatch):
    monkeypatch.setattr("recframe.building.parts.give_prior", lambda *_: pytest.fail("the prior was loaded"))
    prior = ["prior.model=packaged:smollm2-135m-instruct", "environment.num_candidates=6"]
    cfg = compose_config(settings(chat, tmp_path / "answers", "agent.whole_catalog_items=20", *prior))
    with pytest.raises(ConfigError, match=r"^agent\.whole_catalog_items=20: state_tracker=summaries reads the titles"):
        assemble(cfg).agent(assemble(cfg).training_environment())
