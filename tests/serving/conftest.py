"""Trained runs that the tests of this folder share: one that learned from a log, and one in a world of people with profiles."""

from __future__ import annotations

import pytest

import recframe

PEOPLE, FILMS = 30, 20


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A run that has learned from a log, in which everybody goes on from a film to one of the next two, and rates by the film."""
    folder = tmp_path_factory.mktemp("serving")
    films = "".join(f"{film},<Film> {film} (1999),Drama\n" for film in range(FILMS))
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{films}")
    steps = [(person, step, (person + step) % FILMS) for person in range(PEOPLE) for step in range(6)]
    rows = [f"p{person},{film},{1 + film % 5},{10 * person + step}" for person, step, film in steps]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(folder / "cache"))
        small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.k=[5]", "evaluation.references=false", "logged.batches=10"]
        log = ["experiment=next_item", "dataset=movielens_format", f"dataset.path={folder}", "agent=dqn", *small]
        recframe.run(log, folder=folder / "run")
        yield folder / "run"


@pytest.fixture(scope="session")
def artefact(folder, tmp_path_factory):
    """An artefact of that run. No test changes it."""
    path = tmp_path_factory.mktemp("artefact") / "policy"
    recframe.export(folder, path)
    return path


@pytest.fixture(scope="session")
def by_text(folder, tmp_path_factory):
    """The artefact of a policy of the same log that reads items by their texts alone. No test changes it."""
    small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.k=[5]", "evaluation.references=false", "logged.batches=2"]
    log = ["experiment=next_item", "dataset=movielens_format", f"dataset.path={folder.parent}", "agent=dqn", *small]
    path = tmp_path_factory.mktemp("by_text")
    recframe.run([*log, "state_tracker.id_embeddings=false"], folder=path / "run")
    recframe.export(path / "run", path / "policy")
    return path / "policy"


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A run in topic_world, whose policy reads profiles, and what people say."""
    folder = tmp_path_factory.mktemp("world")
    small = ["dataset.num_items=40", "dataset.num_users=30", "environment.num_users=16", "trainer.env_steps=64", "agent.learning_starts=32"]
    fast = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false", "evaluation.num_users=4"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(folder / "cache"))
        recframe.run([*fast, *small, "dataset.utterances=20", "environment.says=true"], folder=folder / "run")
        yield folder / "run"
