"""Sizes and values that no machine or run can use are refused before anything is allocated."""

import pytest

from recframe.config import find_mistakes
from recframe.config.checks import memory

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 16 * GIB)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["agent.batch_size=100000000"],
            "agent.batch_size=100000000 with state_tracker.history_length=20: a batch needs at least 51 GiB, and this",
        ),
        (["agent.replay_capacity=100000000000"], "the replay memory needs at least 50,664 GiB, and this machine has 16 GiB; lower one of"),
        (["state_tracker.history_length=1000000"], "history_length=1000000: the replay memory needs at least 1,118 GiB"),
        (["state_tracker.history_length=10000000", "agent=random"], "evaluation.num_users=512 with state_tracker.history_length=10000000"),
        (["trainer.chunk_steps=500000", "agent=random"], "trainer.chunk_steps=500000 with environment.num_users=128 and"),
        (
            ["trainer.chunk_steps=100000"],
            "are 12,800,000 user-steps before anything is learned, far more than trainer.env_steps=400,000; lower it",
        ),
        (
            ["agent.batch_size=512", "agent.replay_capacity=300", "agent.learning_starts=200"],
            "agent.batch_size=512 is more than agent.replay_capacity=300 holds; lower it",
        ),
        (["reward=[click,rating]", "reward.click.weight=0", "reward.rating.weight=0"], "every weight is 0, so that nothing is rewarded"),
        (["seed=100000000000000000000000"], "seed: 100000000000000000000000 is not allowed; it must be >= 0"),
        (["embeddings.cache="], "embeddings.cache: it is empty; name a folder"),
        (["hydra.run.dir="], "hydra.run.dir: it is empty; name a folder"),
        (["encoder=bert", "encoder.model="], "encoder.model: it is empty; give a path, or leave the setting out"),
        (
            ["experiment=cartpole", "cold_items.share=0.5"],
            "cold_items.share: the actions of environment=gymnasium are not items of a dataset, so that none can be held back",
        ),
    ],
)
def test_a_size_that_cannot_work_is_refused_in_words(overrides, expected):
    assert any(expected in problem for problem in find_mistakes(overrides)), find_mistakes(overrides)


def test_usual_sizes_and_one_reward_of_weight_0_pass():
    assert find_mistakes(["reward=[click,rating]", "reward.rating.weight=0", "agent.batch_size=1024"]) == []
    assert find_mistakes(["experiment=cartpole"]) == []


def test_the_estimate_counts_every_tensor_of_the_history():
    values = {
        "device": "cpu",
        "state_tracker": {"history_length": 10},
        "environment": {"num_users": 4},
        "agent": {"replay_capacity": 100, "batch_size": 7},
        "trainer": {"chunk_steps": 3},
        "evaluation": {"num_users": 5, "periodic_users": 6},
    }
    # an item (8 bytes) and a response (4 bytes) of 10 interactions, before and after a step, and 64 bytes for the step
    step = 2 * 10 * (8 + 4) + 64
    assert [size for _, _, size in memory._sizes(values)] == [100 * step, 7 * step, 3 * 4 * step, 5 * 120, 6 * 120]


def test_nothing_is_estimated_for_a_gpu(monkeypatch):
    monkeypatch.setattr("recframe.config.checks.machine.surely_without_cuda", lambda: False)
    assert find_mistakes(["device=cuda", "agent.replay_capacity=1000000000"]) == []
