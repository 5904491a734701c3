"""Configs that are sent to another process and back."""

import cloudpickle

from recframe.config import compose_config


def test_a_config_that_comes_back_leaves_this_process_as_it_was():
    sent = compose_config([])
    assert cloudpickle.loads(cloudpickle.dumps(sent)) == sent
    # the classes of its sections came with it
    assert compose_config(["agent.gamma=0.5"]).agent.gamma == 0.5
