"""Training ends after a whole chunk: a run whose chunk is longer than its training says how long it will be."""

import pytest

from recframe.building.parts import assemble
from recframe.config import compose_config, validate
from recframe.runner.stages import stages_of, train_stages
from recframe.training import Interruption

SMALL = ["debug=smoke", "encoder=tfidf", "embeddings.cache=null", "dataset.num_items=40", "dataset.num_users=30", "agent=reinforce"]
SMALL += ["evaluation.references=false", "trainer.progress_bar=false", "trainer.evaluate_every=256", "evaluation.periodic_users=4"]


@pytest.mark.parametrize(("env_steps", "warned"), [(100, True), (256, False)])
def test_a_chunk_that_is_longer_than_training_is_said_before_it_starts(tmp_path, caplog, env_steps, warned):
    parts = assemble(validate(compose_config([*SMALL, f"trainer.env_steps={env_steps}"])))
    environment = parts.environment(64, "train")
    agent = parts.agent(environment)
    stages = stages_of(parts, agent, environment)
    expected = "trainer.env_steps=100: training ends after a whole chunk, and makes 256 user-steps (trainer.chunk_steps=4 of 64 users)"
    assert [record.getMessage() for record in caplog.records if "whole chunk" in record.getMessage()] == ([expected] if warned else [])
    trained = train_stages(agent, stages, tmp_path, None, seed=0, interruption=Interruption(tmp_path))
    assert trained.selection.steps == 256
