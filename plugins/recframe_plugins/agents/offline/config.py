"""Options of the agents that learn from logs. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.agent_options import ReplayConfig, WorkingSetConfig
from recframe.components import FLOAT, MemoryNeed, Sizes, option
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.q_learning.config import DeepQConfig, ValueLearningConfig
from recframe_plugins.agents.sequence_models.config import SequenceModelConfig


@dataclass
class SQNConfig(DeepQConfig):
    """A next-item model with a Q head on the same state (SQN; Xin et al., 2020)."""

    gamma: float = option(0.5, "discount of the next step's value; 0.5 is the paper's", ge=0, le=1)
    q_weight: float = option(1.0, "weight of the temporal-difference loss, added to the cross-entropy", ge=0)


@dataclass
class SA2CConfig(SQNConfig):
    """SQN with negative actions and a cross-entropy weighted by advantages (SA2C; Xin et al., 2022)."""

    negatives: int = option(10, "items drawn uniformly for each item taken, as actions without success", ge=1)
    negative_reward: float = option(0.0, "reward of a negative")
    warmup_updates: int = option(2_000, "updates before the cross-entropy is weighted; until then advantages say little (SNQN)", ge=0)

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The negatives of a batch."""
        settings = f"agent.negatives={self.negatives} with agent.batch_size={self.batch_size}"
        yield MemoryNeed(settings, "the negatives of a batch", 8 * self.negatives * self.batch_size)


@dataclass
class CQLConfig(DeepQConfig):
    """Conservative Q-learning (CQL; Kumar et al., 2020)."""

    alpha: float = option(1.0, "weight of the conservative term; 0: double DQN", ge=0)


@dataclass
class BCQConfig(DeepQConfig):
    """Q-learning among items that the log supports (discrete BCQ; Fujimoto et al., 2019)."""

    threshold: float = option(
        0.3, "least probability of an item that may be chosen, as a share of the most probable one's; 0: any item", ge=0, le=1
    )


@dataclass
class CRRConfig(ValueLearningConfig):
    """Imitation of items taken that are better than the policy's own (CRR; Wang et al., 2020)."""

    weighting: str = option(
        "exp", "binary: imitate items with a positive advantage; exp: all, weighted by exp(advantage / beta)", choices=["binary", "exp"]
    )
    beta: float = option(1.0, "exp: the advantage that multiplies a weight by e", gt=0)
    weight_cap: float = option(20.0, "exp: largest weight", gt=0)

    def contradictions(self) -> Iterator[str]:
        """Settings of the other weighting."""
        if self.weighting == "binary" and (self.beta != 1.0 or self.weight_cap != 20.0):
            yield "agent.beta and agent.weight_cap are for agent.weighting=exp: with binary, leave them at 1 and 20"


@dataclass
class IQLConfig(ValueLearningConfig):
    """Values of the best items that the log supports, and a policy weighted by advantages (IQL; Kostrikov et al., 2022)."""

    expectile: float = option(
        0.7, "expectile of the items' values that a state is worth (tau); 0.5: their mean, towards 1: the best", gt=0, lt=1
    )
    beta: float = option(3.0, "how strongly the policy prefers advantages; 0: it imitates the log", ge=0)
    weight_cap: float = option(100.0, "largest weight of an item in the policy's loss", gt=0)


@dataclass
class TD3BCConfig(DDPGConfig):
    """TD3 over items, pulled towards the items taken (TD3+BC; Fujimoto & Gu, 2021)."""

    critics: int = option(2, "number of critics; targets use the smallest of their values: 1, or 2 as in TD3", ge=1, le=2)
    actor_interval: int = option(2, "critic updates for each update of the actor and the target networks", ge=1)
    target_noise: float = option(0.2, "standard deviation of the noise on the target's proposal, of length 1", ge=0)
    alpha: float = option(2.5, "weight of the critic's value, in units of its mean size; 0: imitation alone", ge=0)


@dataclass
class TopKReinforceConfig(WorkingSetConfig, ReplayConfig):
    """REINFORCE on another policy's log, with off-policy and top-K correction (Chen et al., 2019).

    Inherited from `ReplayConfig`: batch_size, replay_capacity, learning_starts, updates_per_chunk.
    Inherited from `WorkingSetConfig`: whole_catalog_items, working_items.
    """

    gamma: float = option(0.97, "discount of later rewards", ge=0, le=1)
    horizon: int = option(20, "rewards in the return of an item; later ones do not count", ge=1)
    learning_rate: float = option(5e-4, "Adam's step size", gt=0, le=10)
    k: int = option(10, "items that will be shown together (K of the top-K correction); 1: no such correction", ge=1)
    weight_cap: float = option(10.0, "largest importance weight (c); a smaller one has less variance and more bias", gt=0)
    normalize_weights: bool = option(False, "divide importance weights by their mean over the batch")
    temperature: float = option(1.0, "divides the scores in the softmax: the higher, the more uniform the policy at the start", gt=0)


@dataclass
class FilteredBCConfig(SequenceModelConfig):
    """A sequence model of the sequences with the best returns (filtered behaviour cloning)."""

    share: float = option(0.1, "share of the sequences that are imitated; 1: all of them, behaviour cloning", gt=0, le=1)
    filter_by: str = option(
        "return", "return: the sum of a sequence's rewards, which prefers long ones; mean: their mean", choices=["return", "mean"]
    )

    def contradictions(self) -> Iterator[str]:
        """A way to filter where all sequences are kept."""
        if self.share == 1.0 and self.filter_by != "return":
            yield f"agent.filter_by={self.filter_by} says which sequences are the best, but agent.share=1 keeps all: set share below 1"


@dataclass
class DecisionTransformerConfig(WorkingSetConfig):
    """A transformer that is asked for items with which a high return follows (Chen et al., 2021).

    Inherited from `WorkingSetConfig`: whole_catalog_items, working_items.
    """

    batch_size: int = option(64, "sequences per update", ge=1)
    learning_rate: float = option(5e-4, "Adam's step size", gt=0, le=10)
    horizon: int = option(10, "interactions after those read whose rewards a return counts, if the sequence has as many", ge=1)
    target_return: float | None = option(
        None, "sum of rewards asked for, from the beginning of the sequence or after the oldest item read; null: by target_quantile"
    )
    target_quantile: float = option(0.9, "share of the logged sequences whose return that asked for reaches or exceeds", ge=0, le=1)
    width: int = option(64, "numbers in a token of the transformer", ge=1)
    layers: int = option(2, "layers of the transformer", ge=1)
    heads: int = option(2, "attention heads of a layer; width must be a multiple of it", ge=1)

    def contradictions(self) -> Iterator[str]:
        """Widths that heads do not divide, and two targets."""
        if self.width % self.heads:
            yield f"agent.width ({self.width}) must be a multiple of agent.heads ({self.heads}): each head reads an equal part of a token"
        if self.target_return is not None and self.target_quantile != 0.9:
            yield (
                f"agent.target_return={self.target_return:g} and agent.target_quantile={self.target_quantile:g} both set the return asked "
                "for: leave target_quantile at 0.9, or set target_return=null"
            )

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The weights of the layers: attention, and a feed-forward part four times as wide."""
        settings = f"agent.layers={self.layers} with agent.width={self.width}"
        yield MemoryNeed(settings, "the weights of the transformer", 12 * FLOAT * self.layers * self.width**2)
