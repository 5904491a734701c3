"""The configs of the agents state all options in one file a family."""

import dataclasses

import pytest

from recframe.agent_options import ReplayConfig, WorkingSetConfig
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.offline.config import DecisionTransformerConfig, TopKReinforceConfig
from recframe_plugins.agents.policy_gradient.config import OnPolicyConfig
from recframe_plugins.agents.q_learning.config import DeepQConfig, ValueLearningConfig
from recframe_plugins.agents.soft_actor_critic.config import SoftActorCriticConfig


@pytest.mark.parametrize(
    "config",
    [
        *(DeepQConfig, DDPGConfig, SoftActorCriticConfig, OnPolicyConfig, ValueLearningConfig),
        *(TopKReinforceConfig, DecisionTransformerConfig),
    ],
)
def test_the_docstring_names_all_inherited_options(config):
    for base in (ReplayConfig, WorkingSetConfig):
        if issubclass(config, base):
            names = ", ".join(field.name for field in dataclasses.fields(base))
            assert f"Inherited from `{base.__name__}`: {names}." in config.__doc__
