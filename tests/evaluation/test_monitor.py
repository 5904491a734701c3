"""The monitored metric is checked before training."""

import pytest

from recframe.config import ConfigError, compose_config
from recframe.runner.run import run
from recframe_plugins.environments.gymnasium.config import GymnasiumConfig


def test_a_metric_that_the_built_environment_does_not_measure_is_refused_before_training(tmp_path, monkeypatch):
    # as in an environment of a plugin whose config cannot tell the kind of its actions
    monkeypatch.setattr(GymnasiumConfig, "action_kind", lambda config: None)
    cfg = compose_config(["experiment=pendulum", "trainer.monitor=coverage", "logger=[csv]"])
    with pytest.raises(ConfigError, match=r"trainer\.monitor: 'coverage' is not measured, because it needs actions that are items"):
        run(cfg, tmp_path / "run")
    assert not list((tmp_path / "run").glob("checkpoints/*"))
