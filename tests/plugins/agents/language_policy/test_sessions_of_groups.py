"""Sessions of one person are compared when all are over, whatever chunks they span; their advantages in numpy."""

import numpy as np
import pytest
import torch
from tensordict import TensorDict

from recframe.interfaces import Observation, Response, Transition, first_sessions, groups_of, next_sessions
from recframe_plugins.agents.language_policy.generator import SlateEvaluation
from recframe_plugins.agents.language_policy.simulated.grpo import step_advantages
from recframe_plugins.agents.language_policy.simulated.sessions import OpenSessions

USERS, SIZE, STEPS = 7, 3, 24


def chunk(rewards, finished, first_step):
    """A chunk whose observations, slates and log-probabilities tell their user and step."""
    steps, users = rewards.shape
    number = torch.arange(first_step, first_step + steps).unsqueeze(1) * users + torch.arange(users)
    observation = Observation(
        user=number, history_items=number[..., None], history_feedback=number[..., None, None].float(), batch_size=[steps, users]
    )
    nothing = torch.zeros(steps, users)
    response = Response(signals=TensorDict({}, batch_size=[steps, users]), leave=finished, batch_size=[steps, users])
    batch = Transition(
        observation, number[..., None], nothing, response, rewards, rewards[..., None], observation, finished, torch.zeros_like(finished),
        batch_size=[steps, users],
    )  # fmt: skip
    written = number.flatten().float()[:, None, None].expand(-1, 1, 2)
    return batch, SlateEvaluation(written.sum(dim=(1, 2)), nothing.flatten(), nothing.flatten(), written, written >= 0)


@pytest.fixture
def played():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(STEPS, USERS, generator=generator), torch.rand(STEPS, USERS, generator=generator) < 0.4


def by_hand(rewards, finished):
    """`{(group, session): [(number of the step, reward), ...]}` of the sessions of complete people, step by step in Python."""
    sessions, groups = first_sessions(USERS, SIZE), groups_of(USERS, SIZE).tolist()
    steps, over = {}, set()
    for t in range(STEPS):
        for n in range(USERS):
            key = groups[n], int(sessions[n])
            steps.setdefault(key, []).append((t * USERS + n, float(rewards[t, n])))
            if finished[t, n]:
                over.add(key)
        sessions = next_sessions(sessions, finished[t], SIZE)
    return {key: of for key, of in steps.items() if all((key[0], key[1] // SIZE * SIZE + i) in over for i in range(SIZE))}


@pytest.mark.parametrize("chunk_steps", [1, 4, 8, 24])
def test_all_sessions_of_a_person_come_back_together_once(played, chunk_steps):
    rewards, finished = played
    expected, found, sessions = by_hand(rewards, finished), {}, OpenSessions(SIZE)
    assert len(expected) > 20
    for first in range(0, STEPS, chunk_steps):
        rows = slice(first, first + chunk_steps)
        compared = sessions.take_in(*chunk(rewards[rows], finished[rows], first))
        if compared is None:
            continue
        people, size, length = compared.rewards.shape
        assert size == SIZE
        for row in range(people * size):
            of = compared.row == row
            steps = compared.steps.rows(of)
            order = steps.place.argsort()
            assert steps.place[order].tolist() == list(range(len(order)))
            number, key = steps.observation.user[order], (int(steps.group[0]), int(steps.session[0]))
            assert key not in found
            found[key] = list(zip(number.tolist(), steps.reward[order].tolist(), strict=True))
            earned = compared.rewards.view(-1, length)[row]
            assert earned[: len(order)].tolist() == steps.reward[order].tolist()
            assert not earned[len(order) :].any()
            # what was drawn stays with its step
            assert torch.equal(steps.slate[order, 0], number)
            assert torch.equal(steps.log_probs[order, 0, 0], number.float())
        numbers = [int(compared.steps.session[compared.row == row][0]) for row in range(people * size)]
        assert all(a // SIZE == b // SIZE for a, b in zip(numbers[::SIZE], numbers[SIZE - 1 :: SIZE], strict=True))
    assert found == expected


def test_a_saved_state_goes_on_as_if_nothing_had_happened(played):
    rewards, finished = played
    whole, saved = OpenSessions(SIZE), OpenSessions(SIZE)
    for first in (0, 8):
        whole.take_in(*chunk(rewards[first : first + 8], finished[first : first + 8], first))
    saved.load_state_dict(whole.state_dict(), torch.device("cpu"))
    one, other = (of.take_in(*chunk(rewards[16:], finished[16:], 16)) for of in (whole, saved))
    assert torch.equal(one.rewards, other.rewards)
    assert torch.equal(one.row, other.row)
    assert torch.equal(one.steps.observation.history_items, other.steps.observation.history_items)
    empty = OpenSessions(SIZE)
    empty.load_state_dict(OpenSessions(SIZE).state_dict(), torch.device("cpu"))
    assert empty.waiting is None


@pytest.mark.parametrize("credit", ["session", "step"])
@pytest.mark.parametrize("scale", [True, False])
def test_advantages_of_steps_are_those_of_the_definition(played, credit, scale):
    compared = OpenSessions(SIZE).take_in(*chunk(*played, 0))
    rewards = compared.rewards.double().numpy()
    returns = rewards.sum(axis=2)
    times = np.arange(rewards.shape[2])
    to_go = np.stack([(rewards[..., t:] * 0.9 ** times[: len(times) - t]).sum(axis=2) for t in times], axis=2)
    value = np.broadcast_to(returns[..., None], rewards.shape) if credit == "session" else to_go
    found = step_advantages(compared, credit, 0.9, scale=scale)
    row, place = compared.row.numpy(), compared.steps.place.numpy()
    expected = (value - value.mean(axis=1, keepdims=True)).reshape(-1, rewards.shape[2])[row, place]
    for person in range(len(rewards)) if scale else ():
        of = row // SIZE == person
        deviation = returns[person].std(ddof=1) if credit == "session" else np.sqrt((expected[of] ** 2).mean())
        expected[of] /= deviation + 1e-4
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_credit_by_step_does_not_depend_on_what_was_earned_before():
    compared = OpenSessions(2).take_in(*chunk(torch.tensor([[5.0, 1.0], [2.0, 3.0]]), torch.tensor([[False, False], [True, True]]), 0))
    found = step_advantages(compared, "step", 1.0, scale=False)
    last = compared.steps.place == 1
    assert found[last].tolist() == [-0.5, 0.5]
    assert step_advantages(compared, "session", 1.0, scale=False)[last].tolist() == [1.5, -1.5]
