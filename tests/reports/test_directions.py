"""Lower values are better of some metrics, such as Gini: in every report, and of a plugin's metric as far as it is known."""

import json
import re

import numpy as np
import pytest

from recframe.reports import find_runs, plan_cleaning, sweep_markdown
from recframe.reports.directions import SECONDS
from recframe.reports.listing import list_runs
from recframe.reports.page.charts.results import pairwise, tradeoffs
from recframe.reports.page.material import material_of
from recframe.reports.page.sections.results import drawn_styles
from recframe.reports.page.write import runs_page
from recframe.tracking import write_people

P = 40


@pytest.fixture(scope="module")
def material(sweep_folder):
    return material_of(find_runs(sweep_folder))


@pytest.mark.parametrize("metric", ["gini", "return"])
def test_a_run_with_less_gini_or_more_return_improves_on_another(material, metric):
    means = {policy.name: np.array([*policy.means[metric].values()]) for policy in material.policies}
    cells = {(row["ours"], row["theirs"]): row["probability"] for row in pairwise(material).rows if row["metric"] == metric}
    assert ("ppo, id", "dqn, id") in cells
    for (ours, theirs), probability in cells.items():
        gains = means[ours][:, None] - means[theirs][None, :]
        gains = -gains if metric == "gini" else gains
        assert probability == pytest.approx(np.mean((gains > 0) + 0.5 * (gains == 0)))
    assert len({*cells.values()} - {0.5}) > 1


def test_what_is_not_certain_does_not_read_as_certain(material):
    shown = {row["probability"]: row["shown"] for row in pairwise(material).rows}
    assert shown[1.0] == "1"
    assert shown[0.0] == "0"
    assert all(re.fullmatch(r"\.\d\d", text) for probability, text in shown.items() if 0 < probability < 1)


@pytest.mark.parametrize(("metric", "low"), [("gini", True), (SECONDS, True), ("coverage", False)])
def test_the_pareto_front_is_of_policies_with_less_gini_less_time_and_more_coverage(material, metric, low):
    rows = [row for row in tradeoffs(material, dict(drawn_styles(material))).rows if row["metric"] == metric and row["run"] is None]
    trained = {policy.name for policy in material.trained}
    points = {row["policy"]: (-row["x"] if low else row["x"], row["y"]) for row in rows if row["policy"] in trained}
    assert len(points) == 4
    undominated = {
        name
        for name, (x, y) in points.items()
        if not any(other != name and x2 >= x and y2 >= y and (x2, y2) != (x, y) for other, (x2, y2) in points.items())
    }
    assert {row["policy"] for row in rows if row["front"]} == undominated


def test_the_page_says_of_what_lower_is_better(sweep_folder):
    page = runs_page(find_runs(sweep_folder))
    assert "Of gini, lower is better." in page
    assert '<option value="gini">Gini (lower is better)</option>' in page
    assert '<option value="coverage">coverage</option>' in page
    assert page.count('<option value="seconds of the run">seconds of the run (lower is better)</option>') == 2, "trade-offs and throughput"


@pytest.fixture
def regret_runs(make_run, tmp_path):
    """Three seeds of two agents with a plugin's metric, of which each person's is recorded; `a` has less of it than `b`."""

    def make(config=None):
        random = np.random.default_rng(0)
        person = random.uniform(1, 2, P)
        for agent, level in (("a", 0.1), ("b", 0.5)):
            for seed in range(3):
                own = {
                    "trained": person + level + 0.01 * seed + random.normal(0, 0.01, P),
                    "fair": person + 0.3 + random.normal(0, 0.01, P),
                    "poor": person + 2.0,
                }
                statistics = {
                    name: {"regret": {"mean": values.mean(), "low": values.mean() - 0.1, "high": values.mean() + 0.1, "n": P}}
                    for name, values in own.items()
                }
                folder = make_run(f"{agent}{seed}", seed, 1.0, [f"agent={agent}"], {"agent.name": agent, **(config or {})}, statistics)
                tables = {name: (("regret",), values[:, None], np.ones((P, 1))) for name, values in own.items()}
                write_people(folder, np.arange(P), {"policies": tables})
        return tmp_path

    return make


MONITORED = {"trainer.monitor": "regret", "trainer.monitor_mode": "min"}


def test_a_metric_that_runs_monitor_has_the_direction_that_they_say(regret_runs):
    folder = regret_runs(MONITORED)
    markdown = sweep_markdown(folder, metric="regret")
    assert "## regret (lower is better): difference to fair" in markdown, "the best reference has the least"
    rows = {
        cells[0]: cells for line in markdown.split("## ")[1].splitlines() if (cells := line.strip("| ").split(" | "))[1:2] == ["trained"]
    }
    assert rows["a"][4].startswith("-"), "the difference is as it is"
    assert rows["a"][-1] == "1"
    assert rows["b"][-1] == "0"
    assert "- of regret, lower is better" in markdown
    material = material_of(find_runs(folder))
    assert [policy.name for policy in material.policies if policy.is_trained] == ["a", "b"]
    page = runs_page(find_runs(folder))
    assert "The best trained policy by regret (lower is better): a." in page
    (chart,) = [
        chart for chart in _charts(page) if chart["spec"]["description"] == "The probability that one policy is better than another"
    ]
    columns = {name: _values(column) for name, column in chart["columns"].items()}
    cells = dict(zip(zip(columns["ours"], columns["theirs"], strict=True), columns["probability"], strict=True))
    assert cells["a", "b"] == 1.0
    assert cells["b", "a"] == 0.0


def test_of_a_metric_whose_direction_nobody_says_reports_say_so(regret_runs):
    folder = regret_runs()
    said = "of regret it is not known whether higher or lower is better, and higher counts as better"
    markdown = sweep_markdown(folder, metric="regret")
    assert said in markdown
    assert "## regret: difference to poor" in markdown
    assert said[1:] in runs_page(find_runs(folder))
    # where the runs do not agree, nobody says it either
    config = folder / "a0" / "config.yaml"
    for name, mode in (("a0", "min"), ("a1", "max")):
        config = folder / name / "config.yaml"
        config.write_text(f"{config.read_text()}trainer: {{monitor: regret, monitor_mode: {mode}}}\n")
    assert said in sweep_markdown(folder)


def _charts(page):
    return json.loads(re.search(r'id="charts">(.*?)</script>', page)[1])


def _values(column):
    return column if isinstance(column, list) else [None if place is None else column["texts"][place] for place in column["places"]]


def test_two_runs_that_are_compared_say_of_what_lower_is_better(call, sweep_folder):
    found = json.loads(call("compare", sweep_folder / "0", sweep_folder / "6", "--json").stdout)
    assert {name: one["better"] for name, one in found["metrics"].items() if name in ("return", "gini", "reward/click")} == {
        "return": "max",
        "gini": "min",
        "reward/click": "max",
    }
    assert "of gini, lower is better" in call("compare", sweep_folder / "0", sweep_folder / "6").stdout


def test_an_objective_has_its_metrics_own_direction_where_the_config_says_none(make_run, tmp_path):
    for seed, mean in enumerate((0.2, 0.1, 0.3)):
        (make_run(str(seed), seed, mean, config={"trainer.monitor": "gini"}) / "checkpoints").mkdir()
    assert [run.objective for run in list_runs([tmp_path], sort="objective")] == [0.1, 0.2, 0.3]
    assert plan_cleaning(tmp_path).best == ("1",)


def test_the_last_stage_says_what_the_objective_is(make_run, tmp_path):
    """An agent that learns nothing takes no env steps, and its objective is the simulator's all the same."""
    monitors = {"trainer.monitor": "return", "trainer.monitor_mode": "max", "logged.monitor": "nll", "logged.monitor_mode": "min"}
    for seed, stages in enumerate(("[logged, simulated]", "[simulated]", "[simulated]")):
        folder = make_run(str(seed), seed, float(seed), config=monitors)
        (folder / "checkpoints").mkdir()
        config, result = folder / "config.yaml", json.loads((folder / "result.json").read_text())
        config.write_text(f"{config.read_text()}stages: {stages}\n")
        (folder / "result.json").write_text(json.dumps(result | {"env_steps": 1000 * (seed < 2)}))
    assert plan_cleaning(tmp_path).best == ("2",)
    config.write_text(config.read_text().replace("[simulated]", "[logged]"))
    assert set(plan_cleaning(tmp_path).best) == {"1", "2"}
