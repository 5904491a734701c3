"""DQN learns to ask once in a session where nobody can know what people want, and not at all where everybody can."""

import importlib

import pytest

import recframe

STEPS = 60_000


@pytest.fixture
def trained(project_root, tmp_path, monkeypatch):
    """`trained("moods", asks=True)`: what the benchmark measures of the trained policy: return, share of questions, click rate."""
    monkeypatch.syspath_prepend(str(project_root / "benchmarks"))
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "cache"))
    benchmark = importlib.import_module("asking")

    def measured(world, asks):
        folder = tmp_path / f"{world}_{asks}"
        recframe.run(benchmark.settings(world, "dqn", asks, 0, STEPS), folder=folder)
        return benchmark.measured(folder)

    return measured


@pytest.mark.evidence
def test_it_asks_where_asking_pays_and_not_where_the_answer_is_known(trained):
    returned, asked, clicks = trained("moods", asks=True)
    silent, _, fewer = trained("moods", asks=False)
    # one turn in ten is a question, which costs a quarter of a click
    assert 0.08 < asked < 0.15
    assert returned > silent + 0.8
    assert clicks > fewer + 0.15
    assert trained("tastes", asks=True)[1] < 0.02
