"""Off-policy estimates of a run on the feedback of requests with candidates, exclusions and rules of their own."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe import runner
from recframe.building.parts import assemble
from recframe.config import compose_config, validate
from recframe.feedback import RecordedDecision, RecordedFeedback, ShownItem, StoredItem
from recframe.feedback.export import export_log
from recframe.feedback.store import FeedbackStore
from recframe.interfaces import PAD, DataError, Observation, allowed_items
from recframe.runner.off_policy import TIME_HAS_NO_SESSIONS, off_policy_evaluation

ITEMS, CANDIDATES, NOW = 8, 4, 1_760_000_000.5
CHANCES = np.linspace(0.05, 0.75, ITEMS)


class BestFirst:
    """The policy that knows the chances, and shows the best item that it may."""

    reads_whole_history = False

    def rank(self, observation: Observation, k: int) -> torch.Tensor:
        scores = torch.tensor(CHANCES).float().expand(len(observation.user), -1)
        values, items = allowed_items(observation, scores).topk(k, dim=1)
        return items.masked_fill(values.isneginf(), PAD)


def visits(
    number: int, rules: bool, seed: int = 0, silent: bool = False
) -> tuple[list[RecordedDecision], list[RecordedFeedback], list[float]]:
    """Slates of two items, drawn uniformly of what each request allows, and for each place the best chance that there was.

    silent: whether requests that exclude nothing do not say so, and the third visit of each person is the one that excludes something.
    """
    draw = np.random.default_rng(seed)
    decisions, feedback, best = [], [], []
    for visit in range(number):
        may = draw.permutation(ITEMS)[:CANDIDATES] if visit % 2 else np.arange(ITEMS)
        exclude = draw.permutation(ITEMS)[:2] if visit % 3 == (2 if silent else 0) else np.array([], dtype=int)
        candidates = [str(item) for item in may] if visit % 2 else None
        left = np.setdiff1d(may, exclude)
        slate = []
        for place in range(2):
            item = int(draw.choice(left))
            slate.append(ShownItem(str(item), 1 / len(left)))
            best.append(CHANCES[left].max())
            left = left[left != item]
            if draw.random() < CHANCES[item]:
                feedback.append(RecordedFeedback(f"r{visit:05}", str(item), {"click": 1.0}, NOW + 10 * visit + place))
        asked = {"k": 2, "candidates": candidates, "exclude": None if silent and not len(exclude) else [str(item) for item in exclude]}
        asked |= {"must_include": [slate[0].item]} if rules and visit % 5 == 0 else {}
        person = f"p{visit // 3 % 60}"
        decisions.append(RecordedDecision(f"r{visit:05}", NOW + 10 * visit, f"s{visit // 3}", person, "main", "v1", slate, **asked))
    return decisions, feedback, best


def evaluated(url: str, decisions: list[RecordedDecision], feedback: list[RecordedFeedback], *settings: str):
    with FeedbackStore.open(url) as store:
        store.record_items([StoredItem(str(item), f"film {item}", f"film {item}", {}) for item in range(ITEMS)])
        store.record_signals(["click"])
        store.record(decisions, feedback)
    return evaluated_data(["dataset=feedback", f"dataset.url={url}"], *settings)


def evaluated_data(data: list[str], *settings: str):
    fixed = ["encoder=id", "logger=[csv]", "agent=popular", "evaluation.exclude_seen=false", "evaluation.k=[1]", "logs.sequence=user"]
    cfg = validate(compose_config(["experiment=next_item", *data, *fixed, "split.by=time", "split.test_share=0.5", *settings]))
    parts = assemble(cfg)
    return off_policy_evaluation(parts, {"best": BestFirst()}, parts.environment(2, "train").spec)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/feedback.db"


def test_candidates_and_exclusions_are_what_policies_choose_among(url, tmp_path):
    decisions, feedback, best = visits(1_200, rules=False)
    found = evaluated(url, decisions, feedback)
    assert len(found.decisions) == pytest.approx(1_200, abs=2)
    value, weights = found.result.policies["best"]["value"], found.result.diagnostics["best"]
    truth = float(np.mean(best[-len(found.decisions) :]))
    assert value["low"] <= truth <= value["high"]
    assert value["high"] - value["low"] < 0.2
    assert weights["mean_weight"] == pytest.approx(1, abs=3 * weights["mean_weight_error"])
    assert weights["mean_weight_error"] < 0.06
    # the best of all items is not the best of what was allowed
    assert truth < CHANCES.max() - 0.05
    assert found.result.caveats == [TIME_HAS_NO_SESSIONS]
    with FeedbackStore.open(url) as store:
        export_log(store, tmp_path / "log.csv")
    (tmp_path / "items.csv").write_text("id,title\n" + "".join(f"{item},film {item}\n" for item in range(ITEMS)))
    exported = ["dataset=bandit_log", f"dataset.interactions={tmp_path}/log.csv", f"dataset.items={tmp_path}/items.csv"]
    again = evaluated_data(exported)
    assert again.result.diagnostics["best"]["mean_weight"] == pytest.approx(weights["mean_weight"])


def test_decisions_with_rules_are_left_out_and_counted(url):
    decisions, feedback, _ = visits(600, rules=True)
    found = evaluated(url, decisions, feedback, "split.by=sessions", "logs.sequence=session", "split.test_share=0.5")
    left_out = found.result.caveats[0]
    number, of_all = (int(word.replace(",", "")) for word in left_out.split() if word.replace(",", "").isdigit())
    assert left_out.startswith(f"{number:,} of {of_all:,} held-out decisions are left out")
    assert number == of_all - len(found.decisions)
    assert number / of_all == pytest.approx(0.2, abs=0.04)
    # a session of three visits has none with a rule, or is left out
    entry = found.entry()
    sessions = entry["sessions"]["evaluation"]["sessions"]
    assert entry["sessions"]["caveats"][0] == f"{of_all // 6 - sessions:,} sessions are left out, of which a decision is."
    assert len(found.in_sessions) == 6 * sessions
    assert entry["sessions"]["evaluation"]["decisions"] == len(found.in_sessions) < len(found.decisions)


def test_a_log_of_rules_alone_says_nothing(url):
    decisions, feedback, _ = visits(200, rules=False)
    ruled = [RecordedDecision(**{**vars(one), "at_most": {"genre": 1}}) for one in decisions]
    with pytest.raises(DataError, match=r"it is known of none of the \d+ held-out decisions what could have been shown"):
        evaluated(url, ruled, feedback)


@pytest.mark.parametrize("places", [1, 2])
def test_clusters_are_weighed_only_where_each_decision_was_free(url, monkeypatch, places):
    """How often a cluster was shown depends on what is above on the slate, just as on lists."""
    monkeypatch.setattr("recframe.runner.off_policy.CLUSTERS", 3)
    decisions, feedback, _ = visits(200, rules=False)
    free = [replace(one, items=one.items[:places], candidates=None, exclude=[]) for one in decisions]
    shown = {(one.recommendation, shown.item) for one in free for shown in one.items}
    kept = [one for one in feedback if (one.recommendation, one.item) in shown]
    found = evaluated(url, free, kept, "encoder=tfidf")
    assert ("value/mips" in found.result.policies["best"]) == (places == 1)


def test_seen_items_are_left_out_where_the_request_did_not_say_what_to_exclude(url):
    decisions, feedback, _ = visits(360, rules=False, silent=True)
    found = evaluated(url, decisions, feedback, "evaluation.exclude_seen=true")
    clicked, histories, returns = {(one.recommendation, one.item) for one in feedback}, {}, []
    for one in decisions:
        history = histories.setdefault(one.person, [])
        for place, shown in enumerate(one.items):
            above = {item.item for item in one.items[:place]}
            may = set(one.candidates or map(str, range(ITEMS))) - set(one.exclude or ()) - above
            # where everything was seen, something is shown all the same
            may = may if one.exclude is not None else may - set(history) or may
            reward = float((one.recommendation, shown.item) in clicked)
            returns.append(reward * (shown.item == max(may, key=int)) / shown.propensity)
            history.append(shown.item)
    assert 340 < len(found.decisions) < 380
    assert found.result.policies["best"]["value/ips"]["mean"] == pytest.approx(np.mean(returns[-len(found.decisions) :]))


LEFT = {
    "candidates of which all but one were seen": ({"candidates": ["0", "2", "3"]}, "0"),
    "exclusions of its own, which leave one that was seen": ({"exclude": ["0", "1", "3", "4", "5"]}, "2"),
    "both": ({"candidates": ["1", "2", "3"], "exclude": ["1", "3"]}, "2"),
    "candidates alone": ({"candidates": ["4"]}, "4"),
}
"""What the last request of somebody who was shown the items 2 and 3 allows, and the only item that is left."""


def test_all_that_a_run_evaluates_shows_what_the_requests_allow(url, tmp_path):
    """A trained network and the references: where one item is left, each of them shows it."""
    decisions, feedback, draw = [], [], np.random.default_rng(0)
    for person in range(80):
        asked, left = list(LEFT.values())[person % 4]
        others = [str(item) for item in draw.permutation(6)[:2]]
        told = [(["2"], {}), (["3"], {}), ([left], asked)] if person < 40 else [([item], {}) for item in others]
        for turn, (items, more) in enumerate(told):
            name, time = f"{person}-{turn}", NOW + 100 * turn + person
            slate = [ShownItem(item, 1.0 if more else 0.5) for item in items]
            decisions.append(RecordedDecision(name, time, f"s{person}", f"p{person}", "main", "v1", slate, **{"k": 1, **more}))
            feedback.append(RecordedFeedback(name, items[0], {"click": 1.0}, time))
    with FeedbackStore.open(url) as store:
        store.record_items([StoredItem(str(item), f"film {item}", f"film {item}", {}) for item in range(6)])
        store.record_signals(["click"])
        store.record(decisions, feedback)
    data = ["dataset=feedback", f"dataset.url={url}", "encoder=tfidf", "logger=[csv]", "logs.sequence=user", "split.by=last"]
    small = ["debug=smoke", "agent=dqn", "agent.batch_size=16", "logged.batches=2", "logged.evaluate_every=2", "evaluation.k=[1]"]
    cfg = compose_config(["experiment=next_item", *data, *small, "logged.monitor=hit_rate@1", "evaluation.exclude_seen=true"])
    runner.run(cfg, tmp_path / "run")
    found = json.loads((tmp_path / "run" / "result.json").read_text())["off_policy"]
    weights = {name: one["mean_weight"] for name, one in found["diagnostics"].items()}
    assert {"trained", "random", "popular", "item_knn", "ease", "content_cosine"} <= weights.keys()
    assert found["evaluation"]["decisions"] == 40
    assert weights == pytest.approx(dict.fromkeys(weights, 1.0))
