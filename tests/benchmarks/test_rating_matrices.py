"""The table of benchmarks/rating_matrices.py: whose row is whose, and who is one person."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from recframe.tracking.people_file import RecordedPeople

REFERENCES = {"random": 2.0, "fixed_slate": 6.0, "posterior_greedy": 7.0, "oracle": 10.0}


@pytest.fixture
def matrices(monkeypatch, project_root):
    monkeypatch.syspath_prepend(str(project_root / "benchmarks"))
    return importlib.import_module("rating_matrices")


def sums(returns):
    """The sums `[P, 2]` of people who were met once."""
    return np.stack([returns, np.ones_like(returns)], axis=-1).astype(np.float32)


def test_an_agent_may_have_the_name_of_a_reference(matrices, monkeypatch, tmp_path):
    people = np.random.default_rng(0).normal(size=10)
    returns = {policy: {"return": sums(mean + people)} for policy, mean in {"trained": 8.0, **REFERENCES}.items()}
    result = SimpleNamespace(policies={"trained": {"return": {"mean": 8.0}}}, selection={})
    monkeypatch.setattr(matrices.recframe, "run", lambda config, folder: result)
    monkeypatch.setattr(matrices, "read_people", lambda folder: RecordedPeople(np.arange(10), {"policies": returns}, {}))
    table = matrices.table(matrices.runs([], ["dqn", "posterior_greedy"], 2, 2, tmp_path))
    names = [line.split(" | ")[0] for line in table.splitlines()]
    assert [name.strip("| ") for name in names[2:]] == ["agent=dqn", "agent=posterior_greedy", *REFERENCES]
    differences = {name.strip("| "): line.split(" | ")[-1] for name, line in zip(names, table.splitlines(), strict=True)}
    assert differences["agent=posterior_greedy"].startswith("+1.00")
    assert differences["posterior_greedy"].strip(" |") == ""


def test_a_person_whom_two_splits_hold_out_is_one(matrices):
    generator = np.random.default_rng(0)
    returns = generator.normal(size=(1, 40))
    twice = np.stack([sums(returns)] * 2)
    alone, together = twice[0].astype(float), matrices.pooled(twice, np.stack([np.arange(40)] * 2))
    assert together.shape == (1, 40, 2)
    np.testing.assert_allclose(together, 2 * alone)
    # the same people again are no new evidence
    assert matrices.interval(together) == matrices.interval(alone)
    # others are
    assert matrices.pooled(twice, np.arange(80).reshape(2, 40)).shape == (1, 80, 2)
