"""check_environment accepts correct environments and reports what is wrong with broken ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.interfaces import PAD, Truth
from recframe.testing import ConformanceError, ToyEnvironment, check_environment, toy_data, toy_spec

DATA = toy_data()
RICH = {"slate_size": 3, "num_candidates": 7, "has_context": True, "num_features": 2}


@pytest.mark.parametrize("choices", [{}, RICH, {"history_length": 2, "slate_size": 4}])
def test_a_correct_environment_passes(choices):
    check_environment(ToyEnvironment(toy_spec(DATA, **choices), DATA), DATA)


def test_a_terminated_session_may_have_nothing_left_to_show():
    check_environment(TerminatesWithNothingLeft(toy_spec(DATA, **RICH), DATA), DATA)


def test_a_correct_environment_with_continuous_actions_passes():
    spec = replace(toy_spec(DATA, num_features=2), actions="continuous", action_low=(-1.0, 0.0), action_high=(1.0, 3.0))
    environment = ToyEnvironment(spec, DATA)
    check_environment(environment, DATA)
    environment.reset(0)
    taste = environment.taste[environment.user, :2]
    # both numbers at the bound that each user likes; the middle of the first range is 0, that of the second 1.5
    liked = torch.where(taste > 0, torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 0.0]))
    assert (environment._click_probability(liked) > environment._click_probability(torch.tensor([[0.0, 1.5]]).expand(6, 2))).all()


def breaking_observations(change):
    """An environment whose observations are changed by `change`."""

    class Broken(ToyEnvironment):
        def _observation(self):
            observation = super()._observation()
            change(observation)
            return observation

    return Broken


def breaking_steps(change):
    """An environment whose steps are changed by `change(step, slate, environment)`."""

    class Broken(ToyEnvironment):
        def step(self, slate):
            return change(super().step(slate), slate, self)

    return Broken


def set_field(name, function):
    return breaking_observations(lambda observation: setattr(observation, name, function(getattr(observation, name))))


def with_signals(function):
    def change(step, slate, environment):
        step.response.signals = step.response.signals.apply(function)
        return step

    return breaking_steps(change)


def renamed(step, slate, environment):
    step.response.signals = step.response.signals.rename_key_("click", "tap")
    return step


def padding_after(items):
    return torch.cat([items[:, 1:], items.new_full((len(items), 1), PAD)], dim=1)


def leaving(step, slate, environment):
    step.response.leave = torch.ones_like(step.response.leave)
    return step


class LosesTheLast(ToyEnvironment):
    """Makes next_observation after finished users were replaced: a common mistake."""

    def step(self, slate):
        step = super().step(slate)
        return step._replace(next_observation=step.observation)


class TruncatesWithNothingLeft(ToyEnvironment):
    """Cuts sessions in a state in which no item may be shown, so that learning would bootstrap from it."""

    def step(self, slate):
        step = super().step(slate)
        following = step.next_observation.clone()
        following.candidates[step.truncated] = PAD
        return step._replace(next_observation=following)


class TerminatesWithNothingLeft(ToyEnvironment):
    def step(self, slate):
        step = super().step(slate)
        following = step.next_observation.clone()
        following.candidates[step.terminated] = PAD
        return step._replace(next_observation=following)


class NeverReplaces(ToyEnvironment):
    def step(self, slate):
        step = super().step(slate)
        self.history.items, self.history.feedback = step.next_observation.history_items, step.next_observation.history_feedback
        return step._replace(observation=self._observation())


class ForgetsTheSlate(ToyEnvironment):
    def step(self, slate):
        return super().step((slate + 1) % self.spec.num_items)


class MixesUpSignals(ToyEnvironment):
    def step(self, slate):
        step = super().step(slate)
        step.next_observation.history_feedback = step.next_observation.history_feedback.flip(2)
        step.observation.history_feedback = step.observation.history_feedback.flip(2)
        self.history.feedback = self.history.feedback.flip(2)
        return step


class RedrawsTheVisit(ToyEnvironment):
    def step(self, slate):
        step = super().step(slate)
        self._draw_visit()
        return step._replace(observation=self._observation())


class InPlace(ToyEnvironment):
    def step(self, slate):
        shown_to = self.user
        step = super().step(slate)
        shown_to.add_(1).remainder_(len(DATA.users))
        return step


class Unseeded(ToyEnvironment):
    def reset(self, seed):
        return super().reset(seed if not hasattr(self, "user") else int(self.user.sum()))


class GlobalDraws(ToyEnvironment):
    def step(self, slate):
        torch.rand(1)
        return super().step(slate)


class UnequalDraws(ToyEnvironment):
    def step(self, slate):
        torch.rand(int(slate.sum()) % 5 + 1, generator=self.generator)
        return super().step(slate)


class HidesItsGenerator(ToyEnvironment):
    def state_dict(self):
        return {name: value for name, value in super().state_dict().items() if name != "generator"}

    def load_state_dict(self, state):
        return super().load_state_dict({**state, "generator": self.generator.get_state()})


class ForgetsTheClock(ToyEnvironment):
    def load_state_dict(self, state):
        return super().load_state_dict({**state, "steps": torch.zeros_like(self.steps)})


class ForgetsTheUsers(ToyEnvironment):
    def load_state_dict(self, state):
        return super().load_state_dict({**state, "user": torch.zeros_like(self.user)})


class ReturnsNothing(ToyEnvironment):
    def load_state_dict(self, state):
        super().load_state_dict(state)


class SavesNumpy(ToyEnvironment):
    def state_dict(self):
        return {**super().state_dict(), "clock": np.zeros(3)}


class TruthChangesState(ToyEnvironment):
    def truth(self):
        torch.rand(1, generator=self.generator)
        return super().truth()


class TruthWithoutClicks(ToyEnvironment):
    def truth(self):
        truth = super().truth()
        return Truth({"rating": truth.signals["rating"]}, truth.leave)


class ImpossibleLeave(ToyEnvironment):
    def truth(self):
        return super().truth()._replace(leave=torch.full((6, len(DATA.catalog)), 1.5))


class TruthAsTuple(ToyEnvironment):
    def truth(self):
        return tuple(super().truth())


class ObservesDicts(ToyEnvironment):
    def reset(self, seed):
        return super().reset(seed).to_dict()


class ObservesUnbatched(ToyEnvironment):
    def reset(self, seed):
        observation = super().reset(seed)
        observation.batch_size = []
        return observation


class OddReport(ToyEnvironment):
    def report(self):
        return {"error": "large"}


def test_an_object_of_another_type_is_refused():
    with pytest.raises(ConformanceError, match="must subclass"):
        check_environment(object())


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (set_field("user", lambda user: user.float()), "user must be torch.int64, not torch.float32"),
        (set_field("user", lambda user: user + 1000), r"user must contain rows of Data\.users, from 0 to 59"),
        (set_field("user", lambda user: user.unsqueeze(1)), r"user must have the shape \[6\], not \[6, 1\]"),
        (set_field("context", lambda context: context + 10), r"context must contain rows of Data\.contexts"),
        (set_field("context", lambda _: None), "context is missing, which contradicts spec.has_context"),
        (set_field("features", lambda _: None), "features is missing"),
        (set_field("features", lambda features: features / 0), "features contains NaN or infinity"),
        (set_field("candidates", lambda _: None), "candidates is missing"),
        (set_field("candidates", lambda candidates: candidates[:, :1].expand(-1, 7)), "contains an item twice"),
        (set_field("candidates", lambda candidates: torch.full_like(candidates, PAD)), "fewer than slate_size items"),
        (set_field("candidates", lambda candidates: candidates + 1000), "must contain item numbers from 0 to 39"),
        (set_field("history_items", padding_after), "PAD after an item"),
        (set_field("history_items", lambda items: items.clamp(min=-2) - 1), "must contain item numbers"),
        (set_field("history_feedback", lambda feedback: feedback + 1), "must be 0 where history_items is PAD"),
        (set_field("history_feedback", lambda feedback: feedback[:, :, :1]), r"must have the shape \[6, 5, 2\]"),
        (breaking_steps(lambda step, *_: tuple(step)), "must return a recframe.interfaces.Step, not tuple"),
        (breaking_steps(renamed), r"has the signals \['rating', 'tap'\]"),
        (with_signals(lambda values: values.double()), "must be torch.float32"),
        (with_signals(lambda values: values / 0), "NaN or infinity"),
        (with_signals(lambda values: values.sum(dim=1)), "must have the shape"),
        (with_signals(lambda values: torch.where(values == 0, -0.0, values)), "has a negative zero"),
        (with_signals(lambda values: values + 1), "history_feedback does not end with the response"),
        (breaking_steps(leaving), "a user left"),
        (breaking_steps(lambda step, *_: step._replace(terminated=step.terminated.float())), "terminated must be torch.bool"),
        (LosesTheLast, "of a finished user is not their last one"),
        (TruncatesWithNothingLeft, "next_observation leaves a user with fewer than slate_size items.*must be terminated, not truncated"),
        (NeverReplaces, "still shows a finished user's session"),
        (ForgetsTheSlate, "does not end with the slate just shown"),
        (MixesUpSignals, "does not end with the response"),
        (RedrawsTheVisit, "observation and next_observation differ in candidates"),
        (InPlace, "changed user of the previous observation in place"),
        (Unseeded, "the same seed and the same slates gave another session"),
        (GlobalDraws, "draws from torch's global random state"),
        (UnequalDraws, "the number of random draws in a step depends on the slates"),
        (HidesItsGenerator, "contains no generator state"),
        (ForgetsTheClock, "continued differently"),
        (ForgetsTheUsers, "continued differently"),
        (ReturnsNothing, "must return the observation that the next step acts on"),
        (SavesNumpy, "does not survive torch.load"),
        (TruthChangesState, "it must only read it"),
        (TruthWithoutClicks, r"truth\(\)\.signals has \['rating'\]"),
        (ImpossibleLeave, "must be a probability"),
        (TruthAsTuple, "must return recframe.interfaces.Truth or None, not tuple"),
        (ObservesDicts, "must be a recframe.interfaces.Observation, not dict"),
        (ObservesUnbatched, r"must have batch_size=\[6\], not \[\]"),
        (breaking_steps(lambda step, *_: step._replace(response={})), "must be a recframe.interfaces.Response, not dict"),
        (breaking_steps(lambda step, *_: step._replace(terminated=[False] * 6)), "terminated must be a tensor, not list"),
        (breaking_steps(lambda step, *_: step._replace(truncated=step.truncated.to("meta"))), "truncated must be on cpu, not meta"),
        (OddReport, "must return a dict of strings to floats"),
    ],
)
def test_a_broken_environment_is_reported(environment, message):
    with pytest.raises(ConformanceError, match=message):
        check_environment(environment(toy_spec(DATA, **RICH), DATA), DATA)


def test_contexts_without_texts_in_the_data_are_reported():
    environment = ToyEnvironment(toy_spec(DATA, has_context=True), DATA)
    with pytest.raises(ConformanceError, match="the data has no contexts"):
        check_environment(environment, DATA._replace(contexts=None))


def test_a_specification_of_another_type_is_reported():
    environment = ToyEnvironment(toy_spec(DATA), DATA)
    environment.spec = vars(environment.spec)
    with pytest.raises(ConformanceError, match="must be an EnvironmentSpec, not dict"):
        check_environment(environment)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signals": ("click", "click")}, "repeats a name"),
        ({"signals": ()}, "at least one name"),
        ({"num_users": 0}, "num_users must be at least 1"),
        ({"slate_size": 8}, "only 7 items can be shown"),
    ],
)
def test_a_broken_specification_is_reported(change, message):
    environment = ToyEnvironment(toy_spec(DATA, **RICH), DATA)
    environment.spec = replace(environment.spec, **change)
    with pytest.raises(ConformanceError, match=message):
        check_environment(environment)


def test_undeclared_features_are_reported():
    environment = set_field("features", lambda _: torch.zeros(6, 2))(toy_spec(DATA), DATA)
    with pytest.raises(ConformanceError, match=r"features is set, which contradicts spec\.num_features: leave it None"):
        check_environment(environment)


def broken_evaluation(people):
    """An environment whose `start_evaluation` says that it met `people(environment)`."""

    class Broken(ToyEnvironment):
        starts = 0

        def start_evaluation(self, seed):
            self.starts += 1
            return self.reset(seed), people(self)

    return Broken(toy_spec(DATA), DATA)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        (lambda environment: torch.zeros(2, dtype=torch.int64), "the people of start_evaluation"),
        (lambda environment: torch.zeros(environment.spec.num_users), "the people of start_evaluation"),
        (lambda environment: torch.arange(environment.spec.num_users) + environment.starts, "with the same seed met other people"),
    ],
)
def test_the_people_of_an_evaluation_are_checked(people, message):
    with pytest.raises(ConformanceError, match=message):
        check_environment(broken_evaluation(people), DATA)
