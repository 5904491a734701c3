"""Learning-rate schedules: the factors of the equations, for every optimizer, and the same after a resume."""

import math

import pytest
import torch
from torch import nn

from recframe.config import ConfigError
from recframe.config.schema.run import TrainerConfig
from recframe.training import LAST
from recframe.training.learning_rates import LearningRates, schedule_factor
from tests.training.test_training import PolicyGradient, train


def settings(schedule: str, **others) -> TrainerConfig:
    return TrainerConfig(learning_rate_schedule=schedule, **others)


@pytest.mark.parametrize("progress", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_factors_are_those_of_the_equations(progress):
    warm, end = 0.25, 0.1
    rest = (progress - warm) / (1 - warm)
    expected = {
        "constant": 1.0,
        "linear": 1 - 0.9 * rest,
        "cosine": 0.1 + 0.9 * (1 + math.cos(math.pi * rest)) / 2,
    }
    for schedule, value in expected.items():
        factor = schedule_factor(settings(schedule, learning_rate_warmup=warm, learning_rate_end=end), progress)
        assert factor == pytest.approx(progress / warm if progress < warm else value)
    assert schedule_factor(settings("linear"), 1.0) == 0.0
    assert schedule_factor(settings("cosine"), 1.0) == pytest.approx(0.0)


def test_each_parameter_group_keeps_its_own_rate():
    first, second = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([{"params": [first], "lr": 1.0}, {"params": [second], "lr": 0.1}])
    rates = LearningRates(settings("linear"))
    for progress in (0.5, 0.75):
        rates.set({"q": optimizer}, progress)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1 - progress, 0.1 * (1 - progress)])
    assert rates.metrics({"q": optimizer}) == {"learning_rate/q": pytest.approx(0.25)}


def test_a_constant_rate_is_neither_touched_nor_logged():
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.3)
    rates = LearningRates(settings("constant"))
    rates.set({"q": optimizer}, 0.5)
    assert optimizer.param_groups[0] == {**optimizer.param_groups[0], "lr": 0.3}
    assert "initial_lr" not in optimizer.param_groups[0]
    assert rates.metrics({"q": optimizer}) == {}


def test_all_optimizers_of_an_agent_follow_the_schedule_and_the_rates_are_logged(tmp_path, new_memory):
    memory = new_memory()
    train(PolicyGradient(learning_rate=0.01), tmp_path, loggers=[memory], learning_rate_schedule="linear")
    rows = [row for row in memory.rows if "learning_rate/actor" in row]
    # ten chunks of 64 env steps; a chunk learns with the rate of its middle
    expected = [0.01 * (1 - (chunk + 0.5) / 10) for chunk in range(10)]
    for name in ("actor", "critic"):
        assert [row[f"learning_rate/{name}"] for row in rows] == pytest.approx(expected)


def test_a_resumed_run_goes_on_with_the_schedule(tmp_path, new_memory):
    whole, halves = new_memory(), new_memory()
    options = {"learning_rate_schedule": "cosine", "learning_rate_warmup": 0.2, "weight_average": 0.9}
    in_one = PolicyGradient()
    train(in_one, tmp_path / "whole", loggers=[whole], **options)

    class Stopped(Exception):
        pass

    def stop() -> dict[str, float]:
        raise Stopped

    first_then_stop = iter([lambda: {"return": 0.0}, stop])

    def evaluate() -> dict[str, float]:
        return next(first_then_stop)()

    with pytest.raises(Stopped):
        train(PolicyGradient(), tmp_path / "halves", evaluate=evaluate, loggers=[halves], **options)
    resumed = PolicyGradient(seed=5)
    train(resumed, tmp_path / "halves", loggers=[halves], resume_from=tmp_path / "halves" / LAST, **options)
    rates = [[row["learning_rate/actor"] for row in memory.rows if "learning_rate/actor" in row] for memory in (whole, halves)]
    assert rates[0][-1] == rates[1][-1]
    for name, value in in_one.state_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, resumed.state_dict()[name]), name


class Counting(PolicyGradient):
    """Learns in closed form."""

    def losses(self, batch):
        yield from ()

    def optimizers(self):
        return {}


@pytest.mark.parametrize("option", [{"learning_rate_schedule": "linear"}, {"learning_rate_warmup": 0.1}, {"weight_average": 0.9}])
def test_an_agent_without_optimizers_refuses_what_concerns_them(tmp_path, option):
    with pytest.raises(ConfigError, match=f"trainer.{next(iter(option))}: this agent learns nothing by gradients"):
        train(Counting(), tmp_path, **option)
    train(Counting(), tmp_path)
