"""A batch of N users is equivalent to N runs of one user: the measured means are equal."""

import pytest
import torch

from recframe.references.random import RandomPolicy

RUNS = 200
# users who leave early, so that all sessions end within these steps
STEPS = 8
BRIEF = {
    "topic_world": {"patience_cost": 0.5, "patience_boredom_cost": 0.5, "threshold": 1.0},
    "preference_model": {"patience_cost": 0.5, "patience_boredom_cost": 0.5, "threshold": 1.0},
    "interest_evolution": {"time_budget": 9.0},
    "interest_exploration": {"no_click_mass": 3.0},
    "long_term_satisfaction": {"time_budget": 5},
    "rating_matrix": {"quit_count": 2, "quit_similarity": 0.1},
}
OF_ONE_LENGTH = {"interest_exploration": STEPS, "long_term_satisfaction": 5}


def first_sessions(environment, policy, seed):
    """The sum of each signal in each user's first session, and its length, `[N]` each."""
    observation, users = environment.reset(seed), environment.spec.num_users
    sums = {name: torch.zeros(users) for name in (*environment.spec.signals, "length")}
    alive = torch.ones(users)
    for turn in range(STEPS):
        step = environment.step(policy(observation, turn))
        for name in environment.spec.signals:
            sums[name] += alive * step.response.signals[name].sum(dim=1)
        sums["length"] += alive
        alive = alive * ~(step.terminated | step.truncated)
        observation = step.observation
    return sums


@pytest.mark.parametrize("slate_size", [1, 3])
def test_many_users_in_one_batch_behave_like_many_runs_of_one(make, kind, slate_size, assert_same_mean):
    options = {"slate_size": slate_size, "max_steps": STEPS, **BRIEF[kind]}
    one, many = make(kind, num_users=1, **options), make(kind, num_users=3000, **options)
    # separate seeds for each run, for the slates and for the users
    runs = [first_sessions(one, RandomPolicy(one.spec, 10_000 + seed), seed) for seed in range(RUNS)]
    together = first_sessions(many, RandomPolicy(many.spec, 1), seed=0)
    for name, values in together.items():
        alone = torch.cat([run[name] for run in runs])
        if name == "length" and kind in OF_ONE_LENGTH:
            assert (alone == OF_ONE_LENGTH[kind]).all()
            assert (values == OF_ONE_LENGTH[kind]).all()
        elif len(values.unique()) > 1:
            assert_same_mean(alone, values)
        else:
            assert name == "click"
            assert kind == "long_term_satisfaction"
            assert (alone == values[0]).all()
