"""A trained agent as the policy that would be deployed."""

from __future__ import annotations

from types import TracebackType

import torch
from torch import Tensor

from recframe.attribution import items_problem, require_sound, slate_problem, tensor_problem
from recframe.interfaces import Agent, Observation


class AgentPolicy:
    """An agent without exploration, in simulated sessions and on logs. As a context manager it puts the networks into evaluation mode.

    On exit it restores every module's mode and the agent's generator. A training run is the same with and without evaluations in
    between, and two evaluations of one agent are the same.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._modes: dict[torch.nn.Module, bool] = {}
        self._generator_state = agent.generator.get_state()
        self._ready_to_rank = False

    def __enter__(self) -> AgentPolicy:
        self._modes = {module: module.training for module in self.agent.modules()}
        self._generator_state = self.agent.generator.get_state()
        self._ready_to_rank = False
        self.agent.eval()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for module, mode in self._modes.items():
            module.training = mode
        self.agent.generator.set_state(self._generator_state)

    # not inference_mode: the tensors that prepare_to_act keeps could not be used in training afterwards
    @torch.no_grad()
    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """The agent's slates `[N, K]`, which are checked at turn 0. `prepare_to_act` is called before it.

        Raises
        ------
        ComponentFailure: naming the agent.
        """
        if turn == 0:
            self.agent.prepare_to_act()
        slate: Tensor = self.agent.act(observation, explore=False).slate
        if turn == 0:
            require_sound(self.agent, slate_problem(slate, self.agent.spec, len(observation.user)))
        return slate

    @property
    def reads_whole_history(self) -> bool:
        """Whether `rank` is to be given whole histories."""
        return self.agent.reads_whole_history

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The agent's k best items `[N, k]`. `prepare_to_act` is called before the first of an evaluation, whose items are checked.

        Raises
        ------
        ComponentFailure: naming the agent.
        """
        if self._ready_to_rank:
            return self.agent.rank(observation, k)
        self.agent.prepare_to_act()
        ranked = self.agent.rank(observation, k)
        spec, shape, what = self.agent.spec, (len(observation.user), k), "the ranking of rank"
        problem = tensor_problem(ranked, what, shape, "[N, k]", spec.device, torch.int64)
        require_sound(self.agent, problem or items_problem(ranked, what, spec.num_items, padded=True))
        self._ready_to_rank = True
        return ranked
