"""The users of two processes meet the same sessions as in one: all random numbers of built-in simulators come from `own_draws`."""

import pytest
import torch

from recframe.building.parts import assemble
from recframe.config import compose_config, validate
from recframe.interfaces import UserDivision, dividing_users

USERS, STEPS = 6, 12
SMALL = [
    "encoder=tfidf",
    "embeddings.cache=null",
    "dataset.num_items=40",
    "dataset.num_users=30",
    "agent=random",
    "environment.num_users=6",
]


def sessions(parts, part):
    """What this part of the users is shown and does, step by step."""
    environment = parts.training_environment(part.ranks)
    first = part.rank * environment.spec.num_users
    shown = torch.randint(40, (STEPS, USERS, environment.spec.slate_size), generator=torch.Generator().manual_seed(1))
    seen = []
    with dividing_users(part):
        observation = environment.reset(3)
        for slates in shown:
            step = environment.step(slates[first : first + environment.spec.num_users])
            candidates = [] if observation.candidates is None else [observation.candidates]
            seen.append([observation.user, observation.history_items, *candidates, *step.response.signals.values(), step.terminated])
            observation = step.observation
    return seen


@pytest.mark.parametrize(
    "world",
    [
        ["environment=topic_world", "environment.num_candidates=8", "environment.slate_size=2"],
        ["environment=topic_world", "environment.mood_weight=1"],
        ["environment=topic_world", "environment.group_size=3", "environment.num_candidates=8"],
        ["environment=interest_evolution"],
        ["environment=interest_exploration"],
        ["environment=long_term_satisfaction"],
    ],
    ids=lambda world: " ".join(world[:2]),
)
def test_the_sessions_of_divided_users_are_those_of_all(world):
    parts = assemble(validate(compose_config([*SMALL, *world])))
    whole, *halves = (sessions(parts, part) for part in (UserDivision(), UserDivision(0, 2), UserDivision(1, 2)))
    assert any(bool(step[-1].any()) for step in whole) or "environment=topic_world" not in world
    for expected, *own in zip(whole, *halves, strict=True):
        for value, *pieces in zip(expected, *own, strict=True):
            torch.testing.assert_close(torch.cat(pieces), value)
