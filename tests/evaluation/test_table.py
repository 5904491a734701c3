"""Tables of evaluation results."""

import subprocess
import sys

import pytest
from rich.console import Console

from recframe.evaluation.simulated.samples import Recommendation
from recframe.evaluation.table import calibration_markdown, result_tables, results_markdown, results_page, results_table, samples_table


def metric(mean, reach, n=512):
    return {"mean": mean, "low": mean - reach, "high": mean + reach, "n": n}


def metrics(value):
    return {
        "return": metric(value, 0.41),
        "length": metric(value * 1.5, 0.5),
        "click_rate": metric(0.4321, 0.0123),
        "coverage": metric(0.0711, 0.004),
        "diversity": metric(0.812, 0.01),
        "novelty": metric(11.23, 0.2),
        "gini": metric(0.9541, 0.002),
        "reward/click": metric(value, 0.41),
    }


RESULTS = {"random": metrics(3.2), "oracle": metrics(25.123), "fixed_slate": metrics(8.0), "trained": metrics(12.34)}


def render(table, width):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table)
    return console.export_text()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_number_is_cut_off_at_common_terminal_widths(width):
    text = render(results_table(RESULTS | {"posterior_greedy": metrics(9.0)}), width)
    assert "…" not in text
    assert "posterior_ " in text, "a long name is broken"
    for shown in ("12.3", "[11.9, 12.8]", "25.1", "0.432", "±0.012", "0.0711", "±0.0040", "0.954", "512 users", "click", "Gini"):
        assert shown in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_the_trained_policy_comes_first_and_references_follow_in_order():
    lines = results_markdown(RESULTS).splitlines()
    assert [line.split("|")[1].strip() for line in lines[:6]] == ["policy", "---", "trained", "random", "fixed_slate", "oracle"]


def test_markdown_has_a_cell_for_every_column():
    lines = results_markdown(RESULTS).splitlines()
    assert {line.count("|") for line in lines[:6]} == {9}
    assert lines[2].startswith("| trained | 12.3 [11.9, 12.8] | 18.5 ±0.5 | 0.432 ±0.012 | 0.0711 ±0.0040 |")


def test_a_metric_has_no_column_if_no_policy_has_it_and_a_dash_for_policies_without_it():
    some = {name: dict(values) for name, values in RESULTS.items()}
    for values in some.values():
        del values["click_rate"]
    del some["random"]["diversity"]
    text = results_markdown(some)
    assert "click rate" not in text
    assert "—" in next(line for line in text.splitlines() if "random" in line)


@pytest.mark.parametrize(
    ("about", "title", "counts"),
    [
        ({"split": "held_out", "people": 400, "sessions": 512}, "people who do not occur in training", "400 people, 512 sessions"),
        (
            {"split": "held_out", "people": 2, "sessions": 9, "history_length": 20},
            "people who do not occur in training",
            "2 people, 9 sessions; 95 % intervals over people; policies read the last 20 items of a session",
        ),
        (
            {"split": "held_out", "people": 2, "sessions": 9, "history_length": 3, "reference_history_length": 30},
            "people who do not occur in training",
            "95 % intervals over people; reference policies read the last 30 items of a session, others the last 3",
        ),
        ({"split": "train", "people": 1, "sessions": 1}, "people of training (evaluation.people=train)", "1 person, 1 session"),
    ],
)
def test_a_table_says_whom_it_is_about(about, title, counts):
    (table,) = result_tables({"policies": RESULTS, "evaluation": about}, title="Results")
    for text in (render(table, 100), results_markdown(RESULTS, about)):
        assert text.index(title) < text.index("trained") < " ".join(text.split()).index(counts)
        assert "95 % intervals over people" in " ".join(text.split())


def test_results_of_earlier_releases_have_tables():
    (table,) = result_tables({"policies": RESULTS})
    assert "512 users" in render(table, 100)


def test_an_unknown_interval_is_left_out():
    single = {"return": {"mean": 2.5, "low": None, "high": None, "n": 1}, "gini": {"mean": None, "low": None, "high": None, "n": 0}}
    assert results_markdown({"trained": single}).splitlines()[2] == "| trained | 2.50 | — |"


def test_markup_in_names_is_escaped():
    assert "[bold]x|y" in render(results_table({"[bold]x|y": metrics(1.0)}), 140)
    assert "[bold]x\\|y" in results_markdown({"[bold]x|y": metrics(1.0)})


def test_samples_show_user_history_and_slate():
    rows = [
        Recommendation("u1", 1, [], ["Alien", "Heat"], 1.0),
        Recommendation("u1", 2, ["Alien", "Heat", "Ran", "Up", "Big"], ["Jaws [1975]", "Brazil"], 0.25),
        Recommendation("u2", 1, ["Big"], ["Alien", "Up"], 0.0),
    ]
    text = render(samples_table(rows), 80)
    for shown in ("Jaws [1975]", "Brazil", "… 2 more", "0.25", "u2", "Ran"):
        assert shown in text
    assert text.count("u1") == 1


def test_rendering_does_not_import_torch():
    code = "import sys, recframe.evaluation.table; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_caveats_come_before_the_table():
    first, second, table = result_tables({"policies": RESULTS, "caveats": ["the model knows nothing", "[nobody] clicks"]})
    assert (str(first), str(second)) == ("Note: the model knows nothing", "Note: [nobody] clicks")
    assert "trained" in render(table, 100)


def test_each_caveat_begins_a_line_of_its_own():
    lines = render(results_page({"policies": RESULTS, "caveats": ["the model knows nothing", "nobody clicks"]}), 80).splitlines()
    assert lines[:2] == ["Note: the model knows nothing", "Note: nobody clicks"]


def test_tables_are_apart():
    page = render(results_page({"policies": RESULTS, "cold_items": {"policies": RESULTS}}), 100).splitlines()
    second = next(place for place, line in enumerate(page) if "Only items that were never shown" in line)
    assert page[second - 1] == ""


def lopsided(low, high):
    return {"trained": {"length": {"mean": 10.0, "low": low, "high": high, "n": 9}}}


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (9.0, 11.0, "±1.0"),
        (8.0, 12.4, "±2.2"),
        (8.0, 12.6, "[8.0, 12.6]"),
        (7.0, 11.0, "[7.0, 11.0]"),
        (9.95, 10.12, "±0.1"),
        (10.0, 10.5, "[10.0, 10.5]"),
    ],
    ids=["even", "less than 1.25 times", "more above", "more below", "by less than is shown", "one side only"],
)
def test_the_ends_of_an_interval_are_shown_if_it_reaches_clearly_further_to_one_side(low, high, shown):
    assert results_markdown(lopsided(low, high)).splitlines()[2] == f"| trained | 10.0 {shown} |"


def test_the_ends_are_below_each_other_in_the_terminal():
    lines = [line.split() for line in render(results_table(lopsided(8.0, 12.6)), 80).splitlines()]
    assert lines[2:5] == [["trained", "10.0"], ["8.0–"], ["12.6"]]  # noqa: RUF001  # the sign for a range


def test_tables_of_lopsided_intervals_fit_80_columns():
    policies = {"trained": ranking(0.0123, 0.0061), "content_cosine": ranking(0.011, 0.0055)}
    for metrics in policies.values():
        for value in metrics.values():
            value["low"] = value["mean"] * 0.9
            value["high"] = value["mean"] * 1.4
    text = render(results_table(policies, "Results", LOG), 80)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_tables_show_a_k_whose_lists_do_not_hold_all_items():
    policies = {"trained": ranking(0.2, 0.2)}
    for text in (render(results_table(policies, None, {**LOG, "items": 8}), 80), results_markdown(policies, {**LOG, "items": 8})):
        assert "@5" in text
        assert "@10" not in text


def test_calibration_is_a_table_of_tenths():
    measured = {"model/rmse": 1.0, "model/error": 0.01}
    measured |= {f"model/error/decile_{k}_{side}": k / 10 + (side == "observed") for k in (1, 2) for side in ("predicted", "observed")}
    header, _, predicted, observed, *_ = calibration_markdown(measured).splitlines()
    assert header == "| model/error | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 |"
    assert predicted.startswith("| predicted | 0.1 | 0.2 |")
    assert observed.startswith("| observed | 1.1 | 1.2 |")
    assert calibration_markdown({"model/rmse": 1.0}) == ""


def ranking(hit, recall):
    values = {"hit_rate": hit, "ndcg": 0.11, "precision": hit / 10, "recall": recall, "f1": 0.04, "mrr": 0.09, "map": 0.08}
    values |= {"coverage": 0.31, "diversity": 0.61, "novelty": 9.1, "gini": 0.93}
    return {f"{name}@{k}": metric(value * k / 20, 0.004) for name, value in values.items() for k in (1, 5, 10, 20)}


LOG = {"split": "logged", "people": 4333, "queries": 4400}


@pytest.mark.parametrize(
    ("recall", "shown", "left_out"),
    [
        (0.2, ("hit rate", "NDCG", "MRR"), ("recall", "precision", "F1", "MAP")),
        (0.1, ("NDCG", "precision", "recall", "F1", "MAP"), ("MRR",)),
    ],
    ids=["one relevant item: recall would repeat the hit rate", "several relevant items"],
)
def test_rankings_are_shown_at_one_k_with_the_metrics_that_say_different_things(recall, shown, left_out):
    policies = {"trained": ranking(0.2, recall), "popular": ranking(0.15, 0.75 * recall), "content_cosine": ranking(0.18, 0.9 * recall)}
    text = render(results_table(policies, "Results", LOG), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for heading in (*shown, "coverage", "novelty"):
        assert heading in text
    for heading in left_out:
        assert heading not in text
    assert "@10" in text
    assert "@20" not in text
    assert "4,333 people, 4,400 queries" in text
    assert results_markdown(policies, LOG).startswith("Queries of the held-out part of the log:\n")
