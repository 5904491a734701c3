"""Reference policies in a world in which questions may be asked: they recommend in every turn."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any

from torch import Tensor

from recframe.evaluation.simulated.rollout import AnyPolicy, InformedPolicy
from recframe.experience import items_of
from recframe.interfaces import Observation, Truth, without_questions


def never_asking(policy: AnyPolicy, first_question: int) -> AnyPolicy:
    """A policy that was fitted where no question can be asked (`recframe.experience.never_asked`), for an environment with questions."""
    return InformedNeverAsking(policy, first_question) if isinstance(policy, InformedPolicy) else NeverAsking(policy, first_question)


class NeverAsking(AbstractContextManager[Any]):
    """Gives the wrapped policy observations without questions; entered, it enters the policy, if that can be."""

    def __init__(self, policy: Any, first_question: int) -> None:
        self.policy = policy
        self.first_question = first_question
        self._entered = ExitStack()

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """The policy's slates `[N, K]` of items."""
        slates: Tensor = self.policy(without_questions(observation, self.first_question), turn)
        return slates

    def __enter__(self) -> NeverAsking:
        if isinstance(self.policy, AbstractContextManager):
            self._entered.enter_context(self.policy)
        return self

    def __exit__(self, *error: Any) -> None:
        self._entered.close()


class InformedNeverAsking(InformedPolicy):
    """The same for a policy that chooses with the truth, of which it gets the part about items."""

    def __init__(self, policy: InformedPolicy, first_question: int) -> None:
        self.policy = policy
        self.first_question = first_question

    def choose(self, observation: Observation, turn: int, truth: Truth) -> Tensor:
        """The policy's slates `[N, K]` of items."""
        return self.policy.choose(without_questions(observation, self.first_question), turn, items_of(truth, self.first_question))
