"""Choice models: properties for any scores, values computed by hand, and clamping of values out of range."""

from math import exp

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe_plugins.environments.simulation.choice import choice_model
from recframe_plugins.environments.simulation.config import CHOICE_MODELS, ChoiceConfig

SINGLE = [name for name in CHOICE_MODELS if name != "independent"]
UNORDERED = ["independent", "multinomial_logit", "multinomial_proportional"]
CASCADES = ["cascade", "exponential_cascade", "proportional_cascade"]

finite = {"allow_nan": False, "width": 32}
# some scores are below min_normalizer, and some click probabilities of cascades above one: they are clamped
options = st.fixed_dictionaries(
    {
        "no_click_mass": st.floats(-0.5, 3.0, **finite),
        "min_normalizer": st.floats(-3.0, -1.0, **finite),
        "attention_prob": st.floats(0.0, 1.0, **finite),
        "score_scaling": st.floats(0.015625, 0.5, **finite),
    }
)
slates = st.lists(st.floats(-5.0, 5.0, **finite), min_size=1, max_size=6).map(torch.tensor)
every_model = pytest.mark.parametrize("name", CHOICE_MODELS)


def model(name, **given_options):
    return choice_model(ChoiceConfig(choice_model=name, **given_options))


def grid(n, draws, seed=0):
    """`[n, draws]`: each column holds n evenly spaced numbers in (0, 1), in its own random order."""
    order = torch.rand(n, draws, generator=torch.Generator().manual_seed(seed)).argsort(dim=0)
    return (order + 0.5) / n


@every_model
@given(scores=slates, chosen=options)
def test_probabilities_are_between_zero_and_one(name, scores, chosen):
    probabilities = model(name, **chosen).probabilities(scores)
    assert probabilities.shape == scores.shape
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    if name != "independent":
        assert probabilities.sum() <= 1 + 1e-6


@every_model
@given(scores=slates, chosen=options, data=st.data())
def test_raising_a_score_raises_its_clicks_and_never_those_of_others(name, scores, chosen, data):
    place = data.draw(st.integers(0, len(scores) - 1))
    raised = scores.clone()
    raised[place] += data.draw(st.floats(0.125, 3.0, **finite))
    before, after = (model(name, **chosen).probabilities(values) for values in (scores, raised))
    assert after[place] >= before[place] - 1e-6
    others = torch.arange(len(scores)) != place
    assert (after[others] <= before[others] + 1e-6).all()


@every_model
def test_different_scores_in_range_give_different_probabilities(name):
    scores = torch.cat([torch.linspace(-1.0, 1.0, 21)[:, None], torch.zeros(21, 2)], dim=1)
    probabilities = model(name, min_normalizer=-2.0).probabilities(scores)
    assert (probabilities[1:, 0] > probabilities[:-1, 0]).all()


@pytest.mark.parametrize("name", UNORDERED)
@given(scores=slates, chosen=options, data=st.data())
def test_position_does_not_matter_except_in_cascades(name, scores, chosen, data):
    order = torch.tensor(data.draw(st.permutations(range(len(scores)))))
    choice = model(name, **chosen)
    torch.testing.assert_close(choice.probabilities(scores[order]), choice.probabilities(scores)[order])


@pytest.mark.parametrize("name", CASCADES)
@given(scores=slates, chosen=options, data=st.data())
def test_higher_positions_get_more_clicks_in_a_cascade(name, scores, chosen, data):
    place = data.draw(st.integers(0, len(scores) - 1))
    up = scores.clone()
    up[: place + 1] = scores[: place + 1].roll(1)
    choice = model(name, **chosen)
    assert choice.probabilities(up)[0] >= choice.probabilities(scores)[place] - 1e-6


@pytest.mark.parametrize("name", CASCADES)
def test_clicks_on_equal_items_of_a_cascade_decrease_geometrically(name):
    probabilities = model(name).probabilities(torch.full((6,), 0.5))
    first = probabilities[0]
    assert 0 < first < 1
    torch.testing.assert_close(probabilities, first * (1 - first) ** torch.arange(6))


@every_model
@given(scores=slates, chosen=options)
def test_alone_equals_a_slate_of_one_item(name, scores, chosen):
    choice = model(name, **chosen)
    alone = choice.alone(scores.expand(2, -1))
    assert alone.shape == (2, len(scores))
    for score, probability in zip(scores, alone[1], strict=True):
        torch.testing.assert_close(choice.probabilities(score[None])[0], probability)


@given(scores=slates, no_click_mass=st.floats(-3.0, 3.0, **finite))
def test_logistic_models_agree_for_single_items(scores, no_click_mass):
    logistic = torch.sigmoid(scores)
    torch.testing.assert_close(model("independent").alone(scores), logistic)
    torch.testing.assert_close(model("multinomial_logit", no_click_mass=0.0).alone(scores), logistic)
    torch.testing.assert_close(model("cascade", attention_prob=1.0).alone(scores), logistic)
    torch.testing.assert_close(model("multinomial_logit", no_click_mass=no_click_mass).alone(scores), torch.sigmoid(scores - no_click_mass))


@every_model
@given(seed=st.integers(0, 2**40), size=st.integers(1, 7), chosen=options)
def test_at_most_one_item_is_clicked_unless_clicks_are_independent(name, seed, size, chosen):
    generator = torch.Generator().manual_seed(seed)
    choice = model(name, **chosen)
    # including the extremes that a generator can draw
    uniforms = torch.rand(200, choice.num_draws(size), generator=generator)
    uniforms[0], uniforms[1] = 0.0, 1.0 - 2.0**-24
    clicks = choice.clicks(4.0 * torch.randn(200, size, generator=generator), uniforms)
    assert clicks.shape == (200, size)
    assert clicks.dtype == torch.bool
    assert choice.num_draws(size) == (size if name == "independent" else 1)
    if name != "independent":
        assert clicks.sum(dim=1).max() <= 1


def test_independent_clicks_can_be_all_or_none():
    clicks = model("independent").clicks(torch.zeros(4, 2), torch.tensor([[0.4, 0.4], [0.4, 0.6], [0.6, 0.4], [0.6, 0.6]]))
    assert clicks.tolist() == [[True, True], [True, False], [False, True], [False, False]]


@every_model
@pytest.mark.parametrize("scores", [[0.3], [0.9, -0.4, 0.0, 0.6], [-1.0, 2.0, -1.0]], ids=str)
def test_click_frequencies_match_the_probabilities(name, scores):
    n, scores = 20_000, torch.tensor(scores)
    choice = model(name, score_scaling=0.1)
    frequency = choice.clicks(scores.expand(n, -1), grid(n, choice.num_draws(len(scores)))).float().mean(dim=0)
    # with evenly spaced numbers, a frequency deviates only by rounding at both ends of its interval
    assert ((frequency - choice.probabilities(scores)).abs() <= 2.0 / n).all()


# the scores of a slate, and the probabilities by RecSim's formulas with these options
SCORES = [0.5, -1.0, 0.25]
BY_HAND = {
    "multinomial_logit": (
        {"no_click_mass": 1.0},
        [exp(s) / (exp(0.5) + exp(-1.0) + exp(0.25) + exp(1.0)) for s in SCORES],
    ),
    # weights s + 1, and 2 for no click
    "multinomial_proportional": ({"min_normalizer": -1.0, "no_click_mass": 1.0}, [1.5 / 4.75, 0.0, 1.25 / 4.75]),
    "exponential_cascade": (
        {"attention_prob": 0.65, "score_scaling": 0.05},
        [
            0.65 * 0.05 * exp(0.5),
            (1 - 0.65 * 0.05 * exp(0.5)) * 0.65 * 0.05 * exp(-1.0),
            (1 - 0.65 * 0.05 * exp(0.5)) * (1 - 0.65 * 0.05 * exp(-1.0)) * 0.65 * 0.05 * exp(0.25),
        ],
    ),
    # q = 0.8 * 0.2 * (s + 2)
    "proportional_cascade": (
        {"attention_prob": 0.8, "score_scaling": 0.2, "min_normalizer": -2.0},
        [0.4, 0.6 * 0.16, 0.6 * 0.84 * 0.36],
    ),
    "cascade": (
        {"attention_prob": 0.5},
        [
            0.5 / (1 + exp(-0.5)),
            (1 - 0.5 / (1 + exp(-0.5))) * 0.5 / (1 + exp(1.0)),
            (1 - 0.5 / (1 + exp(-0.5))) * (1 - 0.5 / (1 + exp(1.0))) * 0.5 / (1 + exp(-0.25)),
        ],
    ),
    "independent": ({}, [1 / (1 + exp(-s)) for s in SCORES]),
}


@every_model
def test_probabilities_match_values_computed_by_hand(name):
    chosen, expected = BY_HAND[name]
    torch.testing.assert_close(model(name, **chosen).probabilities(torch.tensor(SCORES)), torch.tensor(expected))


def test_score_below_min_normalizer_has_weight_zero():
    proportional = model("multinomial_proportional", min_normalizer=-1.0, no_click_mass=0.0)
    torch.testing.assert_close(proportional.probabilities(torch.tensor([-7.0, 0.0])), torch.tensor([0.0, 0.5]))
    cascade = model("proportional_cascade", min_normalizer=-1.0, score_scaling=0.5, attention_prob=1.0)
    torch.testing.assert_close(cascade.probabilities(torch.tensor([-7.0, 0.0])), torch.tensor([0.0, 0.5]))


@pytest.mark.parametrize("name", ["exponential_cascade", "proportional_cascade"])
@pytest.mark.parametrize("score", [5.0, 1000.0])
def test_attraction_is_clamped_to_one(name, score):
    probabilities = model(name, attention_prob=0.6, score_scaling=0.5).probabilities(torch.tensor([score, score]))
    torch.testing.assert_close(probabilities, torch.tensor([0.6, 0.24]))


def test_softmax_is_stable_for_large_scores():
    probabilities = model("multinomial_logit", no_click_mass=-1000.0).probabilities(torch.tensor([1000.0, 999.0, -1000.0]))
    torch.testing.assert_close(probabilities, torch.tensor([1 / (1 + exp(-1)), exp(-1) / (1 + exp(-1)), 0.0]))


def test_invalid_choice_options_are_refused_in_one_line(make, tiring):
    with pytest.raises(ValueError, match=r"environment.choice_model: there is no choice model 'probit'"):
        choice_model(ChoiceConfig(choice_model="probit"))
    message = r"^environment.no_click_mass \(-1.0\) must be above environment.min_normalizer \(-1.0\)$"
    with pytest.raises(ValueError, match=message):
        make(tiring, choice_model="multinomial_proportional", no_click_mass=-1.0, min_normalizer=-1.0)


@pytest.mark.parametrize("name", SINGLE)
def test_tiring_users_click_at_most_one_item_of_a_slate(make, tiring, name, random_slates):
    environment = make(tiring, num_users=200, slate_size=5, choice_model=name, threshold=0.0, min_normalizer=-4.0, leave_rate=0.0)
    environment.reset(0)
    clicked = torch.stack([environment.step(slate).response.signals["click"].sum(dim=1) for slate in random_slates(environment, 4)])
    assert set(clicked.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", SINGLE)
def test_truth_matches_simulation_under_every_choice_model(make, name, assert_truth):
    options = {"patience_cost": 0.3, "threshold": 0.0, "min_normalizer": -4.0, "score_scaling": 0.1}
    environment = make("topic_world", num_users=10_000, choice_model=name, **options)
    environment.reset(2)
    environment.step(torch.full((10_000, 1), 7))
    click = environment.truth().signals["click"][:, 12]
    user = int((click - 0.5).abs().argmin())
    assert 0.05 < click[user] < 0.95
    assert_truth(environment, 12, user)
