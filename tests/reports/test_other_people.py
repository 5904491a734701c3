"""Runs that are averaged and met other people: the same number in another world is another person, in every report."""

import json

import numpy as np
import pytest

from recframe.evaluation.comparisons import compare
from recframe.evaluation.hierarchical_bootstrap import hierarchical_intervals
from recframe.evaluation.seed_intervals import crossed_intervals
from recframe.reports import find_runs, summarize, sweep_frame, sweep_markdown
from recframe.reports.page.charts.results import pairwise
from recframe.reports.page.material import material_of
from recframe.tracking import write_people

P, SEEDS = 40, 3
METRIC = "return"
WORLDS = {
    "the data": ({}, lambda seed: {"items": {"sha256": str(seed), "rows": 3}}),
    "who is held out": ({}, lambda seed: {"users": {"sha256": str(seed), "rows": P}, "ratings": {"sha256": "0", "rows": 0}}),
    "a setting of the world": ({"environment.world_seed": None}, lambda seed: {}),
}


@pytest.fixture
def add_runs(make_run):
    """A function that writes a sweep of two agents and a reference. Returns the results `[SEEDS, P]` of each."""

    def add(settings, data, ids=None):
        generator = np.random.default_rng(0)
        found = {name: generator.exponential(1, (SEEDS, P)) for name in ("a", "b", "popular")}
        for seed in range(SEEDS):
            for agent in "ab":
                values = {"trained": found[agent][seed], "popular": found["popular"][seed]}
                policies = {
                    name: {METRIC: {"mean": each.mean(), "low": each.mean() - 1, "high": each.mean() + 1, "n": P}}
                    for name, each in values.items()
                }
                config = {"agent.name": agent, **dict.fromkeys(settings, seed)}
                folder = make_run(f"{agent}{seed}", seed, 1.0, [f"agent={agent}"], config, policies)
                (folder / "data.json").write_text(json.dumps(data(seed)))
                tables = {policy: ((METRIC,), each[:, None], np.ones((P, 1))) for policy, each in values.items()}
                write_people(folder, np.arange(P) if ids is None else ids[seed], {"policies": tables})
        return {name: each.astype(np.float32).astype(np.float64) for name, each in found.items()}

    return add


def apart(results):
    """The results `[S, P]` of runs that met other people each: the sums `[S, S P, 1, 2]` of all, and whom each met."""
    met = np.repeat(np.eye(SEEDS, dtype=bool), P, axis=1)
    values = np.where(met, np.tile(results, SEEDS), 0.0)
    return np.stack([values, met], axis=-1)[:, :, None].astype(float), met


def trained_row(folder, agent):
    (row,) = summarize(sweep_frame(folder)).filter(agent=agent, policy="trained").iter_rows(named=True)
    return row


@pytest.mark.parametrize(("settings", "data"), WORLDS.values(), ids=WORLDS)
def test_the_same_number_in_another_world_is_another_person_in_every_report(add_runs, tmp_path, settings, data):
    found = add_runs(settings, data)
    sums, met = apart(found["a"])
    (over_all,) = crossed_intervals(sums[..., 0], sums[..., 1], shared=False, resamples=1_000)
    row = trained_row(tmp_path, "a")
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(tuple(over_all))
    markdown = sweep_markdown(tmp_path, against="agent=a")
    assert f"| a | trained | 3 | {row['mean']:.3g} [{row['low']:.3g}, {row['high']:.3g}] |" in markdown

    # run s of one agent met the people of run s of the other
    others, _ = apart(found["b"])
    expected = compare(others[:, :, 0], sums[:, :, 0], met=met)
    assert f"{expected.difference:.3g} [{expected.low:.3g}, {expected.high:.3g}]" in markdown
    assert expected.improvement == np.mean(found["b"].mean(axis=1) > found["a"].mean(axis=1))

    material = material_of(find_runs(tmp_path))
    (policy,) = [policy for policy in material.policies if policy.is_trained and policy.settings["agent"] == "a"]
    assert policy.intervals[METRIC] == pytest.approx(hierarchical_intervals(sums)[0])
    cells = {(cell["ours"], cell["theirs"]): cell for cell in pairwise(material).rows}
    assert (cells["b", "a"]["probability"], cells["b", "a"]["count"]) == (pytest.approx(expected.improvement, abs=1e-3), SEEDS)


def test_rows_of_one_matrix_are_the_same_people_whoever_is_held_out(add_runs, tmp_path):
    def data(seed):
        return {"users": {"sha256": str(seed), "rows": 60}, "ratings": {"sha256": "0", "rows": 60}}

    ids = [np.arange(P) + 10 * seed for seed in range(SEEDS)]
    found = add_runs({}, data, ids)
    sums = np.zeros((SEEDS, P + 20, 1, 2))
    for seed in range(SEEDS):
        sums[seed, ids[seed], 0] = np.stack([found["a"][seed], np.ones(P)], axis=-1)
    (expected,) = crossed_intervals(sums[..., 0], sums[..., 1], shared=False, resamples=1_000)
    row = trained_row(tmp_path, "a")
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(tuple(expected))
    (policy,) = [policy for policy in material_of(find_runs(tmp_path)).policies if policy.is_trained and policy.settings["agent"] == "a"]
    assert policy.intervals[METRIC] == pytest.approx(hierarchical_intervals(sums)[0])


def test_runs_of_one_world_share_their_people(add_runs, tmp_path):
    found = add_runs({}, lambda seed: {"items": {"sha256": "0", "rows": 3}})
    (expected,) = crossed_intervals(found["a"][:, :, None], np.ones((SEEDS, P, 1)), resamples=1_000)
    row = trained_row(tmp_path, "a")
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(tuple(expected))
    cells = [cell for cell in pairwise(material_of(find_runs(tmp_path))).rows if (cell["ours"], cell["theirs"]) == ("b", "a")]
    assert [cell["count"] for cell in cells] == [SEEDS**2]


def test_policies_of_other_worlds_have_no_pair_in_common(make_run, tmp_path):
    for agent in "ab":
        for seed in range(2):
            folder = make_run(f"{agent}{seed}", seed, seed + ord(agent), [f"agent={agent}"], {"agent.name": agent})
            (folder / "data.json").write_text(json.dumps({"items": {"sha256": agent, "rows": 3}}))
    cells = pairwise(material_of(find_runs(tmp_path))).rows
    assert {tuple(sorted((cell["ours"], cell["theirs"]))) for cell in cells}.isdisjoint({("a", "b")})
