"""The language policy as an agent: it acts and ranks by its generator, and dispatches its batches to the rules that learn from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.components import require_consistent
from recframe.interfaces import (
    Agent,
    Decision,
    EnvironmentSpec,
    Experience,
    Log,
    Observation,
    StageName,
    StateTracker,
    Transition,
)
from recframe.item_agents import adam, as_ranking
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.generator import ItemGenerator
from recframe_plugins.agents.language_policy.logged.build import logged_rule
from recframe_plugins.agents.language_policy.logged.logged_items import LoggedItems
from recframe_plugins.agents.language_policy.losses import reference_kl
from recframe_plugins.agents.language_policy.reference import Reference
from recframe_plugins.agents.language_policy.rules import OPTIMIZER, LearningRule


class LanguagePolicy(Agent):
    """Recommends the items that a causal language model writes, code by code (`ItemGenerator`)."""

    def __init__(self, config: LanguagePolicyConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        require_consistent(config)
        self.config = config
        self.policy = ItemGenerator(config, spec, state_tracker)
        self.reference = Reference()
        self.logged_items = LoggedItems()
        self.latest: dict[str, Tensor] = {}
        self._codes_told = False
        self._rules: dict[StageName, LearningRule] = {"logged": logged_rule(config, spec)}

    @property
    def experience(self) -> Experience:
        """That of the stage whose rule is set; of the logged stage if both are, or neither is."""
        return self.experience_in("simulated" if self.config.learning and not self.config.logged_learning else "logged")

    def experience_in(self, stage: StageName) -> Experience:
        """Whole sequences or transitions of a log, and chunks in a simulator."""
        return self.rule(stage).experience

    def rule(self, stage: StageName) -> LearningRule:
        """The rule of a stage.

        Raises
        ------
        ValueError: the simulated rule cannot learn with this state tracker, or in this environment.
        """
        if stage not in self._rules:
            from recframe_plugins.agents.language_policy.simulated.build import simulated_rule

            self._rules[stage] = simulated_rule(self.config, self.spec, self.policy.prompt.state_tracker)
        return self._rules[stage]

    def prepare_to_learn(self, log: Log) -> None:
        """Read which items occur in the log, and what others are worth in their place."""
        self.logged_items = LoggedItems.of(log)
        self.rule("logged").prepare_to_learn(log)

    @torch.no_grad()
    def kl(self, observation: Observation, stage: StageName) -> Tensor:
        """An estimate of KL(policy || reference) in these observations, from an item that the policy draws in each; a scalar."""
        items = self.policy.draw(observation, self.generator, k=1).slate
        reference = self.reference(self.policy, stage, lambda policy: policy.log_prob_of_items(observation, items))
        return reference_kl(self.policy.log_prob_of_items(observation, items), reference).mean()

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """A slate drawn from the policy, or, without exploration, the most probable items, unless `greedy_evaluation` is off."""
        return self.policy.draw(observation, self.generator, explore or not self.config.greedy_evaluation)

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The k most probable items that beam search finds."""
        num_items = self.spec.num_items
        return as_ranking(observation, self.policy.rank(observation, min(k, num_items)).items, num_items, k)

    @torch.no_grad()
    def scores_of_items(self, observation: Observation, items: Tensor) -> Tensor:
        """log P(i | s), -inf for items that may not be shown."""
        return self.policy.log_prob_of_items(observation, items)

    @torch.no_grad()
    def scores_of_all(self, observation: Observation) -> Tensor:
        """log P(i | s) of all items."""
        return self.policy.log_probs(observation)

    @torch.no_grad()
    def exploring_items(self, observation: Observation, k: int) -> Tensor:
        """k items drawn from the policy."""
        return self.policy.draw(observation, self.generator, k=k).slate

    def losses(self, batch: Any) -> Iterator[tuple[str, Tensor]]:
        """The losses of the rule of the batch's stage."""
        stage: StageName = "simulated" if isinstance(batch, Transition) and batch.reward.dim() == 2 else "logged"
        yield from self.rule(stage).losses(self, batch)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on all parameters that are trained."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return {OPTIMIZER: adam(trained, self.config.learning_rate)}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """What was written since the last call, and the measures of the last update; at first also those of the codes, which stay."""
        book, told = self.policy.book, self._codes_told and not self.policy.book.replaced
        codes = {} if told else {f"codes/{name}": value for name, value in book.report().items()}
        self._codes_told, book.replaced = True, False
        return {**codes, **self.policy.statistics.take(), **self.latest}

    def get_extra_state(self) -> dict[str, Any]:
        """The state of `Agent`, the reference, what the rules keep between batches, and what is to be logged next."""
        rules = {stage: rule.state_dict() for stage, rule in self._rules.items()}
        logged = {"statistics": self.policy.statistics.state_dict(), "codes_told": self._codes_told, "latest": dict(self.latest)}
        return super().get_extra_state() | {"reference": self.reference.state_dict(), "rules": rules, **logged}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        super().set_extra_state(state)
        self.reference.load_state_dict(state["reference"], self.spec.device)
        for stage, saved in state["rules"].items():
            self.rule(stage).load_state_dict(saved)
        # checkpoints of earlier releases do not have what is to be logged
        self.policy.statistics.load_state_dict(state.get("statistics", {}))
        self.latest = {name: value.to(self.spec.device) for name, value in state.get("latest", {}).items()}
        self._codes_told = state.get("codes_told", False)
