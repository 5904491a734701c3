"""The report card of language users, on models of known quality: one that knows, a coin, one with a yes-bias, a position bias."""

import pytest
import torch

from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions, Ratings, fit_ratings
from tests.scripted_chat import AGREEABLE, HASTY, KNOWING, TOSSING, coin, slate_of, topic_of

SIZES = {"card_people": 40, "card_ratings": 4}


@pytest.fixture
def card(make, endpoint, tmp_path_factory):
    """`card(answer, slate_size=2)`: the report and the caveats of a model."""

    def measure(answer, **options):
        endpoint.answer = answer
        # another model has answers of its own
        environment = make(llm={"cache": str(tmp_path_factory.mktemp("answers"))}, **(SIZES | options))
        return environment.report(), environment.caveats()

    return measure


def test_the_card_tells_a_model_that_knows_from_a_coin(card):
    knows, praise = card(KNOWING)
    assert knows["user_model/num_ratings"] == 160.0
    assert knows["user_model/num_people"] == 40.0
    for signal in ("click", "rating"):
        assert knows[f"user_model/auc_{signal}"] == 1.0
        assert knows[f"user_model/auc_{signal}_gain_low"] > 0.2
    assert knows["user_model/calibration_error"] == 0.0
    assert knows["user_model/yes_bias"] == 0.0
    assert praise == ()
    assert knows["user_model/auc_item_mean_low"] < 0.5 < knows["user_model/auc_item_mean_high"]


def test_a_coin_says_so_before_anything_is_trained_on_it(card):
    tosses, blame = card(TOSSING)
    assert tosses["user_model/auc_click_low"] < 0.5 < tosses["user_model/auc_click_high"]
    chance = [line for line in blame if "not told from chance" in line]
    assert [line.split(" of the language model")[0] for line in chance] == ["clicks", "ratings"]
    assert "on 160 held-out ratings of 40 people; the mean rating of an item has 0." in chance[0]


def test_a_yes_bias_is_found_where_it_was_planted(card):
    agrees, blame = card(AGREEABLE)
    assert agrees["user_model/yes_bias_low"] > 0.15
    assert agrees["user_model/yes_bias"] == pytest.approx(0.4, abs=0.15)  # half of the four fifths that are not liked
    assert agrees["user_model/auc_click_low"] > 0.5
    (line,) = [line for line in blame if "yes bias" in line]
    assert line.startswith("the language model likes more than people do: ")


def test_a_position_bias_is_found_where_it_was_planted_and_nowhere_else(card):
    hasty, blame = card(HASTY, slate_size=2)
    # what is not liked, four fifths, is clicked if it stands first
    assert hasty["user_model/position_bias"] == pytest.approx(0.8, abs=0.08)
    assert hasty["user_model/position_bias_low"] > 0.7
    assert any("clicks more on what stands first in a slate" in line for line in blame)
    fair, praise = card(AGREEABLE, slate_size=2)
    assert fair["user_model/position_bias"] == fair["user_model/position_bias_low"] == fair["user_model/position_bias_high"] == 0.0
    assert not any("stands" in line for line in praise)
    assert "user_model/position_bias" not in card(HASTY)[0]


def test_scores_do_not_depend_on_the_order_in_which_a_slate_is_asked(card):
    assert card(HASTY, slate_size=2)[0]["user_model/auc_click"] > 0.9
    assert card(KNOWING, slate_size=3)[0]["user_model/auc_click"] == 1.0


def test_a_model_with_probabilities_is_calibrated_where_its_words_are(card, make, endpoint):
    def words(question):
        liked = topic_of(question) in slate_of(question)[0].lower()
        return "Great." if liked else "weak, I am afraid"

    knows, praise = card(words, asking="probabilities")
    assert knows["user_model/auc_click"] == 1.0
    assert praise == ()
    mumbles, blame = card(lambda question: "well", asking="probabilities")
    assert mumbles["user_model/unusable_answers"] == 1.0
    assert any("100% of the answers about held-out ratings could not be used" in line for line in blame)


def test_personas_of_the_card_do_not_know_what_is_asked(card, endpoint, toy):
    data = toy._replace(users=None)
    card(lambda question: "?", data=data, persona_items=20)
    assert len(endpoint.questions) == 160
    for question in endpoint.questions:
        persona, shown = question.splitlines()[0], slate_of(question)[0].partition(":")[0]
        assert f"{shown} (" not in persona
        assert "High" in persona or "Low" in persona


def test_answers_that_cannot_be_used_are_part_of_the_card(card):
    broken, blame = card(lambda question: KNOWING(question) if coin(question) else "?")
    assert broken["user_model/unusable_answers"] == pytest.approx(0.5, abs=0.1)
    assert 0.3 < broken["user_model/unusable_answers_low"] < 0.5 < broken["user_model/unusable_answers_high"] < 0.7
    assert broken["user_model/calibration_error_low"] < broken["user_model/calibration_error"]
    assert any(line.endswith("such a person clicks nothing, rates at 2.17 and stays") for line in blame)


def test_the_matrix_factorization_beside_it_is_fitted_without_what_is_asked(make, endpoint, toy):
    from recframe_plugins.environments.language_users.report_card import ratings_for_card

    environment = make(**SIZES)
    asked = ratings_for_card(environment.config, toy, environment._everybody, environment.scale)
    known = Ratings(*(torch.tensor(asked.known[name].to_numpy()) for name in ("user", "item", "rating")))
    model = fit_ratings(known, len(toy.users), 40, FitOptions(8, 10.0, 2.0, 15, 0))
    predicted = model.predict(asked.people.repeat_interleave(4), asked.items.flatten())
    liked = (asked.ratings >= environment.scale.like_from).flatten()
    pairs = predicted[liked][:, None] - predicted[~liked][None, :]
    expected = ((pairs > 0).double() + 0.5 * (pairs == 0)).mean().item()
    assert environment.report()["user_model/auc_matrix_factorization"] == pytest.approx(expected)


def test_without_ratings_of_these_people_the_caveat_says_that_nothing_was_measured(make, toy, tmp_path):
    (line,) = make(card_people=0).caveats()
    assert line == "how well the language model knows these people was not measured: environment.card_people is 0"
    (line,) = make(data=toy._replace(interactions=None)).caveats()
    assert line.endswith("the data has too few real ratings of these people")
    path = tmp_path / "people.jsonl"
    path.write_text('{"persona": "likes jazz."}\n{"persona": "likes space."}')
    assert make(personas=str(path)).report() == {}


def test_the_card_is_asked_once_and_costs_nothing_again(make, endpoint):
    first = make(**SIZES)
    report = first.report()
    asked = len(endpoint.questions)
    assert asked == 160
    first.caveats()
    assert make(**SIZES).report() == report
    assert len(endpoint.questions) == asked
