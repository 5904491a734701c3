"""Report cards: which ratings are held out, and that AUC, yes-bias and calibration are what they are said to be, by person."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.interfaces import Interactions
from recframe.report_cards import PeopleBootstrap, agreement, calibration_error, card_ratings, chance_verdicts, pair_counts, rating_scale


def brute_force_auc(people, scores, liked, within):
    won = count = 0.0
    for i in np.flatnonzero(liked):
        for j in np.flatnonzero(~liked):
            if not within or people[i] == people[j]:
                won += (scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j])
                count += 1
    return won / count if count else float("nan")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans()), min_size=2, max_size=25))
def test_auc_is_that_of_all_pairs_and_within_that_of_pairs_of_one_person(rows):
    people, scores, liked = (np.array(column) for column in zip(*rows, strict=True))
    people = np.unique(people, return_inverse=True)[1]
    bootstrap = PeopleBootstrap(int(people.max()) + 1, resamples=20)
    counts = pair_counts(people, scores.astype(float), liked)
    for within, found in ((False, counts.auc(bootstrap)), (True, counts.auc_within(bootstrap))):
        assert found.value == pytest.approx(brute_force_auc(people, scores, liked, within), nan_ok=True)


def test_a_resample_counts_the_ratings_of_a_person_as_often_as_it_has_the_person():
    generator = np.random.default_rng(0)
    people, scores, liked = generator.integers(5, size=60), generator.random(60), generator.random(60) < 0.5
    bootstrap = PeopleBootstrap(5, resamples=30)
    counts = pair_counts(people, scores, liked)
    resampled = []
    for weights in bootstrap.weights:
        rows = np.concatenate([np.repeat(np.flatnonzero(people == person), 1) for person in np.repeat(np.arange(5), weights.astype(int))])
        resampled.append(brute_force_auc(people[rows], scores[rows], liked[rows], within=False))
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    assert counts.auc(bootstrap)[1:] == pytest.approx((low, high))


def log_of(rows):
    schema = {"user": pl.Int64, "item": pl.Int64, "timestamp": pl.Int64, "rating": pl.Float32}
    return Interactions(pl.DataFrame(rows, schema=schema, orient="row"), ("rating",))


def test_what_is_asked_is_not_known_and_of_several_ratings_of_an_item_the_last_counts():
    rows = [(user, item, 10 * item, float(1 + (user + item) % 5)) for user in range(6) for item in range(8)]
    rows += [(0, item, 1_000 + item, 0.5) for item in range(8)]
    asked = card_ratings(log_of(rows), "rating", num_people=10, per_person=3, seed=1)
    assert asked.people.tolist() == list(range(6))
    assert asked.items.shape == (6, 3)
    assert (asked.ratings[0] == 0.5).all()
    for person, items in zip(asked.people.tolist(), asked.items.tolist(), strict=True):
        assert len(set(items)) == 3
        known = asked.known.filter(pl.col("user") == person)["item"].to_list()
        assert not set(known) & set(items)
        assert set(known) | set(items) == set(range(8))


def test_the_draw_depends_on_the_ratings_and_not_on_the_order_of_the_log():
    rows = [(user, item, item, float(item % 3)) for user in range(9) for item in range(7)]
    one, other = (card_ratings(log_of(order), "rating", 4, 2, seed=3) for order in (rows, rows[::-1]))
    assert torch.equal(one.people, other.people)
    assert torch.equal(one.items, other.items)
    assert not torch.equal(one.people, card_ratings(log_of(rows), "rating", 4, 2, seed=4).people)


def test_people_with_too_few_ratings_are_not_asked_about():
    rows = [(0, item, item, 1.0) for item in range(3)] + [(1, item, item, 2.0) for item in range(4)]
    assert card_ratings(log_of(rows), "rating", 5, 2, seed=0).people.tolist() == [1]
    assert card_ratings(log_of(rows), "rating", 5, 3, seed=0) is None
    assert card_ratings(log_of(rows), "rating", 5, 2, seed=0, among=torch.tensor([0])) is None


def test_the_item_mean_is_of_known_ratings_drawn_towards_the_mean_of_all():
    rows = [(user, item, item, float(item)) for user in range(4) for item in range(6)]
    asked = card_ratings(log_of(rows), "rating", 4, 2, seed=0)
    known = asked.known
    overall = known["rating"].mean()
    means = asked.item_means("rating", 7, strength=2.0)
    for item in range(6):
        theirs = known.filter(pl.col("item") == item)["rating"].to_list()
        assert means[item].item() == pytest.approx((sum(theirs) + 2.0 * overall) / (len(theirs) + 2.0))
    assert means[6].item() == pytest.approx(overall)


def people_and_likes(num_people=60, per_person=8, seed=3):
    generator = torch.Generator().manual_seed(seed)
    people = torch.arange(num_people)[:, None].expand(num_people, per_person)
    taste = torch.rand(num_people, per_person, generator=generator)
    liked = torch.rand(num_people, per_person, generator=generator) < taste
    return people, taste, liked, torch.rand(num_people, per_person, generator=generator)


def card_of(people, liked, score, probability=None):
    means = {"item_mean": torch.rand(liked.shape, generator=torch.Generator().manual_seed(9))}
    return agreement(people, liked, {"click": score}, means, score if probability is None else probability, torch.zeros(liked.shape), "m/")


def test_a_score_that_knows_is_told_from_a_coin():
    people, taste, liked, coin = people_and_likes()
    knows, tosses = card_of(people, liked, taste), card_of(people, liked, coin)
    assert knows["m/auc_click_low"] > 0.7
    assert knows["m/auc_click_gain_low"] > 0.1
    assert tosses["m/auc_click_low"] < 0.5 < tosses["m/auc_click_high"]
    names = {"click": "clicks"}
    assert list(chance_verdicts(knows, names, "m/")) == []
    (verdict,) = chance_verdicts(tosses, names, "m/")
    assert verdict.startswith("clicks are not told from chance (AUC 0.")
    assert "480 held-out ratings of 60 people" in verdict
    (verdict,) = chance_verdicts(card_of(people, liked, -taste), names, "m/")
    assert verdict.startswith("clicks are worse than chance")


def test_calibration_and_unusable_answers_have_intervals_over_people():
    people, taste, liked, _ = people_and_likes(per_person=5)
    unusable = (torch.arange(60) % 3 == 0).float()[:, None].expand(60, 5)
    said = (taste * 0.8 + 0.2).double()
    card = agreement(people, liked, {"click": taste}, {"item_mean": taste}, said, unusable, "m/")
    order = said.flatten().argsort().numpy()
    errors, shares = [], []
    tenth = np.empty(300, dtype=int)
    tenth[order] = np.repeat(np.arange(10), 30)
    gaps, whose = (said - liked.double()).flatten().numpy(), people.flatten().numpy()
    for weights in PeopleBootstrap(60).weights:
        sums = [sum(weights[whose[row]] * gaps[row] for row in np.flatnonzero(tenth == number)) for number in range(10)]
        errors.append(np.abs(sums).sum() / 300)
        shares.append(weights[::3].sum() / 60)
        if len(errors) == 300:
            break
    assert card["m/unusable_answers"] == pytest.approx(1 / 3)
    assert card["m/calibration_error"] == pytest.approx(calibration_error(said.flatten(), liked.double().flatten()))
    for name, values in (("calibration_error", errors), ("unusable_answers", shares)):
        expected = np.quantile(values, [0.025, 0.975])
        assert (card[f"m/{name}_low"], card[f"m/{name}_high"]) == pytest.approx(expected, abs=0.1 * (expected[1] - expected[0]) + 0.01)


def test_a_score_that_is_the_item_mean_is_said_to_know_no_more():
    people, taste, liked, _ = people_and_likes()
    card = agreement(people, liked, {"click": taste}, {"item_mean": taste}, taste, torch.zeros(liked.shape), "m/")
    assert card["m/auc_click_gain"] == 0.0
    (verdict,) = chance_verdicts(card, {"click": "clicks"}, "m/")
    assert verdict.startswith("clicks know no more of these people than the mean rating of an item")


def test_who_is_easy_to_please_tells_nothing_within_a_person():
    generator = torch.Generator().manual_seed(0)
    easy = torch.rand(50, 1, generator=generator).expand(50, 8)
    liked = torch.rand(50, 8, generator=generator) < easy
    card = card_of(torch.arange(50)[:, None].expand(50, 8), liked, easy)
    assert card["m/auc_click_low"] > 0.7
    assert card["m/auc_within_click"] == 0.5


def test_yes_bias_is_the_share_said_less_the_share_liked():
    people, taste, liked, _ = people_and_likes()
    card = card_of(people, liked, taste, (taste + 0.3).clamp(max=1.0))
    assert card["m/yes_bias"] == pytest.approx(card["m/share_said"] - card["m/share_liked"])
    assert card["m/yes_bias_low"] > 0.1
    assert card["m/share_liked"] == pytest.approx(liked.double().mean().item())
    fair = card_of(people, liked, taste)
    assert fair["m/yes_bias_low"] < 0.0 < fair["m/yes_bias_high"]
    assert card["m/calibration_error"] > fair["m/calibration_error"] + 0.1


def test_ratings_of_one_person_do_not_make_intervals_narrower():
    people, taste, liked, _ = people_and_likes(num_people=12, per_person=5)
    once = card_of(people, liked, taste)
    # each person's ratings ten times: no new person
    often = card_of(people.repeat(1, 10), liked.repeat(1, 10), taste.repeat(1, 10))
    width = [card["m/yes_bias_high"] - card["m/yes_bias_low"] for card in (once, often)]
    assert width[0] == pytest.approx(width[1])


@pytest.mark.parametrize(
    ("values", "levels"),
    [([1, 2, 5], (1, 2, 5)), ([x / 10 for x in range(41)], (0, 1, 2, 3, 4)), ([3, 3], None), ([float("nan"), 1, 2], (1, 2))],
)
def test_the_scale_is_that_of_the_log(values, levels):
    scale = rating_scale(log_of([(0, item, 0, value) for item, value in enumerate(values)]), "rating", None)
    assert (scale if scale is None else scale.levels) == levels
    if scale is not None:
        assert scale.like_from == scale.mean == pytest.approx(np.nanmean(values))
