"""No item left means no future: every agent learns from sessions that show all items, or all but a rest that fills no slate."""

import json
from copy import deepcopy
from functools import cache

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from recframe.building.parts import assemble
from recframe.config import compose_config, validate
from recframe.interfaces import NoExperience, Replay, is_excluded
from recframe.testing import collect, update

SINGLE = [
    "dqn", "vanilla_dqn", "double_dqn", "dueling_dqn", "prioritized_dqn", "soft_actor_critic", "q_learning", "sarsa", "two_head",
]  # fmt: skip
SLATES = [
    "actor_critic", "ppo", "reinforce", "ddpg", "td3", "epsilon_greedy", "linucb", "disjoint_linucb", "hybrid_linucb", "thompson",
    "fixed_slate", "greedy_reward", "popular", "posterior_greedy", "random",
]  # fmt: skip
CLICKS = ["slate_q", "slate_q_top_k"]
COMMON = ["debug=smoke", "encoder=tfidf", "dataset.num_users=60", "environment.num_users=24", "environment.protocol=fixed_length"]
ALL_ITEMS = ["dataset.num_items=6", "environment.max_steps=6"]
ODD_REST = ["dataset.num_items=7", "environment.slate_size=2", "environment.max_steps=3"]
ONE_ITEM = ["dataset.num_items=1", "environment.max_steps=1"]
CANDIDATES = ["dataset.num_items=7", "environment.num_candidates=6"]
CHOICES = ["environment.choice_model=multinomial_logit"]

CASES = [
    *[(agent, ALL_ITEMS) for agent in [*SINGLE, *SLATES]],
    *[(agent, [*ODD_REST, *CHOICES]) for agent in [*SLATES, *CLICKS]],
    *[(agent, [*CANDIDATES, "environment.max_steps=6"]) for agent in [*SINGLE, *SLATES]],
    *[(agent, [*CANDIDATES, *CHOICES, "environment.slate_size=2", "environment.max_steps=3"]) for agent in [*SLATES, *CLICKS]],
    *[(agent, ONE_ITEM) for agent in [*SINGLE, *SLATES]],
]


def name_of(case):
    agent, settings = case
    return f"{agent}-{'-'.join(setting.partition('.')[2] for setting in settings)}"


@cache
def composed(agent):
    """The config of an agent, of which the cases change numbers and choices."""
    return compose_config([f"agent={agent}", *COMMON])


@pytest.fixture
def parts(shared_cache):
    def build(agent, settings):
        cfg = deepcopy(composed(agent))
        for setting in [*settings, f"embeddings.cache={shared_cache}"]:
            key, _, value = setting.partition("=")
            OmegaConf.update(cfg, key, value)
        return assemble(validate(cfg))

    return build


OTHERS = ["q_learning", "sarsa", "soft_actor_critic", "td3"]
"""Agents whose whole run is tried on request only: the first test here has them in every suite."""


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_every_agent_stays_finite_where_no_further_slate_is_left(parts, case):
    built = parts(*case)
    environment = built.environment(24, "train")
    agent = built.agent(environment)
    rollout, _ = collect(agent, environment, environment.reset(0), 2 * environment.config.max_steps)
    assert not is_excluded(rollout.reshape(-1).observation, rollout.reshape(-1).slate).any()
    # the sessions end in a state without a further slate, or with candidates some of them
    assert rollout.terminated.any()
    assert rollout.terminated[environment.config.max_steps - 1].all() or environment.spec.num_candidates
    if isinstance(agent.experience, NoExperience):
        return
    batch = rollout.reshape(-1) if isinstance(agent.experience, Replay) else rollout
    for _ in range(2):
        losses = update(agent, agent.optimizers(), batch)
        assert all(torch.tensor([value for _, value in losses]).isfinite())
    state = [value for value in agent.state_dict().values() if isinstance(value, torch.Tensor) and value.is_floating_point()]
    assert all(value.isfinite().all() for value in state)


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["dqn", "ddpg", *(pytest.param(name, marks=pytest.mark.evidence) for name in OTHERS)])
def test_a_run_whose_sessions_show_the_whole_catalogue_ends_with_numbers(warm_recframe, agent):
    short = ["trainer.env_steps=2048", "trainer.evaluate_every=1024", "evaluation.references=false"]
    starts = [] if agent == "sarsa" else ["agent.learning_starts=64"]
    sizes = ["dataset.num_items=10", "dataset.num_users=50", "environment.protocol=fixed_length", "environment.max_steps=10"]
    command = ["train", f"agent={agent}", "debug=smoke", "encoder=tfidf", *sizes, *short, *starts, "hydra.run.dir=run"]
    done = warm_recframe(*command, check=True)
    assert "nan" not in done.stdout.lower()
    run = warm_recframe.folder / "run"
    weights = load_file(run / "checkpoints" / "final.safetensors")
    assert all(value.isfinite().all() for value in weights.values() if value.is_floating_point())
    # the length of a session is a fact of the protocol
    assert json.loads((run / "result.json").read_text())["policies"]["trained"]["length"]["mean"] == 10
