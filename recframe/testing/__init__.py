"""Conformance checks for plugin authors: each says in one sentence what breaks the contract and how to fix it.

The shortest way to test a plugin:

    from recframe.testing import check_component

    def test_my_agent():
        check_component(MY_COMPONENT)

The checks do not need pytest.
"""

from recframe.testing.agents import check_agent
from recframe.testing.components import check_component
from recframe.testing.conformance import ConformanceError, DataNeeded
from recframe.testing.datasets import check_dataset
from recframe.testing.encoders import check_encoder
from recframe.testing.environments import check_environment
from recframe.testing.loop import collect, update
from recframe.testing.rewards import check_reward
from recframe.testing.state_trackers import check_state_tracker
from recframe.testing.toy import toy_data, toy_observation, toy_spec, toy_transition
from recframe.testing.world import ToyEnvironment, ToyTracker

__all__ = [
    "ConformanceError",
    "DataNeeded",
    "ToyEnvironment",
    "ToyTracker",
    "check_agent",
    "check_component",
    "check_dataset",
    "check_encoder",
    "check_environment",
    "check_reward",
    "check_state_tracker",
    "collect",
    "toy_data",
    "toy_observation",
    "toy_spec",
    "toy_transition",
    "update",
]
