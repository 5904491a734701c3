"""The retention reward: one for a step after which the session continues, shared by the slate."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.interfaces import PAD
from recframe_plugins.rewards.config import RetentionConfig
from recframe_plugins.rewards.retention import Retention

REWARD = Retention(RetentionConfig())


@given(seed=st.integers(0, 1000), slate_size=st.integers(1, 6), returns=st.booleans())
def test_slate_is_worth_one_if_the_user_stays_and_at_most_one_if_the_user_leaves(data, random_step, seed, slate_size, returns):
    transition = random_step(seed, slate_size, signals=("click", "return") if returns else ("click",))
    worth, leave = REWARD(transition, data.catalog).sum(dim=1), transition.response.leave
    torch.testing.assert_close(worth[~leave], torch.ones(int((~leave).sum())))
    left = transition.response.signals["return"].mean(dim=1) if returns else torch.zeros(7)
    torch.testing.assert_close(worth[leave], left[leave])
    assert ((worth >= 0) & (worth <= 1 + 1e-6)).all()


def test_items_share_the_reward_equally(step, data):
    transition = step([[1, 2, 3, 4]] * 3, leave=[False, True, True], **{"return": [[0.0] * 4, [1.0, 1.0, 0.0, 0.0], [1.0] * 4]})
    assert REWARD(transition, data.catalog).tolist() == [[0.25] * 4, [0.125] * 4, [0.25] * 4]


def test_only_items_that_are_shown_share_it(step, data):
    slate = [[1, PAD, 3], [PAD, 2, PAD], [PAD] * 3, [1, PAD, 3]]
    transition = step(slate, leave=[False, False, False, True], **{"return": [[0.0] * 3] * 3 + [[1.0, 0.0, 0.0]]})
    assert REWARD(transition, data.catalog).tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0] * 3, [0.25, 0.0, 0.25]]


def test_clicks_do_not_matter(step, data):
    clicked, ignored = (step([[1, 2]], click=[[value, value]]) for value in (1.0, 0.0))
    assert torch.equal(REWARD(clicked, data.catalog), REWARD(ignored, data.catalog))
