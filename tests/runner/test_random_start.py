"""Before training, a tracker that asks for it learns from responses to random items, and its copies in the agent have what it learned."""

import pytest
import torch

from recframe.building.parts import assemble
from recframe.config import compose_config, validate
from recframe.runner import stages
from recframe.runner.random_start import started_agent
from recframe_plugins.state_trackers.posterior import PosteriorTracker

OVERRIDES = [
    *("dataset=synthetic_ratings", "dataset.num_users=60", "dataset.num_items=40", "encoder=id", "environment=rating_matrix"),
    *("environment.num_users=16", "environment.click_threshold=3.5", "state_tracker=posterior", "state_tracker.random_steps=600"),
]


@pytest.fixture
def fits(monkeypatch):
    """The trackers that were fitted, one entry for each fit."""
    found = []
    fit = PosteriorTracker.fit_responses

    def counted(tracker, log, seed):
        found.append(tracker)
        fit(tracker, log, seed)

    monkeypatch.setattr(PosteriorTracker, "fit_responses", counted)
    return found


@pytest.mark.parametrize("agent", ["dqn", "ppo", "soft_actor_critic"])
def test_the_tracker_is_fitted_once_and_its_copies_agree(fits, agent):
    parts = assemble(validate(compose_config([*OVERRIDES, f"agent={agent}"])))
    started, tracker = started_agent(parts, parts.environment(16, "train"), None)
    assert fits == [tracker]
    copies = [module for module in started.modules() if isinstance(module, PosteriorTracker)]
    assert tracker in copies
    assert tracker.responses.table[:, :-1].abs().max() > 0
    for copy in copies:
        assert torch.equal(copy.responses.table, tracker.responses.table)
        assert torch.equal(copy.evidence, tracker.evidence)


def test_a_resumed_run_shows_nothing_at_random(fits, tmp_path):
    parts = assemble(validate(compose_config([*OVERRIDES, "agent=dqn"])))
    started_agent(parts, parts.environment(16, "train"), tmp_path / "last.ckpt")
    assert fits == []


@pytest.mark.parametrize(("random_steps", "fitted_before"), [(600, True), (0, False)])
def test_every_process_knows_from_the_agent_that_it_was_fitted(monkeypatch, tmp_path, random_steps, fitted_before):
    parts = assemble(validate(compose_config([*OVERRIDES, "agent=dqn", f"state_tracker.random_steps={random_steps}"])))
    environment = parts.environment(16, "train")
    agent, _ = parts.agent_and_tracker(environment)
    told = []
    monkeypatch.setattr(stages, "fit", lambda *_, **options: told.append(options.get("fitted_before")))
    stages.train_stages(agent, stages.stages_of(parts, agent, environment), tmp_path, None, seed=0)
    assert told == [fitted_before]
