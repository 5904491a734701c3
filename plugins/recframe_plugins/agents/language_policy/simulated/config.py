"""Options of learning in a simulator. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from recframe.components import option

SIMULATED_RULES = ("reinforce", "ppo", "grpo")
USED_BY = {
    "gae_lambda": ("ppo",),
    "value_weight": ("reinforce", "ppo"),
    "minibatches": ("ppo", "grpo"),
    "credit": ("grpo",),
}
"""The rules that read an option which not all of them read."""


@dataclass
class SimulatedLearningConfig:
    """Options of the rules of the simulated stage."""

    learning: str | None = option(
        None,
        "how the simulated stage learns: reinforce, ppo, or grpo, which needs environment.group_size; null: ppo",
        choices=SIMULATED_RULES,
    )
    gamma: float = option(
        0.97, "reinforce, ppo: discount of the next step's value; grpo with credit=step: of the next step's reward", ge=0, le=1
    )
    gae_lambda: float = option(0.5, "ppo: lambda of the generalized advantages", ge=0, le=1)
    value_weight: float = option(0.5, "reinforce, ppo: weight of the value's loss, added to the policy's", gt=0)
    entropy_weight: float = option(
        0.01, "simulated stage: weight of the slate's entropy (in grpo a code's), which keeps exploration going", ge=0
    )
    normalize_advantages: bool = option(
        True, "simulated stage: divide advantages by their standard deviation, in a chunk or, in grpo, in a group"
    )
    minibatches: int = option(16, "ppo, simulated grpo: optimizer steps per pass", ge=1)
    credit: str = option(
        "step",
        "simulated grpo: what is compared within a group. session: the returns of the sessions, for all their steps alike; step: what "
        "each session still gives from that step on",
        choices=["session", "step"],
    )
    greedy_evaluation: bool = option(True, "without exploration, show the most probable slate; false: draw it, as in training")

    def learning_problems(self) -> Iterator[str]:
        """Options that the chosen rule does not read."""
        rule = self.learning or "ppo"
        defaults = {field.name: field.default for field in fields(self)}
        for name, rules in USED_BY.items():
            if getattr(self, name) != defaults[name] and rule not in rules:
                yield f"agent.{name} is for agent.learning={' and '.join(rules)}, not {rule}: leave it out"
        if rule == "grpo" and self.credit == "session" and self.gamma != defaults["gamma"]:
            yield "agent.gamma is not read with agent.credit=session, which compares whole returns: leave it out"
