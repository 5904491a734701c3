"""The sentence about the choice of the final weights."""

from recframe.runner.report import selection_sentence

TRAINED = {"return": {"mean": 3.24, "low": 3.0, "high": 3.5, "n": 58}}
SELECTION = {"env_steps": 380_000, "metric": "return", "value": 3.49, "evaluations": 1, "candidates": 20}


def test_the_value_that_chose_the_weights_stands_beside_that_of_the_table():
    assert selection_sentence(SELECTION, TRAINED) == (
        "The weights are those after 380,000 env steps: their return on training people, 3.49, was the best of 20, which flatters it "
        "on average. The table's is 3.24."
    )
    assert "3.49 (the mean of 3 evaluations), was" in selection_sentence({**SELECTION, "evaluations": 3}, TRAINED)


def test_without_a_choice_nothing_is_said():
    for change in ({"value": None}, {"candidates": 1}, {"metric": "novelty"}):
        assert selection_sentence({**SELECTION, **change}, TRAINED) == ""
