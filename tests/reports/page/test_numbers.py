"""Curves, effects, fronts and names on the page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recframe.reports.page.curves import POINTS, band, read_curve, thinned
from recframe.reports.page.factors import factor, grouped, pareto, positions
from recframe.reports.page.names import setting_name, short_keys

METRICS = """\
env_steps,train/env_steps_per_second,eval/return
100,50.0,
100,,1.0
300,100.0,
300,,3.0
400,,5.0
"""


SIGNS = st.sampled_from((1.0, -1.0))


@pytest.fixture
def curve(tmp_path):
    def read(text):
        (tmp_path / "metrics.csv").write_text(text)
        return read_curve(tmp_path)

    return read


def test_the_time_of_a_step_is_the_time_of_training_until_then(curve):
    found = curve(METRICS)
    assert found.evaluated == {"return": {100: 1.0, 300: 3.0, 400: 5.0}}
    # 50 steps a second until step 100, and 100 from there on, also where no speed was measured any more
    assert [found.time_at(step) for step in (0, 50, 100, 200, 300, 400)] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert curve("env_steps,train/env_steps_per_second,eval/return\n100,,1.0\n").time_at(100) is None


def test_an_incomplete_last_line_is_left_out(curve):
    assert curve(METRICS + "500,,1")
    assert curve(METRICS + "500,").evaluated == curve(METRICS).evaluated


def test_a_log_counts_batches(curve):
    assert curve("batches,train/batches_per_second,eval/ndcg@10\n5,10.0,\n5,,0.5\n").counter == "batches"


def test_a_run_of_two_stages_has_the_time_of_both(curve):
    found = curve(
        "steps,env_steps,train/batches_per_second,train/env_steps_per_second,eval/ndcg@10,eval/return\n"
        "10,0,5.0,,,\n10,0,,,0.5,\n110,100,,50.0,,\n110,100,,,,2.0\n"
    )
    assert [found.time_at(step) for step in (10, 110)] == [2.0, 4.0]


def test_a_band_is_from_the_lowest_to_the_highest_run(curve):
    points = band([curve(METRICS), curve(METRICS.replace("3.0", "9.0").replace("400,,5.0\n", ""))], "return")
    assert [(point.step, point.mean, point.low, point.high, point.runs) for point in points] == [
        (100, 1.0, 1.0, 1.0, 2),
        (300, 6.0, 3.0, 9.0, 2),
        (400, 5.0, 5.0, 5.0, 1),
    ]


@given(st.integers(1, 400))
def test_thinning_keeps_the_ends_and_the_order(count):
    kept = list(thinned({step: float(step) for step in range(count)}))
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert kept == sorted(kept)
    assert len(kept) == min(count, POINTS)


def test_a_setting_that_decides_everything_explains_everything_and_one_without_effect_nothing():
    random = np.random.default_rng(0)
    results = np.repeat([1.0, 2.0, 3.0], 10)
    assert factor("agent", ["a"] * 10 + ["b"] * 10 + ["c"] * 10, results).share == 1.0
    assert factor("agent", ["a", "b", "c"] * 1000, random.normal(size=3000)).share < 0.01
    assert np.isnan(factor("rate", [str(number) for number in range(3)], np.arange(3.0)).share)


def test_an_effect_is_the_mean_of_the_runs_with_the_value():
    found = factor("agent", ["b", "a", "b", "a"], np.array([1.0, 5.0, 3.0, 7.0]))
    assert [(effect.level, effect.mean, effect.runs) for effect in found.effects] == [("a", 6.0, 2), ("b", 2.0, 2)]
    assert found.effects[0].low < 6.0 < found.effects[0].high


def test_many_numbers_are_put_into_ranges_and_few_are_not():
    assert grouped(["0.5", "0.9", None]) == ["0.5", "0.9", "-"]
    ranges = grouped([str(number) for number in range(100)])
    assert len(set(ranges)) == 4
    assert ranges[0] == "0 to 24.8"
    # as in a search, where a setting of one agent is none of another's
    assert grouped([None, *map(str, range(100))]) == ["-", *ranges]


def test_numbers_are_placed_by_their_value_and_rates_by_their_logarithm():
    assert positions(["1", "2", "3"]) == [0.0, 0.5, 1.0]
    assert positions(["0.0001", "0.01", "1"]) == pytest.approx([0.0, 0.5, 1.0])
    assert positions(["b", "a", "b"]) == [1.0, 0.0, 1.0]
    assert positions(["0.5", None]) == [0.5, None]


@given(st.dictionaries(st.text(), st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=6), st.tuples(SIGNS, SIGNS))
def test_nothing_beats_a_point_of_the_front_and_something_beats_every_other(points, signs):
    def beats(one, other):
        return one != other and all(sign * mine >= sign * its for sign, mine, its in zip(signs, one, other, strict=True))

    front = pareto({name: (float(x), float(y)) for name, (x, y) in points.items()}, signs)
    assert [points[name][0] for name in front] == sorted(points[name][0] for name in front), "a line along x"
    for name, point in points.items():
        beaten = any(beats(other, point) for other in points.values())
        assert not (beaten and name in front)
        assert beaten or point in [points[one] for one in front]


def test_settings_are_called_by_what_was_chosen():
    short = short_keys(["agent", "agent.gamma", "environment.seed", "dataset.seed"])
    assert short == {"agent": "agent", "agent.gamma": "gamma", "environment.seed": "environment.seed", "dataset.seed": "dataset.seed"}
    assert setting_name({"agent": "ppo", "agent.gamma": "0.9", "dataset.seed": None}, short, {"agent"}) == "ppo, gamma=0.9"
