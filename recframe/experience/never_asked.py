"""Any environment without its questions, for policies that recommend only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from recframe.attribution import mark, origin_of
from recframe.experience.cold_items import EnvironmentWithoutItems
from recframe.interfaces import Environment, Observation, Step, Truth, without_questions


def never_asked(environment: Environment) -> Environment:
    """The environment as those see it who know its items alone; itself, if it has no questions."""
    if not environment.spec.num_questions:
        return environment
    if isinstance(environment, EnvironmentWithoutItems):
        return EnvironmentWithoutItems(never_asked(environment.environment), environment.withheld)
    return EnvironmentWithoutQuestions(environment)


def items_of(truth: Truth, first_question: int) -> Truth:
    """The truth about the items alone, which come before the questions."""
    signals = {name: values[:, :first_question] for name, values in truth.signals.items()}
    return Truth(signals, truth.leave[:, :first_question])


class EnvironmentWithoutQuestions(Environment):
    """An environment in which no question can be asked: its catalogue ends before the first, and none is among the candidates.

    Items keep their numbers.
    """

    def __init__(self, environment: Environment) -> None:
        inner = environment.spec
        self.environment = environment
        mark(self, origin_of(environment))
        self.first_question = inner.first_question
        candidates = inner.num_candidates - inner.num_questions if inner.num_candidates else 0
        self.spec = replace(inner, num_items=inner.first_question, num_questions=0, num_candidates=candidates)

    def reset(self, seed: int) -> Observation:
        """Start N new sessions."""
        return self._items_alone(self.environment.reset(seed))

    def start_evaluation(self, seed: int) -> tuple[Observation, Tensor]:
        """Start N new sessions of as many different people as there are."""
        observation, people = self.environment.start_evaluation(seed)
        return self._items_alone(observation), people

    def step(self, slate: Tensor) -> Step:
        """Show the slate and observe."""
        step = self.environment.step(slate)
        return step._replace(next_observation=self._items_alone(step.next_observation), observation=self._items_alone(step.observation))

    def state_dict(self) -> dict[str, Any]:
        """The state of the wrapped environment."""
        return self.environment.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Restore the wrapped environment."""
        return self._items_alone(self.environment.load_state_dict(state))

    @property
    def always_excluded(self) -> Tensor | None:
        """Those of the wrapped environment."""
        return self.environment.always_excluded

    def truth(self) -> Truth | None:
        """The truth of the wrapped environment, for the items."""
        truth = self.environment.truth()
        return None if truth is None else items_of(truth, self.first_question)

    def report(self) -> dict[str, float]:
        """The report of the wrapped environment."""
        return self.environment.report()

    def caveats(self) -> tuple[str, ...]:
        """Those of the wrapped environment."""
        return self.environment.caveats()

    def _items_alone(self, observation: Observation) -> Observation:
        if observation.candidates is None:
            return observation
        copy = without_questions(observation, self.first_question)
        # the questions are among the candidates of every user: without them, the others are as many for everybody
        assert copy.candidates is not None
        order = (copy.candidates < 0).long().argsort(dim=1, stable=True)[:, : self.spec.num_candidates]
        copy.candidates = copy.candidates.gather(1, order)
        return copy
