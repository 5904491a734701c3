"""Actions: the meaning of action numbers, masks, and messages for invalid actions."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from recframe.gym import make_vec
from recframe.gym.actions import next_allowed


def test_action_is_an_item_number(toy):
    env = toy(num_users=3)
    env.reset(seed=0)
    assert env.single_action_space == spaces.Discrete(12)
    assert env.step(np.array([4, 0, 11]))[-1]["slate"].tolist() == [[4], [0], [11]]


def test_slate_action_is_its_items_which_may_repeat(toy):
    env = toy(num_users=2, slate_size=3)
    env.reset(seed=0)
    assert env.single_action_space == spaces.MultiDiscrete([12, 12, 12])
    assert env.step(np.array([[4, 0, 11], [5, 5, 5]]))[-1]["slate"].tolist() == [[4, 0, 11], [5, 5, 5]]


def test_action_is_a_position_in_the_candidates(toy):
    env = toy(num_users=2, num_candidates=4)
    env.reset(seed=0)
    assert env.single_action_space == spaces.Discrete(4)
    for _ in range(5):
        candidates = env.simulation.environment.candidates.clone()
        step = env.simulation.step(np.array([1, 2]))
        assert step.infos["slate"].tolist() == [[candidates[0, 1]], [candidates[1, 2]]]


@pytest.mark.parametrize("shape", [{"num_excluded": 6}, {"num_candidates": 5, "num_excluded": 4, "slate_size": 2}, {"num_candidates": 4}])
def test_only_items_allowed_by_the_masks_are_shown(toy, shape):
    env = toy(num_users=30, **shape)
    env.reset(seed=1)
    inner, slate_size = env.simulation.environment, shape.get("slate_size", 1)
    forbidden = 0
    for _ in range(4):
        excluded = [[]] * 30 if inner.excluded is None else inner.excluded.tolist()
        choices = [list(range(12))] * 30 if inner.candidates is None else inner.candidates.tolist()
        expected = [[item >= 0 and item not in out for item in items] * slate_size for items, out in zip(choices, excluded, strict=True)]
        masks = env.action_masks()
        assert masks.tolist() == expected
        forbidden += (~masks).sum()
        actions = env.action_space.sample()
        slates = env.simulation.step(actions).infos["slate"]
        for user, slate in enumerate(slates):
            taken = np.atleast_1d(actions[user])
            for item, action in zip(slate, taken, strict=True):
                assert item in choices[user]
                assert item >= 0
                assert item not in excluded[user]
                if masks[user, action] and len(set(taken)) == len(taken):
                    assert slate_size > 1 or item == choices[user][action]
            assert len(set(slate.tolist())) == slate_size or not shape.get("num_excluded")
    assert forbidden > 0


def test_masks_are_all_true_if_everything_is_allowed(toy):
    env = toy(num_users=2, slate_size=2)
    env.reset(seed=0)
    assert env.action_masks().tolist() == [[True] * 24] * 2


@given(st.data())
def test_disallowed_choice_is_replaced_by_the_next_allowed_one(data):
    count = data.draw(st.integers(1, 9))
    rows = data.draw(st.lists(st.lists(st.booleans(), min_size=count, max_size=count), min_size=1, max_size=4))
    choices = [[data.draw(st.integers(0, count - 1)) for _ in range(2)] for _ in rows]

    def expected(row, choice):
        return next((n % count for n in range(choice, choice + count) if row[n % count]), choice)

    found = next_allowed(torch.tensor(rows), torch.tensor(choices))
    assert found.tolist() == [[expected(row, choice) for choice in pair] for row, pair in zip(rows, choices, strict=True)]


def test_continuous_actions_are_a_box_and_passed_on_unchanged(target):
    env = target(num_users=2)
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(env.single_action_space.low, [-1, -2])
    np.testing.assert_array_equal(env.single_action_space.high, [1, 2])
    assert sorted(observation) == ["features", "profile"]
    wanted = env.simulation.environment.target.numpy().astype(np.float64)
    _, reward, _, _, infos = env.step(wanted)
    np.testing.assert_allclose(reward, 0.0, atol=1e-6)
    assert "slate" not in infos
    wanted = env.simulation.environment.target.numpy()
    np.testing.assert_allclose(env.step(wanted - [0.3, 0.4])[1], -0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "actions", "message"),
    [
        ({}, [12, 0], "action 12 of user 0 is out of range: items are numbered from 0 to 11"),
        ({}, [0, -1], "action -1 of user 1 is out of range: items are numbered from 0 to 11"),
        ({}, [0.0, np.nan], "actions must be integers, not float64: items are numbered from 0 to 11"),
        ({}, [True, False], "actions must be integers, not bool: items are numbered from 0 to 11"),
        ({}, [1, 2, 3], r"actions have shape \[2\], not \[3\]"),
        ({"num_candidates": 4}, [0, 4], "action 4 of user 1 is out of range: candidates are numbered from 0 to 3"),
        ({"slate_size": 2}, [[0, 1], [2, 99]], "action 99 of user 1 is out of range: items are numbered from 0 to 11"),
        ({"slate_size": 2}, [0, 1], r"actions have shape \[2, 2\], not \[2\]"),
    ],
)
def test_invalid_action_is_reported_in_one_line(toy, shape, actions, message):
    env = toy(num_users=2, **shape)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=f"^{message}$"):
        env.step(np.array(actions))


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([[0.0, 0.0], [0.0, 2.5]], r"action 2\.5 of user 1 at place 1 is not in \[-2, 2\]; clip it"),
        ([[np.nan, 0.0], [0.0, 0.0]], r"action nan of user 0 at place 0 is not in \[-1, 1\]; clip it"),
        ([[0.0], [0.0]], r"actions have shape \[2, 2\], not \[2, 1\]"),
        ([["a", "b"], ["c", "d"]], "actions must be real numbers, not <U1"),
    ],
)
def test_continuous_action_out_of_bounds_is_reported_in_one_line(target, actions, message):
    env = target(num_users=2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=f"^{message}$"):
        env.step(np.array(actions))


def test_continuous_actions_have_no_masks(target):
    env = target()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"^action_masks is for environments whose actions are items; here actions are real numbers$"):
        env.action_masks()


def test_questions_are_actions_of_a_world_whose_users_answer_them(small_world):
    settings = ["environment.questions=[attributes]", "environment.question_topics=3", "reward=[click,question_cost]"]
    env = make_vec("topic_world", 4, overrides=[*small_world, "dataset.num_items=20", *settings])
    env.reset(seed=0)
    assert env.single_action_space == spaces.Discrete(23)
    _, reward, _, _, infos = env.step(np.array([0, 20, 21, 22]))
    assert (reward[1:] == -1.0).all()
    assert infos["slate"].flatten().tolist() == [0, 20, 21, 22]
