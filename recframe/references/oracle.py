"""The oracle: the items of highest true expected reward."""

from __future__ import annotations

from torch import Tensor

from recframe.evaluation.simulated.rollout import InformedPolicy
from recframe.experience import RewardSum
from recframe.interfaces import Observation, Truth, best_items


class OraclePolicy(InformedPolicy):
    """Shows each user the items of highest `expected reward - leave_penalty * probability of leaving`, both true values.

    It is an upper reference for *information*: it knows every user's response to every item now. It is not proven to plan optimally. Its
    score leaves out how showing an item changes later tastes, the penalty only stands for the value of the rest of the session,
    and each item of a slate is scored as if it were shown alone, so a policy that plans well can beat it. With `leave_penalty=0` it
    is the myopic oracle. Evaluation uses the penalty with the best return on training people (`tuned_oracle`), so it keeps its users
    where leaving dominates. Its score holds only the reward terms that depend on an item and its own signals (`RewardSum.itemwise`).
    """

    def __init__(self, rewards: RewardSum, slate_size: int, leave_penalty: float = 0.0) -> None:
        self.rewards = rewards
        self.slate_size = slate_size
        self.leave_penalty = leave_penalty

    def choose(self, observation: Observation, turn: int, truth: Truth) -> Tensor:
        """The best slates `[N, K]` by the true scores."""
        scores = self.rewards.itemwise(truth.signals) - self.leave_penalty * truth.leave
        return best_items(observation, scores, self.slate_size)
