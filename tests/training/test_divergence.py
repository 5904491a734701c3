"""Nothing that is not a number is saved, evaluated or loaded; the message names it and gives advice that fits."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from recframe.tracking.finite import not_a_number
from recframe.training import BEST, FINAL, LAST, TrainingDiverged

PLUGIN = """
    import torch
    from recframe.components import Component
    from recframe.hookspecs import hookimpl
    from recframe.interfaces import Replay, Reward
    from recframe_plugins.agents.q_learning.config import DQNConfig
    from recframe_plugins.agents.q_learning.dqn import DQN
    from recframe_plugins.agents.tabular.config import TabularQLearningConfig
    from recframe_plugins.agents.tabular.q_learning import TabularQLearning
    from dataclasses import dataclass

    @dataclass
    class BrokenTable(TabularQLearningConfig):
        '''A table that is no longer a number from a number of env steps on.'''

    @dataclass
    class BrokenNetwork(DQNConfig):
        '''A network whose last weight is no longer a number from a number of env steps on.'''

    @dataclass
    class BrokenReward:
        '''A reward that is no number.'''

    class Table(TabularQLearning):
        def losses(self, batch):
            yield from super().losses(batch)
            if self.env_steps > 1100:
                self.values[0, 0] = torch.nan

    class Network(DQN):
        def losses(self, batch):
            yield from super().losses(batch)
            if self.env_steps > 1100:
                with torch.no_grad():
                    self.target.value.bias.fill_(torch.nan)

        def td_target(self, batch, items, vectors):
            return batch.reward

    class NoNumber(Reward):
        def __init__(self, config, data=None, **parts):
            pass

        def __call__(self, transition, catalog):
            return transition.response.signals["click"] * torch.nan

    @hookimpl
    def recframe_register_components(register):
        register(Component("agent", "broken_table", BrokenTable, "broken:Table", requires={"actions:items", "experience:replay"}))
        register(Component("agent", "broken_network", BrokenNetwork, "broken:Network", requires={"actions:items", "experience:replay"}))
        register(Component("reward", "broken_reward", BrokenReward, "broken:NoNumber"))
"""
SMALL = [
    "train", "debug=smoke", "encoder=tfidf", "dataset.num_items=30", "dataset.num_users=30", "trainer.env_steps=2048",
    "trainer.evaluate_every=1024", "logger=[csv]", "name=broken", "evaluation.references=false",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["agent=broken_table", "agent.learning_starts=64"],
            r"'agent\.values' \(1 of [\d,]+ values\) is no longer a number after 2,048 env",
        ),
        (["agent=broken_network", "agent.learning_starts=64"], r"'agent\.target\.value\.bias' \(1 of 1 values\).* agent\.learning_rate"),
    ],
)
def test_a_table_or_weight_that_is_no_number_ends_the_run_and_the_old_files_stay(warm_recframe, plugin_site, overrides, message):
    plugin_site.install("broken", PLUGIN)
    done = warm_recframe(*SMALL, *overrides, "hydra.run.dir=run", site=plugin_site.folder)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert pytest.raises(TrainingDiverged, match=message).matches(TrainingDiverged(said)), said
    assert "Traceback" not in said
    assert "is from before" in said
    assert ("learning_rate" in said) == ("agent=broken_network" in overrides)
    checkpoints = warm_recframe.folder / "run" / "checkpoints"
    assert torch.load(checkpoints / LAST, weights_only=True)["recframe"]["env_steps"] == 1024
    assert not_a_number(load_file(checkpoints / BEST)) is None
    assert not (checkpoints / FINAL).exists()
    assert not (warm_recframe.folder / "run" / "result.json").exists()
    assert "trained" not in done.stdout


@pytest.mark.slow
def test_a_reward_that_is_no_number_is_not_blamed_on_the_learning_rate(warm_recframe, plugin_site):
    plugin_site.install("broken", PLUGIN)
    done = warm_recframe(*SMALL, "agent=q_learning", "agent.learning_starts=64", "reward=[broken_reward]", site=plugin_site.folder)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "reward=broken_reward of plugin 'broken' (broken 1.0): its value is NaN or infinite, although the environment's signals" in said
    assert "diverged" not in said
    assert "learning_rate" not in said


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_not_evaluated(warm_recframe):
    run = "hydra.run.dir=run"
    warm_recframe(*SMALL, "agent=q_learning", "agent.learning_starts=64", run, check=True)
    final = warm_recframe.folder / "run" / "checkpoints" / FINAL
    weights = load_file(final)
    weights["values"][3, 4] = torch.nan
    save_file(weights, final)
    done = warm_recframe("evaluate", "run")
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "final.safetensors holds values that are not numbers, in 'values' (1 of" in said
