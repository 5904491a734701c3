"""The report's comparison: pairs of people and seeds, the right baseline, and what cannot be compared."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from recframe.evaluation.comparisons import compare, holm
from recframe.reports import SweepError, compare_runs, sweep_markdown, sweep_table
from recframe.tracking import write_people

P = 60
NDCG = "ndcg@10"


def sums_of(values):
    return np.stack([values, np.ones(P)], axis=1).astype(np.float32).astype(np.float64)


@pytest.fixture
def add_run(make_run):
    """A function that writes a run with each person's NDCG under each policy."""

    def add(name, seed, agent, ids=None, recorded=True, config=None, **values):
        means = {policy: float(each.mean()) for policy, each in values.items()}
        intervals = {policy: {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": P} for policy, mean in means.items()}
        policies = {policy: {NDCG: each, "coverage@10": each, "ndcg@1": each} for policy, each in intervals.items()}
        folder = make_run(name, seed, 1.0, [f"agent={agent}"], {"agent.name": agent, **(config or {})}, policies)
        if recorded:
            tables = {policy: ((NDCG,), each[:, None], np.ones((P, 1))) for policy, each in values.items()}
            write_people(folder, np.arange(P) if ids is None else ids, {"policies": tables})
        return folder

    return add


@pytest.fixture
def sweep(add_run):
    """Two agents with three seeds, one without randomness, and two reference policies in every run. Returns each person's results."""
    generator = np.random.default_rng(0)
    liking = generator.uniform(0.1, 0.5, P)
    popular, random = liking + generator.normal(0, 0.02, P), np.full(P, 0.01)
    found = {"popular": popular, "random": random, "oracle": liking + 1, "ease": liking + 0.05 + generator.normal(0, 0.02, P)}
    for seed in range(3):
        for agent, better in (("sasrec", 0.1), ("gru4rec", 0.0)):
            found[agent, seed] = liking + better + generator.normal(0, 0.02, P) + 0.01 * seed
            add_run(f"{agent}_{seed}", seed, agent, trained=found[agent, seed], popular=popular, random=random, oracle=liking + 1)
    add_run("ease", 0, "ease", trained=found["ease"], popular=popular, random=random)
    return found


def compared(folder, **asked):
    """The title of the comparison, and its rows as `{(agent, policy): cells}`."""
    lines = sweep_markdown(folder, **asked).splitlines()
    (start,) = [place for place, line in enumerate(lines) if line.startswith("## ")]
    rows = [line.strip("| ").split(" | ") for line in lines[start + 4 :] if line.startswith("|")]
    return lines[start][3:], {(row[0], row[1]): row[2:] for row in rows}


def test_every_policy_is_compared_with_the_best_reference_in_its_own_run(sweep, tmp_path):
    title, rows = compared(tmp_path)
    assert title == "ndcg@10: difference to popular"
    assert ("sasrec", "popular") not in rows
    ours = np.stack([sums_of(sweep["sasrec", seed]) for seed in range(3)])
    expected = compare(ours, np.stack([sums_of(sweep["popular"])] * 3))
    seeds, iqm, difference, _, p_seeds, better = rows["sasrec", "trained"]
    assert (seeds, p_seeds, better) == ("3", "0.25", "1")
    assert iqm == f"{np.mean([sweep['sasrec', seed].mean() for seed in range(3)]):.3g}"
    assert difference == f"{expected.difference:.3g} [{expected.low:.3g}, {expected.high:.3g}]"
    assert rows["ease", "trained"][4:] == ["-", "-"], "one seed"


def test_p_values_are_corrected_for_all_rows(sweep, tmp_path):
    _, rows = compared(tmp_path)
    popular = sums_of(sweep["popular"])[None]
    p_values = []
    for agent, policy in rows:
        seeds = range(1 if agent == "ease" else 3)
        own = {"trained": [sweep["ease" if agent == "ease" else (agent, seed)] for seed in seeds], "random": [sweep["random"]]}
        p_values.append(compare(np.stack([sums_of(values) for values in own[policy]]), popular).p)
    assert [policy for _, policy in rows] == ["trained", "random", "trained", "trained"], "a reference once, and no oracle"
    assert [row[3] for row in rows.values()] == [f"{p:.3g}" for p in holm(p_values)]


@pytest.mark.parametrize("name", ["ease", "agent=ease"])
def test_a_trained_policy_without_randomness_is_compared_with_all_seeds_of_the_others(sweep, tmp_path, name):
    title, rows = compared(tmp_path, against=name)
    assert title == "ndcg@10: difference to agent=ease"
    assert ("ease", "trained") not in rows
    ours = np.stack([sums_of(sweep["sasrec", seed]) for seed in range(3)])
    expected = compare(ours, sums_of(sweep["ease"])[None])
    assert rows["sasrec", "trained"][2] == f"{expected.difference:.3g} [{expected.low:.3g}, {expected.high:.3g}]"


def test_policies_with_several_seeds_are_paired_by_seed(sweep, tmp_path):
    _, rows = compared(tmp_path, against="gru4rec")
    pairs = [np.stack([sums_of(sweep[agent, seed]) for seed in range(3)]) for agent in ("sasrec", "gru4rec")]
    expected = compare(*pairs)
    assert rows["sasrec", "trained"][2] == f"{expected.difference:.3g} [{expected.low:.3g}, {expected.high:.3g}]"
    only_seed_0 = compare(sums_of(sweep["ease"])[None], sums_of(sweep["gru4rec", 0])[None])
    assert rows["ease", "trained"][2].startswith(f"{only_seed_0.difference:.3g} ")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"against": "bert4rec"}, "--against bert4rec: no policy has that name.*name one of: agent=ease; popular; random"),
        ({"metric": "ndcg@5"}, "--metric ndcg@5: these runs have ndcg@1, ndcg@10, coverage@10"),
        ({"metric": "coverage@10"}, "coverage and Gini are properties of a set of people"),
    ],
)
def test_what_cannot_be_compared_is_refused(sweep, tmp_path, asked, message):
    with pytest.raises(SweepError, match=message):
        sweep_markdown(tmp_path, **asked)


def test_several_policies_with_the_settings_that_were_named_are_refused(add_run, tmp_path):
    values = np.linspace(0, 1, P)
    for number, agent in enumerate(("dqn", "ppo")):
        add_run(str(number), 0, agent, trained=values)
    with pytest.raises(SweepError, match="no reference policies"):
        sweep_markdown(tmp_path, metric=NDCG)
    with pytest.raises(SweepError, match="several policies"):
        sweep_markdown(tmp_path, against="trained")


def test_a_setting_whose_value_has_commas_can_be_named(add_run, make_run, tmp_path):
    values = np.linspace(0, 1, P)
    for number, reward in enumerate(("[click,diversity]", "[click]")):
        folder = add_run(str(number), 0, "dqn", trained=values * (number + 1))
        (folder / "overrides.yaml").write_text(json.dumps([f"reward={reward}", f"agent={number}", "seed=0"]))
    for against in ("reward=[click,diversity]", "agent=0, reward=[click,diversity]", "reward=[click,diversity],agent=0"):
        assert compared(tmp_path, against=against)[0] == "ndcg@10: difference to reward=[click,diversity], agent=0"


def test_runs_of_other_people_or_without_a_record_are_not_compared(add_run, tmp_path):
    values = np.linspace(0.1, 1, P)
    add_run("0", 0, "a", trained=values, popular=values**2)
    add_run("1", 0, "b", trained=values, popular=values**2, ids=np.arange(P) + 5)
    add_run("2", 0, "c", trained=values, popular=values**2, recorded=False)
    _, rows = compared(tmp_path, against="a")
    assert rows["a", "popular"][2] != "-", "a reference that does not depend on the agent, once"
    assert rows["b", "trained"][2:] == ["-"] * 4
    assert rows["c", "trained"][2:] == ["-"] * 4
    assert "not compared: policies of other people" in sweep_markdown(tmp_path, against="a")


@pytest.mark.parametrize(
    ("setting", "data", "paired"),
    [
        ({"environment.world_seed": 1}, None, False),
        ({"evaluation.seed": 1}, None, False),
        ({"evaluation.people": "train"}, None, False),
        ({}, "users", False),
        ({"environment.num_users": 64}, "encoder", True),
    ],
)
def test_people_of_other_worlds_have_the_same_numbers_and_are_not_paired(add_run, tmp_path, setting, data, paired):
    values = np.linspace(0.1, 1, P)
    one = add_run("0", 0, "a", trained=values)
    other = add_run("1", 0, "b", trained=values**2, config=setting)
    if data:
        (other / "data.json").write_text(json.dumps({data: {"sha256": "0", "rows": 3}}))
        (one / "data.json").write_text("{}")
    found = compare_runs(one, other)
    assert found.is_paired is paired
    assert found.metrics[0].difference == pytest.approx(values.mean() - (values**2).mean())
    if paired:
        assert compared(tmp_path, against="agent=a")[1]["b", "trained"][2] != "-"
    else:
        with pytest.raises(SweepError, match="no other policy of the same people"):
            sweep_markdown(tmp_path, against="agent=a")


def test_new_items_of_a_log_have_columns_and_can_be_compared(make_run, tmp_path):
    generator = np.random.default_rng(1)
    cold, interval = generator.uniform(0, 1, 7), {"mean": 0.5, "low": 0.4, "high": 0.6, "n": P}
    policies = {name: {NDCG: interval, "ndcg@20": interval} for name in ("trained", "popular")}
    of_cold = {name: {NDCG: interval, "hit_rate@10": interval, "map@10": interval} for name in policies}
    group = {"evaluation": {"split": "logged", "people": 7, "queries": 7}, "policies": of_cold}
    for seed in range(2):
        folder = make_run(str(seed), seed, 1.0, policies=policies, ranking={"policies": policies, "groups": {"cold_items": group}})
        table = {
            "trained": ((NDCG,), (cold + 0.1 * (seed + 1))[:, None], np.ones((7, 1))),
            "popular": ((NDCG,), cold[:, None], np.ones((7, 1))),
        }
        write_people(folder, np.arange(P), {"ranking.cold_items": table}, {"ranking.cold_items": np.arange(7)})
    markdown = sweep_markdown(tmp_path, metric="cold_items/ndcg@10")
    assert "| policy | seeds | ndcg@10 | cold_items/hit_rate@10 | cold_items/ndcg@10 |" in markdown
    assert "## cold_items/ndcg@10: difference to popular" in markdown
    assert "| trained | 2 | 0.5 | 0.15 [" in markdown


def test_a_ranking_beside_a_simulation_has_columns_of_its_own(make_run, tmp_path):
    interval = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": P}
    ranking = {"policies": {"trained": {NDCG: interval}, "item_knn": {NDCG: interval}}, "groups": {}}
    make_run("0", 0, 1.0, policies={"trained": {"return": interval}}, ranking=ranking)
    markdown = sweep_markdown(tmp_path)
    assert "| policy | seeds | return | log/ndcg@10 |" in markdown
    assert "| item_knn | 1 | - | 0.5 [0.4, 0.6] |" in markdown


def test_the_terminal_shows_the_same_comparison_in_80_columns(sweep, tmp_path):
    console = Console(file=io.StringIO(), width=80)
    console.print(sweep_table(tmp_path))
    text = console.file.getvalue()
    assert "ndcg@10: difference to popular" in text
    assert "p (Holm)" in text
    assert "ndcg@1 " not in text, "of several k one is shown"
    assert max(map(len, text.splitlines())) <= 80
