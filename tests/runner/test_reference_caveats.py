"""What is said above the table of a fixed slate that is worse than policies that know as little of a person."""

import numpy as np
import pytest
import torch

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.evaluation.people import People, PersonSums
from recframe.evaluation.results import Evaluation, metrics_of
from recframe.evaluation.statistics import ratio_intervals
from recframe.references.fitting import reference_policies
from recframe.references.fixed_slate import FixedSlatePolicy
from recframe.runner.final_evaluation import result_entries, simulated_evaluation
from recframe.runner.reference_caveats import lists_worse_than_others
from recframe.runner.reference_results import reference_results
from recframe.runner.report import report_markdown

PEOPLE = 200
GENERATOR = np.random.default_rng(0)
RETURNS = GENERATOR.normal(3.0, 1.0, PEOPLE)


def evaluation(**returns):
    """The evaluation of policies with these returns of each person, in one session."""
    sums = {name: PersonSums(("return",), values[:, None], np.ones((PEOPLE, 1))) for name, values in returns.items()}
    metrics = {
        name: metrics_of({"return": ratio_intervals(one.numerators, one.denominators, seed=1, resamples=100)[0]})
        for name, one in sums.items()
    }
    return Evaluation(metrics, People.of_sessions(np.arange(PEOPLE)), sums)


def test_what_a_paired_interval_tells_apart_is_said_with_the_interval():
    """Each person likes both alike: the intervals of the two overlap, that of their difference does not reach zero."""
    better = RETURNS + 0.1 + GENERATOR.normal(0, 0.1, PEOPLE)
    (sentence,) = lists_worse_than_others(evaluation(random=RETURNS - 1, popular=better, fixed_slate=RETURNS))
    assert f"it returns {RETURNS.mean():.4g}, and popular returns {better.mean():.4g}" in sentence
    assert "paired difference: 0.0" in sentence
    assert "tell" not in sentence


def test_what_it_does_not_tell_apart_is_said_too():
    other = RETURNS + GENERATOR.permutation(np.repeat([-1.0, 1.02], PEOPLE // 2))
    (sentence,) = lists_worse_than_others(evaluation(random=other, popular=RETURNS - 1, fixed_slate=RETURNS))
    assert "and random returns" in sentence
    assert sentence.endswith(", which does not tell them apart).")


def test_nothing_is_said_of_a_list_that_is_as_good_or_of_a_table_without_one():
    assert lists_worse_than_others(evaluation(random=RETURNS, popular=RETURNS - 1, fixed_slate=RETURNS)) == []
    assert lists_worse_than_others(evaluation(random=RETURNS)) == []


def test_a_list_below_random_is_said_above_the_table_and_in_the_files_of_a_run(monkeypatch, tmp_path):
    overrides = ["encoder=tfidf", "encoder.dim=4", "logger=null", "debug=smoke", "dataset.num_items=60", "agent=random", "reuse=true"]
    parts = assemble(compose_config([*overrides, f"embeddings.cache={tmp_path}"]))

    def bad_search(environment, *_):
        worst = parts.data.catalog.popularity.argmin()[None]
        return FixedSlatePolicy(environment.spec, worst, torch.zeros(60))

    monkeypatch.setattr(reference_policies, "best_fixed_slate", bad_search)
    agent = parts.agent(parts.environment(2, "train"))
    final = simulated_evaluation(parts, agent)
    entries = result_entries(parts, final, ["of the world"])
    first, *others = entries["caveats"]
    assert first == "of the world"
    in_training = [
        one for one in others if one.startswith("fixed_slate is not the best that") and "training people, and random returns" in one
    ]
    in_table = [one for one in others if one.startswith("fixed_slate is not the best in the table") and "and random returns" in one]
    assert len(in_training) == len(in_table) == 1
    assert f"it returns {final.main.policies['fixed_slate']['return']['mean']:.4g}," in in_table[0]
    assert f"**Note: {in_table[0]}**" in report_markdown(entries, (), {}, ())
    # another run takes the results from the first, with the sentences
    monkeypatch.setattr(reference_policies, "best_fixed_slate", pytest.fail)
    assert set(reference_results(parts).warnings) == set(others)
