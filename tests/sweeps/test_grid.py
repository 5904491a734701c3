"""The jobs of a grid before they start: what a sweep expands to, and mistakes in any of them."""

import pytest

from recframe.config import find_mistakes
from recframe.sweeps.plan import merged_overrides


def test_a_mistake_in_the_last_of_many_jobs_is_found():
    gammas = ",".join(str(i / 100) for i in range(99))
    (problem,) = find_mistakes([f"agent.gamma={gammas},1.5"])
    assert problem.startswith("agent.gamma: 1.5")


@pytest.mark.parametrize("sweep", ["range(-1,3)", "choice(0,-1)", "shuffle(range(-1,3))"])
def test_values_that_hydra_expands_are_checked(sweep):
    (problem,) = find_mistakes([f"seed={sweep}"])
    assert problem.startswith("seed: -1")


def test_a_glob_stands_for_the_choices_of_a_group():
    seen = []
    overrides = ["agent=glob(*dqn,exclude=v*)", "seed=0"]
    assert find_mistakes(overrides, visit=lambda texts, cfg: seen.append((texts, cfg.agent.name))) == []
    dqns = ["double_dqn", "dqn", "dueling_dqn", "prioritized_dqn"]
    assert sorted(seen, key=lambda job: min(job[0])) == [(frozenset({f"agent={name}", "seed=0"}), "dqn") for name in dqns]


def test_each_job_is_seen_with_its_own_values_and_leaves_none_to_the_next():
    seen = []
    overrides = ["trainer.env_steps=100000,200000", "agent=dqn,ppo", "seed=1"]
    assert find_mistakes(overrides, visit=lambda texts, cfg: seen.append((cfg.trainer.env_steps, cfg.agent.name, cfg.seed))) == []
    assert sorted(seen) == [(steps, agent, 1) for steps in (100000, 200000) for agent in ("actor_critic", "dqn")]


def test_overrides_of_a_sweep_that_is_continued_take_the_place_of_those_of_their_key():
    before = ("seed=0,1", "agent=dqn", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert merged_overrides(before, ["seed=0,1,2", "agent.gamma=0.5"]) == ["seed=0,1,2", *before[1:], "agent.gamma=0.5"]
    # the settings of a launcher go with it
    assert merged_overrides(before, ["hydra/launcher=basic"]) == ["seed=0,1", "agent=dqn", "hydra/launcher=basic"]
    assert merged_overrides(before, ["hydra/launcher=joblib"]) == list(before)
