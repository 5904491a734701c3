"""Dynamics of sessions: the truth about clicks and leaving, boredom, patience, the end of a session and new users."""

import pytest
import torch

from recframe.interfaces import PAD


@pytest.mark.parametrize("item", [0, 7, 23])
def test_truth_matches_the_mean_over_many_copies_of_a_user(make, tiring, item, assert_truth):
    n = 20_000
    # high cost of no click and easy clicks, so that leaving depends clearly on clicking
    environment = make(tiring, num_users=n, patience_cost=0.3, patience_recovery=0.3, threshold=0.0, rating_noise=0.8)
    environment.reset(2)
    # the item was shown before, at an increasing distance, so that the truth includes boredom and repetition
    for shown in (item, 12, 7):
        environment.step(torch.full((n, 1), shown))
    truth = environment.truth()
    undecided = (truth.signals["click"][:, item] - 0.5).abs() + (environment.state["steps"] < 3).float()
    user = int(undecided.argmin())
    assert 0.05 < truth.signals["click"][user, item] < 0.95
    assert truth.leave[user, item] > 0.0
    assert_truth(environment, item, user)


@pytest.mark.parametrize("slate_size", [1, 3])
def test_patience_follows_its_equation(make, tiring, slate_size, random_slates):
    options = {"patience_cost": 0.07, "patience_recovery": 0.11, "patience_boredom_cost": 0.2, "leave_rate": 0.0, "boredom_memory": 0.5}
    environment = make(tiring, num_users=50, slate_size=slate_size, **options)
    environment.reset(0)
    patience, exposure = torch.ones(50), torch.zeros(50, environment.item_vectors.shape[1])
    for slate in random_slates(environment, 8):
        clicked = environment.step(slate).response.signals["click"].mean(dim=1)
        vectors = environment.item_vectors[slate]
        boredom = (vectors * exposure[:, None, :]).sum(dim=-1).clamp(min=0).mean(dim=1)
        patience = (patience + 0.11 * clicked - 0.07 * (1 - clicked) - 0.2 * boredom).clamp(0, 1)
        exposure = 0.5 * exposure + 0.5 * vectors.mean(dim=1)
        torch.testing.assert_close(environment.state["patience"], patience)
    assert 0.0 < patience.mean() < 1.0


@pytest.mark.parametrize(("threshold", "patience"), [(60.0, 0.7), (-60.0, 1.0)], ids=["disappointed", "pleased"])
def test_leaving_probability_is_quadratic_in_lost_patience(make, tiring, threshold, patience):
    environment = make(tiring, threshold=threshold, patience_cost=0.3, patience_recovery=0.1, leave_rate=0.4)
    environment.reset(0)
    torch.testing.assert_close(environment.truth().leave, torch.full((16, 40), 0.4 * (1 - patience) ** 2))


def test_truth_of_a_recently_shown_item_is_lower_until_it_leaves_the_window(make, tiring):
    environment = make(tiring, boredom_weight=0.0, repeat_window=3, leave_rate=0.0, **({"drift": 0.0} if tiring == "topic_world" else {}))
    environment.reset(0)
    fresh = environment.truth().signals["click"][:, 4]
    environment.step(torch.full((16, 1), 4))
    for other in (10, 11):
        environment.step(torch.full((16, 1), other))
        assert (environment.truth().signals["click"][:, 4] < fresh).all()
    environment.step(torch.full((16, 1), 12))
    torch.testing.assert_close(environment.truth().signals["click"][:, 4], fresh)


def test_second_copy_of_an_item_in_a_slate_is_a_repetition(make, tiring):
    n = 4000
    twice = make(tiring, num_users=n, slate_size=2, repeat_penalty=4.0)
    twice.reset(0)
    clicks = twice.step(torch.full((n, 2), 3)).response.signals["click"].mean(dim=0)
    assert clicks[1] < 0.3 * clicks[0]


def test_repeating_one_item_loses_clicks_and_users(make, tiring):
    n, steps = 1000, 20

    def clicks_and_length(slates):
        environment = make(tiring, num_users=n)
        environment.reset(0)
        alive, length, clicks = torch.ones(n), torch.zeros(n), []
        for slate in slates:
            step = environment.step(slate)
            clicks.append((alive * step.response.signals["click"].squeeze(1)).sum() / alive.sum())
            length += alive
            alive *= ~step.terminated
        return clicks, length.mean()

    constant, constant_length = clicks_and_length([torch.zeros(n, 1, dtype=torch.int64)] * steps)
    varied, varied_length = clicks_and_length([torch.full((n, 1), item) for item in range(steps)])
    assert sum(constant[4:]) < 0.3 * len(constant[4:]) * constant[0]
    assert sum(varied[4:]) > 2 * sum(constant[4:])
    assert constant_length < 0.85 * varied_length


def test_leaving_terminates_and_the_time_limit_truncates_but_never_both(make, tiring, random_slates):
    environment = make(tiring, num_users=400, max_steps=12)
    environment.reset(0)
    length, seen = torch.zeros(400, dtype=torch.int64), set()
    for slate in random_slates(environment, 40):
        step = environment.step(slate)
        length += 1
        assert torch.equal(step.response.leave, step.terminated)
        assert not (step.terminated & step.truncated).any()
        assert (length[step.truncated] == 12).all()
        assert (length <= 12).all()
        seen |= {"terminated"} if step.terminated.any() else set()
        seen |= {"truncated"} if step.truncated.any() else set()
        length = torch.where(step.terminated | step.truncated, 0, length)
    assert seen == {"terminated", "truncated"}


def test_users_stay_with_a_leave_rate_of_zero(make, tiring, random_slates):
    environment = make(tiring, num_users=200, leave_rate=0.0, max_steps=50)
    environment.reset(0)
    assert not any(environment.step(slate).terminated.any() for slate in random_slates(environment, 30))


def test_finished_users_are_fully_replaced_and_their_last_observation_is_kept(make, tiring, random_slates):
    environment = make(tiring, num_users=300, max_steps=4, slate_size=2)
    environment.reset(0)
    for slate in random_slates(environment, 10):
        users_before = environment.state["user"]
        step = environment.step(slate)
        finished = step.terminated | step.truncated
        assert torch.equal(step.next_observation.history_items[:, -2:], slate)
        assert torch.equal(step.next_observation.user, users_before)
        assert (step.observation.history_items[finished] == PAD).all()
        assert (step.observation.history_feedback[finished] == 0).all()
        assert torch.equal(step.observation.history_items[~finished], step.next_observation.history_items[~finished])
        state = environment.state
        assert (state["steps"][finished] == 0).all()
        assert (state["patience"][finished] == 1).all()
        assert (state["exposure"][finished] == 0).all()
        assert (state["recent"][finished] == PAD).all()
        assert (state["steps"][~finished] > 0).all()
    assert finished.any()
