"""The table of off-policy estimates."""

import pytest
from rich.console import Console, Group

from recframe.evaluation.off_policy_table import off_policy_markdown, off_policy_tables


def estimate(mean):
    return {"mean": mean, "low": mean - 0.04567, "high": mean + 0.04567, "n": 700}


def entry(chosen="dr", effective=120.0, metric="value", **about):
    return {
        "evaluation": {"split": "logged", "people": 700, "decisions": 800, **about},
        "policies": {"logging": {metric: estimate(0.1234)}, "trained": {metric: estimate(0.98765)}, "popular": {metric: estimate(0.2)}},
        "diagnostics": {"trained": {"effective_rows": effective}, "popular": {"effective_rows": 50.0}},
        "chosen": {"trained": chosen, "popular": "dr"},
        "caveats": ["trained: one thing to know, in more words than a line of a terminal has room for.", "popular: another."],
    }


def render(found, width=80):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(Group(*off_policy_tables(found)))
    return console.export_text()


def row(found, name="trained"):
    return next(line for line in off_policy_markdown(found).splitlines() if line.startswith(f"| {name} |"))


@pytest.mark.parametrize(("chosen", "metric"), [("dr", "value"), ("switch_dr", "value"), ("snips", "value"), ("weighted_dr", "return")])
def test_an_estimate_by_weights_that_are_all_0_is_not_shown(chosen, metric):
    found = entry(chosen, 0.0, metric)
    assert row(found) == f"| trained | — | — | {chosen} | 0 |"
    assert "0.9877" not in render(found)
    assert "0.2 [" not in row(found, "popular")
    assert "| 0.2 |" in row(found, "popular"), "others are"


def test_what_a_reward_model_predicts_is_shown():
    assert row(entry("dm", 0.0)) == "| trained | 0.9877 | [0.942, 1.033] | dm | 0 |"
    assert row(entry("dr", 3.0)).startswith("| trained | 0.9877 |")


def test_the_table_says_the_range_of_what_was_logged():
    assert "700 people, rewards from 0 to 1; each policy" in off_policy_markdown(entry(rewards=[0.0, 1.0]))
    assert "700 people; each policy" in off_policy_markdown(entry()), "results of earlier releases lack it"


def test_the_table_fits_80_columns_and_each_note_begins_a_line():
    text = render(entry(rewards=[0.0, 1.0]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in text
    for whole in ("mean of the log", "[0.07773, 0.1691]"):
        assert whole in text
    assert [line.startswith("Note: ") for line in lines[:3]] == [True, False, True]
    assert "\n\n**Note: popular: another.**\n\n" in off_policy_markdown(entry())


def test_an_unknown_interval_is_a_dash():
    found = entry()
    found["policies"]["trained"]["value"] |= {"low": float("nan"), "high": float("nan")}
    assert row(found) == "| trained | 0.9877 | — | dr | 120 |"
