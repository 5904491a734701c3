"""Trained runs that the tests of this folder share: from a log, and in a world of people with profiles who say things."""

from __future__ import annotations

import pytest

import recframe

WORLD = ["debug=smoke", "logger=[csv]", "evaluation.references=false", "evaluation.num_users=4", "dataset.num_items=40"]
PEOPLE = ["dataset.num_users=30", "environment.num_users=16", "trainer.env_steps=64", "dataset.utterances=20", "environment.says=true"]


@pytest.fixture(scope="session")
def run_in_world(tmp_path_factory):
    """Make a run in topic_world, with these settings, once."""
    folder, made = tmp_path_factory.mktemp("explained"), {}

    def make(*settings: str):
        if settings not in made:
            made[settings] = recframe.run([*WORLD, *PEOPLE, *settings], folder=folder / str(len(made))).folder
        return made[settings]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(folder / "cache"))
        yield make


@pytest.fixture(scope="session")
def world(run_in_world):
    """A policy that reads histories, profiles and what is said, with a cheap encoder that is not differentiable."""
    return recframe.load_policy(run_in_world("encoder=tfidf", "agent.learning_starts=32"))


@pytest.fixture(scope="session")
def log_folder(tmp_path_factory):
    """A log in which everybody goes on from a film to one of the next two."""
    folder = tmp_path_factory.mktemp("log")
    films = "".join(f"{film},Film {film} (1999),Drama\n" for film in range(20))
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{films}")
    rows = [f"p{person},{(person + step) % 20},{1 + step % 5},{10 * person + step}" for person in range(30) for step in range(6)]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]) + "\n")
    return folder


@pytest.fixture(scope="session")
def policy_of_log(log_folder, tmp_path_factory):
    """Make a policy of an agent that has learned from the log."""
    runs, made = tmp_path_factory.mktemp("runs"), {}
    small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.k=[5]", "evaluation.references=false", "logged.batches=10"]

    def make(agent: str):
        if agent not in made:
            log = ["experiment=next_item", "dataset=movielens_format", f"dataset.path={log_folder}", f"agent={agent}"]
            made[agent] = recframe.load_policy(recframe.run([*log, *small], folder=runs / agent))
        return made[agent]

    return make
