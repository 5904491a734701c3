"""Mistakes of a first plugin that look like a working one: each is found, and the message says what to write."""

from dataclasses import dataclass

import pytest
import torch
from tensordict import TensorDict

from recframe.components import Component, ComponentError, option
from recframe.components.tags import misspelt
from recframe.interfaces import Agent, Decision, History, Response, Rollout, best_items
from recframe.testing import ConformanceError, ToyEnvironment, check_component, check_environment, toy_data, toy_spec


@dataclass
class CountsConfig:
    """The items of the highest mean reward."""

    shown: int = option(1, "how often each item counts as shown at first", ge=0)


class Counts(Agent):
    def __init__(self, config, spec, state_tracker, *, seed):
        super().__init__(spec, seed)
        self.state_tracker = state_tracker
        self.register_buffer("shown", torch.full((spec.num_items,), float(config.shown)))
        self.register_buffer("earned", torch.zeros(spec.num_items))

    @property
    def experience(self):
        return Rollout()

    def act(self, observation, explore):
        return Decision(best_items(observation, self.earned / self.shown, self.spec.slate_size))

    def losses(self, batch):
        items, rewards = batch.slate.flatten(), batch.item_reward.flatten()
        self.shown = self.shown.index_add(0, items, torch.ones_like(rewards))
        self.earned = self.earned.index_add(0, items, rewards)
        yield from ()

    def optimizers(self):
        return {}


class RankingCounts(Counts):
    def rank(self, observation, k):
        return best_items(observation, self.earned / self.shown, k)


def counts(factory=Counts, provides=(), requires=("actions:items", "experience:rollout")):
    return Component("agent", "counts", CountsConfig, factory, provides, requires)


def test_an_agent_that_learns_without_gradients_conforms():
    check_component(counts())


def test_scores_that_are_nan_are_reported():
    with pytest.raises(ConformanceError, match=r"act\(\) puts scores in order that contain NaN"):
        check_component(counts(), CountsConfig(shown=0))


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (counts(requires={"experience:replay"}), r"learns from Rollout, which no log has: declare requires=\{'experience:rollout'\}"),
        (counts(RankingCounts), r"has a rank\(\): declare provides=\{'ranks'\}"),
        (counts(provides={"prior"}), "provides 'prior', but is no ItemAgent with a PriorWeight"),
        (counts(requires={"actions:item"}), "requires 'actions:item', which is no tag of recframe: did you mean 'actions:items'"),
        (counts(provides={"slate"}), "provides 'slate', which is no tag of recframe: did you mean 'slates'"),
    ],
)
def test_tags_that_do_not_fit_are_reported(component, message):
    with pytest.raises(ConformanceError, match=message):
        check_component(component)


def test_tags_of_a_plugins_own_are_no_spelling_mistakes():
    assert [misspelt(tag) for tag in ("mood", "signal:clicks", "attribute:*", "truth")] == [None] * 4
    assert misspelt("signals:click") == "signal:click"


def test_an_object_is_no_factory():
    spec = toy_spec(toy_data())
    with pytest.raises(ComponentError, match="factory must be a class or a function, not an instance of Counts; give Counts itself"):
        counts(factory=Counts(CountsConfig(), spec, None, seed=0))


def test_a_class_without_the_decorator_is_told_of_it():
    class Undecorated:
        """A component."""

    with pytest.raises(ComponentError, match=r"config must be a dataclass type, not .*: decorate it with @dataclass"):
        Component("agent", "counts", Undecorated, Counts)


class OneUser(ToyEnvironment):
    """Says that users are those of the data, and fills in user 0."""

    def _observation(self):
        observed = super()._observation()
        observed.user = torch.zeros_like(observed.user)
        return observed


def test_sessions_that_are_all_of_one_user_are_reported():
    data = toy_data()
    with pytest.raises(ConformanceError, match=r"all sessions are of user 0, though the data has 60 users: .* set has_users=False"):
        check_environment(OneUser(toy_spec(data), data), data)


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        ({"clicks": torch.zeros(2, 1)}, "the response has no signal 'click'; it has: clicks"),
        ({"click": torch.zeros(2)}, r"the signal 'click' has the shape \[2\]; right is that of the slate, \[2, 1\]"),
    ],
)
def test_a_history_refuses_responses_that_do_not_fit(signals, message):
    response = Response(TensorDict(signals, [2]), torch.zeros(2, dtype=torch.bool), batch_size=[2])
    with pytest.raises(ValueError, match=message):
        History(2, 3, ("click",), "cpu").append(torch.zeros(2, 1, dtype=torch.int64), response)
