"""An agent that answers many questions with the same weights: what does not depend on the question is computed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from recframe.attribution import items_problem, require_sound, slate_problem, tensor_problem
from recframe.interfaces import Agent, Observation
from recframe.serving.query_error import QueryError


class PreparedAgent:
    """An agent that answers questions, in evaluation mode.

    `Agent.prepare_to_act`, which projects all items, is called before the first question, and again only when a weight has changed. After
    each answer the agent's generator is as it was: the same question gets the same answer.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent.eval()
        self._generator_state = agent.generator.get_state()
        self._tensors = [*agent.parameters(), *agent.buffers()]
        self._weights: list[int] | None = None
        self._drew = False

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The agent's k best items `[N, k]`, checked after a preparation; `PAD` where there are fewer.

        Raises
        ------
        recframe.attribution.ComponentFailure: naming the agent.
        """
        checked = self.prepare()
        with self.generator_kept():
            ranked = self.agent.rank(observation, k)
            self._drew = self._drew_since(self._generator_state)
        if not checked:
            spec, shape, what = self.agent.spec, (len(observation.user), k), "the ranking of rank"
            problem = tensor_problem(ranked, what, shape, "[N, k]", spec.device, torch.int64)
            require_sound(self.agent, problem or items_problem(ranked, what, spec.num_items, padded=True))
        return ranked

    @torch.no_grad()
    def slates(self, observation: Observation) -> Tensor:
        """The agent's slates `[N, K]`, checked after a preparation.

        Raises
        ------
        recframe.attribution.ComponentFailure: naming the agent.
        """
        checked = self.prepare()
        with self.generator_kept():
            slate = self.agent.act(observation, explore=False).slate
            self._drew = self._drew_since(self._generator_state)
        if not checked:
            require_sound(self.agent, slate_problem(slate, self.agent.spec, len(observation.user)))
        return slate

    @torch.no_grad()
    def scores(self, observation: Observation, items: Tensor) -> Tensor | None:
        """The scores `[N, C]` of `items` `[N, C]` by which the agent ranks; None: it has none."""
        self.prepare()
        with self.generator_kept():
            return self.agent.scores_of_items(observation, items)

    @torch.no_grad()
    def scores_of_all(self, observation: Observation) -> Tensor | None:
        """The scores `[N, M]` of all items, up to a constant for each person; None: the agent has none."""
        self.prepare()
        with self.generator_kept():
            return self.agent.scores_of_all(observation)

    @torch.no_grad()
    def exploring(self, observation: Observation, k: int, seed: int) -> Tensor:
        """The items `[N, j]`, j <= k or more, that the agent shows when it explores, with its generator in the state of a seed.

        Raises
        ------
        QueryError: it draws nothing from its generator.
        """
        self.prepare()
        generator = self.agent.generator
        with self.generator_kept():
            before = generator.manual_seed(seed).get_state()
            items = self.agent.exploring_items(observation, k)
            random = self._drew_since(before)
        if not random:
            # it may have noted what it showed
            self._weights = None
            raise QueryError("exploration.kind: thompson needs a policy that draws at random when it explores; choose epsilon or boltzmann")
        return items

    def draws_at_random(self) -> bool:
        """Whether the last ranking, or the last slates, were drawn at random: each person's then depend on who else was asked about."""
        return self._drew

    def prepare(self) -> bool:
        """Prepare the agent for its current weights. Returns whether it was prepared before."""
        now = [tensor._version for tensor in self._tensors]
        if now == self._weights:
            return True
        self.agent.prepare_to_act()
        self._weights = [tensor._version for tensor in self._tensors]
        return False

    def _drew_since(self, state: Tensor) -> bool:
        return not torch.equal(self.agent.generator.get_state(), state)

    @contextmanager
    def generator_kept(self) -> Iterator[None]:
        """Give the agent its generator back after the block, as it was when it was loaded."""
        try:
            yield
        finally:
            self.agent.generator.set_state(self._generator_state)
