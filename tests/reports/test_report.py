"""The report has means over seeds, valid intervals, and a list of the runs without a result."""

import io

import numpy as np
import polars as pl
import pytest
from rich.console import Console
from scipy import stats

from recframe.evaluation.seed_intervals import crossed_intervals
from recframe.reports import SweepError, summarize, sweep_frame, sweep_markdown, sweep_table
from recframe.tracking import write_people


def rendered(folder, width=200):
    console = Console(file=io.StringIO(), width=width)
    console.print(sweep_table(folder))
    return console.file.getvalue()


def one(summary, **where):
    (row,) = summary.filter(**where).iter_rows(named=True)
    return row


def test_there_is_a_row_for_each_run_and_policy(make_run, tmp_path):
    make_run("0", 5, 1.5, ["agent.gamma=0.5"])
    make_run("1", 6, 2.5, ["agent.gamma=0.9"])
    frame = sweep_frame(tmp_path)
    assert frame.select("run", "seed", "policy", "agent.gamma", "objective", "return", "return/low", "return/high", "return/n").rows() == [
        ("0", 5, "trained", "0.5", 1.5, 1.5, 0.5, 3.5, 64),
        ("0", 5, "random", "0.5", 1.5, 1.5, 0.5, 3.5, 64),
        ("1", 6, "trained", "0.9", 2.5, 2.5, 1.5, 4.5, 64),
        ("1", 6, "random", "0.9", 2.5, 2.5, 1.5, 4.5, 64),
    ]


def test_metrics_are_in_the_order_of_metric_names_and_may_be_missing(make_run, tmp_path):
    value = {"mean": 1.0, "low": 0.0, "high": 2.0, "n": 3}
    undefined = {"mean": None, "low": None, "high": None, "n": 0}
    make_run(
        "0",
        0,
        1.0,
        policies={"trained": {"reward/click": value, "gini": value, "length": value, "return": value}, "random": {"return": undefined}},
    )
    frame = sweep_frame(tmp_path)
    assert [name for name in frame.columns if f"{name}/low" in frame.columns] == ["return", "length", "gini", "reward/click"]
    assert frame.filter(policy="random").select("return", "gini").row(0) == (None, None)
    assert set(summarize(frame)["policy"]) == {"trained"}


def test_metrics_over_cold_items_have_their_own_columns(make_run, tmp_path):
    value = {"mean": 0.25, "low": 0.0, "high": 2.0, "n": 3}
    for seed, cold in enumerate((0.25, 0.75)):
        measured = {"trained": {"return": value | {"mean": cold}, "gini": value, "click_rate": value}}
        make_run(str(seed), seed, 1.0 + seed, cold_items={"share": 0.1, "items": 4, "policies": measured})
    frame = sweep_frame(tmp_path)
    assert [name for name in frame.columns if f"{name}/low" in frame.columns] == ["return", "cold/return", "cold/click_rate"]
    assert frame.select("policy", "return", "cold/return").rows() == [
        ("trained", 1.0, 0.25),
        ("random", 1.0, None),
        ("trained", 2.0, 0.75),
        ("random", 2.0, None),
    ]
    row = one(summarize(frame), policy="trained", metric="cold/return")
    assert (row["mean"], row["seeds"]) == (0.5, 2)
    assert "cold/return" in sweep_markdown(tmp_path)


def test_runs_that_differ_only_in_their_seed_are_averaged_with_an_interval_over_seeds_and_people(make_run, tmp_path):
    returns = {"0.5": [1.0, 2.0, 4.0], "0.9": [10.0, 10.5]}
    for gamma, means in returns.items():
        for seed, mean in enumerate(means):
            make_run(f"{gamma}_{seed}", seed, mean, [f"agent.gamma={gamma}"])
    summary = summarize(sweep_frame(tmp_path))
    for gamma, means in returns.items():
        row = one(summary, **{"agent.gamma": gamma, "policy": "trained", "metric": "return"})
        mean, over_seeds = sum(means) / len(means), stats.ttest_1samp(means, 0).confidence_interval(0.95)
        # the runs' own intervals over people reach 1 below and 2 above
        low, high = mean - np.hypot(mean - over_seeds.low, 1), mean + np.hypot(over_seeds.high - mean, 2)
        assert (row["mean"], row["low"], row["high"]) == pytest.approx((mean, low, high))
        assert (row["seeds"], row["interval"]) == (len(means), "seeds and people")


@pytest.mark.parametrize("override", ["dataset.split_seed=${seed}", r"dataset.split_seed=$\{seed\}", "dataset.split_seed='${seed}'"])
def test_a_setting_that_is_the_seed_is_none_in_which_runs_differ(make_run, tmp_path, override):
    for seed in range(2):
        make_run(str(seed), seed, 1.0 + seed, [override], {"dataset.split_seed": seed})
    assert "| policy | seeds | return |\n" in sweep_markdown(tmp_path)
    make_run("2", 2, 1.0, ["dataset.split_seed=7"], {"dataset.split_seed": 7})
    assert "| dataset.split_seed | policy | seeds | return |\n" in sweep_markdown(tmp_path)


def test_the_interval_of_one_seed_is_its_bootstrap_interval_and_the_report_says_so(make_run, tmp_path):
    make_run("0", 0, 5.0)
    row = one(summarize(sweep_frame(tmp_path)), policy="trained", metric="return")
    assert (row["mean"], row["low"], row["high"], row["seeds"], row["interval"]) == (5.0, 4.0, 7.0, 1, "people")
    for report in (sweep_markdown(tmp_path), rendered(tmp_path)):
        assert "5" in report
        assert "[4,7]" in report.replace(", ", ",")
        assert "95 % interval over people" in report
        assert "over seeds and people" not in report


def test_a_repeated_seed_counts_once(make_run, tmp_path):
    make_run("1", 0, 1.0)
    make_run("2", 0, 3.0)
    make_run("3", 1, 5.0)
    row = one(summarize(sweep_frame(tmp_path)), policy="trained", metric="return")
    assert (row["mean"], row["seeds"]) == (4.0, 2)
    assert "3 finished runs, 1 of them left out" in sweep_markdown(tmp_path)


def test_both_reports_have_the_same_content(make_run, tmp_path):
    for seed, mean in enumerate([1.0, 2.0, 3.0]):
        make_run(str(seed), seed, mean, ["reward=[click,diversity]"])
    make_run("9", 0, 7.0, ["reward=[click]"])
    make_run("10", 1, None, ["reward=[click]"])
    markdown, table = sweep_markdown(tmp_path), rendered(tmp_path)
    assert "| [click,diversity] | trained | 3 | 2 [-0.678, 5.19] |" in markdown
    assert "| [click] | trained | 1 | 7 [6, 9] |" in markdown
    lines = [line.split() for line in table.splitlines()]
    assert ["[click,diversity]", "trained", "3", "2", "[-0.678,5.19]"] in lines
    assert ["[click]", "trained", "1", "7", "[6,9]"] in lines
    for note in (
        "4 finished runs",
        "95 % interval over seeds and people",
        "1 run without a result",
        "10: stopped before its first step; see its run.log",
    ):
        assert note in markdown
        assert note in table


def test_the_terminal_table_fits_80_columns(make_run, tmp_path):
    names = ["return", "length", "click_rate", "coverage", "diversity", "novelty", "gini", "reward/click", "reward/rating"]
    values = {name: {"mean": -0.123 * n, "low": -0.4567 * n, "high": 0.789 * n, "n": 9} for n, name in enumerate(names, start=1)}
    for seed in (0, 1):
        make_run(f"{seed}a", seed, 1.0, ["agent.gamma=0.95"], policies={"fixed_slate": values})
    make_run("b", 0, 1.0, ["agent.gamma=0.99"], policies={"fixed_slate": values})
    words = rendered(tmp_path, width=80).split()
    for expected in ("agent.gamma", "0.95", "fixed_slate", *names, "[-0.457,0.789]", "[-4.11,7.1]"):
        assert expected in words


def test_the_report_on_unfinished_runs_gives_their_reasons(make_run, tmp_path):
    make_run("0", 0, None)
    assert sweep_frame(tmp_path).height == 0
    assert summarize(sweep_frame(tmp_path)).height == 0
    for report in (sweep_markdown(tmp_path), rendered(tmp_path)):
        assert "0 finished runs" in report
        assert "0: stopped before its first step" in report


def test_a_folder_without_runs_is_an_error(tmp_path):
    with pytest.raises(SweepError, match="no run was found in or below it"):
        sweep_table(tmp_path)


def test_summaries_need_only_the_frame(make_run, tmp_path):
    make_run("0", 0, 1.0)
    make_run("1", 1, 2.0)
    frame = sweep_frame(tmp_path)
    frame.write_parquet(tmp_path / "runs.parquet")
    assert summarize(pl.read_parquet(tmp_path / "runs.parquet")).equals(summarize(frame))


def test_a_metric_that_is_equal_in_all_seeds_has_the_interval_of_one_run(make_run, tmp_path):
    for seed in range(3):
        make_run(str(seed), seed, 1.5)
    row = one(summarize(sweep_frame(tmp_path)), policy="random", metric="return")
    assert (row["mean"], row["low"], row["high"], row["seeds"], row["interval"]) == (1.5, 0.5, 3.5, 3, "people")


def test_intervals_over_seeds_come_from_each_persons_sums(make_run, tmp_path):
    generator = np.random.default_rng(0)
    returns = generator.exponential(1, 50) + generator.normal(0, 0.2, (3, 50))
    about = {"split": "held_out", "people": 50, "sessions": 50}
    for seed, each in enumerate(returns):
        statistic = {"mean": each.mean(), "low": each.mean() - 9, "high": each.mean() + 9, "n": 50}
        folder = make_run(str(seed), seed, 1.0, policies={"trained": {"return": statistic}}, evaluation=about)
        write_people(folder, np.arange(50), {"policies": {"trained": (("return",), each[:, None], np.ones((50, 1)))}})
    row = one(summarize(sweep_frame(tmp_path)), policy="trained", metric="return")
    (expected,) = crossed_intervals(returns[:, :, None], np.ones((3, 50, 1)), resamples=1_000)
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(tuple(expected), rel=1e-5)
    assert "each run evaluated on 50 people, 50 sessions; people who do not occur in training" in sweep_markdown(tmp_path)


def test_intervals_of_rates_stay_between_0_and_1(make_run, tmp_path):
    for seed, (coverage, click_rate) in enumerate([(0.05, 0.99), (0.01, 0.9)]):
        measured = {"return": 2.0, "coverage": coverage, "click_rate": click_rate}
        trained = {name: {"mean": value, "low": value - 0.01, "high": value + 0.01, "n": 9} for name, value in measured.items()}
        make_run(str(seed), seed, 1.0, policies={"trained": trained})
    summary = summarize(sweep_frame(tmp_path))
    assert one(summary, policy="trained", metric="coverage")["low"] == 0.0
    assert one(summary, policy="trained", metric="click_rate")["high"] == 1.0


def test_the_report_tells_runs_on_other_people_and_of_earlier_releases_apart(make_run, tmp_path):
    make_run("0", 0, 1.0)
    make_run("1", 1, 2.0, evaluation={"split": "train", "people": 1, "sessions": 64})
    markdown = sweep_markdown(tmp_path)
    assert "evaluation of 1 run: number of people not recorded (earlier release)" in markdown
    assert "evaluation of 1 run: 1 person, 64 sessions; people of training (evaluation.people=train)" in markdown


def test_people_who_differ_between_runs_are_matched_by_their_number(make_run, tmp_path):
    values = np.arange(6.0)
    for seed, ids in enumerate(([0, 1, 2, 3], [2, 3, 4, 5])):
        sums = (("return",), values[ids][:, None] + seed, np.ones((4, 1)))
        folder = make_run(str(seed), seed, float(values[ids].mean() + seed))
        write_people(folder, np.array(ids), {"policies": {"trained": sums}})
    row = one(summarize(sweep_frame(tmp_path)), policy="trained", metric="return")
    table, met = np.zeros((2, 6, 1)), np.zeros((2, 6, 1))
    for seed, ids in enumerate(([0, 1, 2, 3], [2, 3, 4, 5])):
        table[seed, ids, 0], met[seed, ids, 0] = values[ids] + seed, 1
    (expected,) = crossed_intervals(table, met, shared=False, resamples=1_000)
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(tuple(expected))


def test_what_runs_say_above_their_tables_stands_above_that_of_the_report_once_with_their_number(make_run, tmp_path):
    make_run("0", 0, 1.0, caveats=["the model knows nothing", "[nobody] clicks"])
    make_run("1", 1, 2.0, caveats=["the model knows nothing"])
    make_run("2", 2, 3.0)
    for report, before, after in ((sweep_markdown(tmp_path), "**", "**"), (rendered(tmp_path), "", "")):
        shared, own = (
            f"{before}Note ({count} of 3 runs): {what}{after}" for count, what in ((2, "the model knows nothing"), (1, "[nobody] clicks"))
        )
        assert report.count("the model knows nothing") == 1
        assert report.index(shared) < report.index(own) < report.index("trained")


def test_the_notes_of_a_single_run_need_no_number(make_run, tmp_path):
    make_run("0", 0, 1.0, caveats=["nobody clicks"])
    assert "**Note: nobody clicks**\n\n|" in sweep_markdown(tmp_path)
    assert "Note" not in sweep_markdown(make_run("other/0", 0, 1.0))


def test_notes_that_somebody_has_damaged_cost_nothing_else(make_run, tmp_path):
    make_run("0", 0, 1.0, caveats=3)
    make_run("1", 1, 2.0, caveats=[3])
    assert "**Note (1 of 2 runs): 3**" in sweep_markdown(tmp_path)
