"""Whole runs with language users: the report card comes first, a second run costs nothing, and a stopped one goes on."""

import csv
import json

import pytest

from recframe.config import find_mistakes
from recframe.errors import ModelError
from tests.conftest import CommandLine
from tests.scripted_chat import MARK, TOSSING, scripted_chat

PEOPLE = ("jazz", "space", "gardens", "football", "cooking", "chess")
WORLD = ("environment=language_users", "environment.num_users=4", "environment.max_steps=2", "environment.card_people=12")
RUN = (
    *WORLD,
    *("reward=[click,judge]", "reward.judge.card_people=5", "reward.judge.card_ratings=2"),
    *("environment.card_ratings=4", "encoder=id", "agent=dqn", "agent.learning_starts=8", "agent.batch_size=4"),
    *("agent.updates_per_chunk=1", "trainer.env_steps=16", "trainer.evaluate_every=8", "trainer.chunk_steps=2"),
    *("evaluation.num_users=3", "evaluation.periodic_users=3", "evaluation.references=false", "logger=[csv]"),
)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A log of twelve ratings by each of 18 people, and a table of 15 items; a persona for each person."""
    folder = tmp_path_factory.mktemp("data")
    topics = [PEOPLE[item % 6] for item in range(15)]
    items = "\n".join(f"{item},{topic.capitalize()} no. {item},{topic}" for item, topic in enumerate(topics))
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{items}\n")
    rated = [(user, item) for user in range(18) for item in range(15) if (user + item) % 5]
    rows = "\n".join(f"{user},{item},{5 if item % 6 == user % 6 else 1 + item % 2},{item}" for user, item in rated)
    (folder / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}\n")
    lines = [json.dumps({"persona": f"Somebody who likes {PEOPLE[user % 6]}.", "user": str(user)}) for user in range(18)]
    (folder / "people.jsonl").write_text("\n".join(lines))
    return folder


def tossing_or_grading(question):
    """A coin for people, and the grade 4 for everything."""
    return json.dumps({"mark": MARK.search(question)[1], "grade": 4}) if question.startswith("Rubric: ") else TOSSING(question)


@pytest.fixture(scope="module")
def endpoint():
    """An endpoint whose model tosses a coin where it plays a person, and grades everything the same."""
    with scripted_chat(tossing_or_grading) as server:
        yield server


@pytest.fixture(scope="module")
def command(warm_process, tmp_path_factory):
    """The command line in a folder of this module."""
    folder = tmp_path_factory.mktemp("runs")
    return CommandLine(folder, folder.parent / "cache", warm_process)


@pytest.fixture(scope="module")
def train(command, people, endpoint):
    """`train("run", "key=value")`: a short run in that folder of the command's."""

    def run(folder, *settings):
        names, sections = ("model", "base_url", "retries", "ask_again"), ("environment.llm", "reward.judge.llm")
        asked = [f"{section}.{name}={endpoint.settings[name]}" for section in sections for name in names]
        data = ("dataset=movielens_format", f"dataset.path={people}", f"environment.personas={people / 'people.jsonl'}")
        return command("train", *data, *RUN, *asked, f"hydra.run.dir={command.folder / folder}", *settings)

    return run


@pytest.fixture(scope="module")
def whole(train, endpoint):
    """A run without a limit: what it printed, and what it asked."""
    done = train("whole")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, list(endpoint.questions)


def outcome(folder):
    """The numbers and words of a run's results, and its metrics without the speed."""
    result = json.loads((folder / "result.json").read_text())
    with (folder / "metrics.csv").open() as file:
        rows = [{name: value for name, value in row.items() if "per_second" not in name} for row in csv.DictReader(file)]
    return {name: result[name] for name in ("policies", "environment", "caveats", "objectives", "env_steps")}, rows


def test_a_coin_is_named_before_training_and_above_the_results(whole, command):
    printed, asked = whole
    result, _ = outcome(command.folder / "whole")
    assert any(line.startswith("clicks of the language model are not told from chance") for line in result["caveats"])
    assert result["environment"]["user_model/num_ratings"] == 48.0
    assert any(line.startswith("the judge's grades are not told from chance (AUC 0.50 [0.50, 0.50]") for line in result["caveats"])
    assert result["environment"]["judge/num_ratings"] == 10.0
    assert printed.index("not told from chance") < printed.index("evaluating trained")
    assert "not told from chance" in (command.folder / "whole" / "report.md").read_text()
    assert len(asked) == len(set(asked))


def test_a_second_run_asks_nothing_and_has_the_same_numbers(train, whole, endpoint, command):
    before = len(endpoint.questions)
    endpoint.answer = lambda question: "nonsense"
    again = train("again")
    endpoint.answer = tossing_or_grading
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(endpoint.questions) == before
    assert outcome(command.folder / "again") == outcome(command.folder / "whole")


def test_a_run_whose_budget_is_used_up_ends_in_one_line_and_goes_on(train, whole, endpoint, command):
    asked = whole[1]
    endpoint.questions.clear()
    limit = len([question for question in asked if not question.startswith("Rubric: ")]) - 5
    caches = [f"{section}.cache={command.folder / 'answers'}" for section in ("environment.llm", "reward.judge.llm")]
    limited = (f"environment.llm.max_calls={limit}", *caches)
    stopped = train("stopped", *limited)
    assert stopped.returncode == 2
    (line,) = stopped.stderr.strip().splitlines()
    assert f"environment.llm.max_calls={limit}: the next call of the model would exceed it" in line
    assert len([question for question in endpoint.questions if not question.startswith("Rubric: ")]) == limit
    resumed = command("train", f"resume={command.folder / 'stopped'}")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    # what was answered before it stopped is not asked again
    assert len(endpoint.questions) == len(asked)
    assert set(endpoint.questions) == set(asked)
    assert outcome(command.folder / "stopped") == outcome(command.folder / "whole")


def test_an_endpoint_that_is_down_is_told_in_one_line(make):
    environment = make(llm={"base_url": "http://127.0.0.1:9/v1"})
    with pytest.raises(ModelError, match=r"^environment\.llm\.base_url=http://127\.0\.0\.1:9/v1: no server answers there") as error:
        environment.report()
    assert "\n" not in str(error.value)


def test_mistakes_are_told_before_anything_is_loaded_all_at_once():
    settings = ["environment.slate_size=20", "environment.llm.max_cost=3", "environment.topic_attribute=genres", "agent=random"]
    told = "\n".join(find_mistakes([*WORLD, *settings, "environment.asking=answers"]))
    assert "environment.llm.max_tokens is 320, but an answer about environment.slate_size=20 items has some 520 tokens" in told
    assert "environment.llm.max_cost=3.0 limits nothing without prices" in told
    assert "environment.topic_attribute has no meaning without environment.says=true" in told
