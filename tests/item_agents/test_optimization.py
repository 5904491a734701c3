"""Target networks follow the parameters and buffers of the trained networks."""

import copy

import pytest
import torch
from torch import nn

from recframe.item_agents.optimization import TargetUpdate


def pair():
    """A target network, and the network with buffers that it was copied from, trained since."""
    torch.manual_seed(0)
    online = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    target = copy.deepcopy(online).requires_grad_(False)
    online(torch.randn(8, 3))  # moves the running means
    with torch.no_grad():
        for parameter in online.parameters():
            parameter.add_(1.0)
    return target, online


@pytest.mark.parametrize("rate", [0.25, 1.0])
def test_parameters_move_by_the_rate_and_buffers_are_copied(rate):
    target, online = pair()
    before = copy.deepcopy(target)
    TargetUpdate(target, online, rate)()
    for was, now, trained in zip(before.parameters(), target.parameters(), online.parameters(), strict=True):
        torch.testing.assert_close(now, was + rate * (trained - was))
        assert not now.requires_grad
    assert not torch.equal(before[1].running_mean, target[1].running_mean)
    for now, trained in zip(target.buffers(), online.buffers(), strict=True):
        assert torch.equal(now, trained)


def test_the_update_follows_loaded_weights_and_a_copy_moves_its_own_target():
    target, online = pair()
    agent = nn.Module()
    agent.online, agent.target, agent.move = online, target, TargetUpdate(target, online, 1.0)
    other = copy.deepcopy(agent)
    other.online.load_state_dict({name: torch.zeros_like(value) for name, value in online.state_dict().items()})
    before = copy.deepcopy(agent.target.state_dict())
    other.move()
    assert all((value == 0).all() for value in other.target.state_dict().values())
    assert all(torch.equal(value, before[name]) for name, value in agent.target.state_dict().items())
