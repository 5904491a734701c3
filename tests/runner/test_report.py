"""The sentence about the choice of the final weights."""

from recframe.runner.report import selection_sentence


def mean(value):
    return {"mean": value, "low": value - 0.2, "high": value + 0.2, "n": 58}


SELECTION = {"env_steps": 380_000, "metric": "return", "value": 3.49, "evaluations": 1, "candidates": 20}
RESULT = {"policies": {"trained": {"return": mean(3.24)}}, "selection": SELECTION}
ON_LOG = {"batches": 400, "metric": "ndcg@10", "value": 0.31, "evaluations": 1, "candidates": 4}
RANKING = {"policies": {"trained": {"ndcg@10": mean(0.284)}}}


def test_the_value_that_chose_the_weights_stands_beside_that_of_the_table():
    assert selection_sentence(RESULT) == (
        "The weights are those after 380,000 env steps: their return on training people, 3.49, was the best of 20, which flatters it "
        "on average. The table's is 3.24."
    )
    assert "3.49 (the mean of 3 evaluations), was" in selection_sentence({**RESULT, "selection": {**SELECTION, "evaluations": 3}})


def test_weights_that_were_chosen_on_a_log_are_compared_on_the_log():
    """With a simulator, the main table is about its sessions, and another one about rankings."""
    simulated = {**RESULT, "selection": ON_LOG, "ranking": RANKING}
    assert selection_sentence(simulated) == (
        "The weights are those after 400 batches: their ndcg@10 on the validation part, 0.31, was the best of 4, which flatters it on "
        "average. The table's on the log is 0.284."
    )
    assert "The table's is 0.284." in selection_sentence({**simulated, "policies": RANKING["policies"]})


def test_weights_that_were_chosen_in_a_simulator_are_compared_there_though_the_run_has_a_log():
    assert "The table's is 3.24." in selection_sentence({**RESULT, "ranking": RANKING})


def test_without_a_choice_nothing_is_said():
    for change in ({"value": None}, {"candidates": 1}, {"metric": "novelty"}):
        assert selection_sentence({**RESULT, "selection": {**SELECTION, **change}}) == ""
    assert selection_sentence({"policies": RESULT["policies"]}) == ""
