"""The averaged weights: the equation, what is averaged, and that they are evaluated and saved in place of the last ones."""

import numpy as np
import torch

from recframe.training import FINAL, LAST, load_weights
from recframe.training.weight_average import WeightAverage
from tests.training.test_training import PolicyGradient, train


def test_the_average_follows_its_equation():
    agent = PolicyGradient()
    average = WeightAverage(agent, agent.optimizers().values(), decay=0.6)
    expected = agent.query.weight.detach().numpy().copy()
    for update in range(20):
        with torch.no_grad():
            agent.query.weight += 0.1
        decay = min(0.6, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * agent.query.weight.detach().numpy()
        average.update()
    np.testing.assert_allclose(average.average["query.weight"].numpy(), expected, rtol=1e-5)


def test_only_what_optimizers_train_is_averaged():
    agent = PolicyGradient()
    average = WeightAverage(agent, [agent.optimizers()["critic"]], decay=0.5)
    assert set(average.average) == {"value.weight", "value.bias"}


def test_the_average_is_applied_within_a_block_only():
    agent = PolicyGradient()
    average = WeightAverage(agent, agent.optimizers().values(), decay=0.5)
    before = agent.value.bias.detach().clone()
    with torch.no_grad():
        agent.value.bias += 1.0
    with average.applied():
        assert torch.equal(agent.value.bias, before)
    assert torch.equal(agent.value.bias, before + 1.0)


def test_averaged_weights_are_evaluated_and_saved_and_training_goes_on_with_its_own(tmp_path):
    evaluated = []

    def evaluate_of(agent):
        def evaluate():
            evaluated.append(agent.value.weight.detach().clone())
            return {"return": float(len(evaluated))}

        return evaluate

    plain = PolicyGradient()
    train(plain, tmp_path / "plain", evaluate=evaluate_of(plain), final_weights="last")
    own = list(evaluated)
    evaluated.clear()
    agent = PolicyGradient()
    train(agent, tmp_path / "average", evaluate=evaluate_of(agent), final_weights="last", weight_average=0.9)
    assert len(own) == len(evaluated) == 2
    assert not torch.equal(own[1], evaluated[1])
    assert torch.equal(agent.value.weight, evaluated[1])
    # the checkpoint has the weights of the training, which averaging does not change
    saved = torch.load(tmp_path / "average" / LAST, weights_only=True)["state_dict"]["agent.value.weight"]
    assert torch.equal(saved, plain.value.weight)
    loaded = PolicyGradient(seed=3)
    load_weights(loaded, tmp_path / "average" / FINAL)
    assert torch.equal(loaded.value.weight, evaluated[1])
    # training was complete: the same final weights again
    again = PolicyGradient(seed=4)
    train(again, tmp_path / "average", final_weights="last", weight_average=0.9, resume_from=tmp_path / "average" / LAST)
    assert torch.equal(again.value.weight, evaluated[1])
