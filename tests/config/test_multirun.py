"""In a sweep, the values that depend on a swept choice are left to the jobs."""

import pytest

from recframe.config.compose.multirun import left_to_jobs


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("agent.epochs=4", "agent.epochs=choice(4)"),
        ("agent.hidden_sizes=[8,8]", "agent.hidden_sizes=choice([8,8])"),
        ("agent.epochs=1,2", "agent.epochs=1,2"),
        ("+agent.new=1", "+agent.new=1"),
        ("agent.name=", "agent.name="),
        ("world_encoder.dim=8", "world_encoder.dim=choice(8)"),
        ("encoder.dim=8", "encoder.dim=8"),
        ("trainer.env_steps=100", "trainer.env_steps=100"),
        ("hydra.sweep.dir=x", "hydra.sweep.dir=x"),
        ("seed=0,1", "seed=0,1"),
    ],
)
def test_values_in_a_swept_section_become_choices(override, expected):
    swept = ["agent=ppo,reinforce", "encoder@world_encoder=tfidf,random"]
    overrides = [*swept, override]
    assert left_to_jobs(["-m", *overrides], overrides) == ["-m", *swept, expected]


def test_a_swept_experiment_affects_every_section_and_a_swept_seed_none():
    assert left_to_jobs(overrides := ["experiment=a,b", "trainer.env_steps=1"], overrides)[1] == "trainer.env_steps=choice(1)"
    assert left_to_jobs(overrides := ["seed=0,1", "agent.gamma=0.5"], overrides) == overrides
