"""Laws of slates and histories with questions."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensordict import TensorDict

from recframe.interfaces import PAD, Observation, Response, Transition, asks, items_alone, shown_places, without_questions

FIRST, ROWS, USERS = 5, 8, 3


def rows(length, lowest=0):
    return st.lists(st.lists(st.integers(lowest, ROWS - 1), min_size=length, max_size=length), min_size=USERS, max_size=USERS).map(
        torch.tensor
    )


def observation(history, candidates=None):
    feedback = (history.float() + 1.0)[:, :, None]
    return Observation(
        user=torch.zeros(USERS, dtype=torch.int64),
        history_items=history,
        history_feedback=feedback,
        candidates=candidates,
        batch_size=[USERS],
    )


def front_padded(history):
    return torch.stack([torch.cat([row[row == PAD], row[row != PAD]]) for row in history])


@settings(max_examples=50, deadline=None)
@given(rows(4))
def test_a_slate_shows_its_items_unless_it_begins_with_a_question(slate):
    for row, asked, shown in zip(slate.tolist(), asks(slate, FIRST).tolist(), shown_places(slate, FIRST).tolist(), strict=True):
        assert asked == (row[0] >= FIRST)
        assert shown == [not asked and item < FIRST for item in row]


@settings(max_examples=50, deadline=None)
@given(rows(3), rows(6, PAD).map(front_padded))
def test_a_transition_with_items_alone_has_the_items_in_order_and_no_question(slate, history):
    nothing = torch.zeros(USERS)
    ended = torch.zeros(USERS, dtype=torch.bool)
    transition = Transition(
        observation=observation(history),
        slate=slate,
        log_prob=nothing,
        response=Response(signals=TensorDict({}, batch_size=[USERS]), leave=ended, batch_size=[USERS]),
        reward=nothing,
        item_reward=torch.zeros(USERS, 3),
        next_observation=observation(history.flip(0)),
        terminated=ended,
        truncated=ended,
        batch_size=[USERS],
    )
    alone = items_alone(transition, FIRST)
    assert torch.equal(alone.slate, torch.where(shown_places(slate, FIRST), slate, PAD))
    for before, after, feedback in zip(history, alone.observation.history_items, alone.observation.history_feedback, strict=True):
        kept = [item for item in before.tolist() if PAD < item < FIRST]
        assert after.tolist() == [PAD] * (6 - len(kept)) + kept
        assert feedback[6 - len(kept) :, 0].tolist() == [item + 1.0 for item in kept]
    assert torch.equal(alone.next_observation.history_items, alone.observation.history_items.flip(0))
    assert torch.equal(transition.slate, slate)


@settings(max_examples=50, deadline=None)
@given(rows(5))
def test_an_observation_without_questions_has_none_among_its_candidates(candidates):
    history = torch.full((USERS, 2), PAD)
    found = without_questions(observation(history, candidates), FIRST).candidates
    assert torch.equal(found, torch.where(candidates < FIRST, candidates, PAD))
    whole = observation(history)
    assert without_questions(whole, FIRST) is whole
