"""Options of the agents that learn on-policy; light, so that composing a config imports no torch."""

from dataclasses import dataclass

from recframe.agent_options import WorkingSetConfig
from recframe.components import option


@dataclass
class OnPolicyConfig(WorkingSetConfig):
    """What every agent with a softmax policy over items and a learned state value is asked."""

    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    learning_rate: float = option(1e-3, "Adam's step size", gt=0)
    network: str = option(
        "separate",
        "separate: policy and value have a state tracker and an optimizer each; shared: two heads on one tracker, one loss",
        choices=["separate", "shared"],
    )
    value_learning_rate: float | None = option(None, "Adam's step size for the value of network: separate; null: learning_rate", gt=0)
    value_weight: float = option(0.5, "weight of the value's loss beside the policy's where the network is shared", gt=0)
    entropy_weight: float = option(0.01, "weight of the policy's entropy: what keeps it from choosing too soon", ge=0)
    normalize_advantages: bool = option(
        False,
        "bring each chunk's advantages to mean 0 and standard deviation 1; where nothing is left to learn, noise is brought there too",
    )
    temperature: float = option(1.0, "divides the scores in the softmax: the higher, the more alike items' probabilities start", gt=0)
    greedy_evaluation: bool = option(True, "show the most likely slate when not exploring; false: draw it, as in training")


@dataclass
class ReinforceConfig(OnPolicyConfig):
    """REINFORCE with a learned baseline (Williams, 1992); for slates, the top-K correction of Chen et al. (2019) as an option."""

    top_k_correction: bool = option(False, "learn slates item by item with the top-K correction, instead of by the slate's probability")


@dataclass
class ActorCriticConfig(OnPolicyConfig):
    """Advantage actor-critic (A2C) with generalized advantages (Schulman et al., 2016); the preset ppo clips its steps."""

    gae_lambda: float = option(
        0.95, "how far advantages look beyond the value's word: 0 one step, 1 to the end of chunk or session", ge=0, le=1
    )
    clip_range: float | None = option(
        None, "how far a probability ratio may move and still pay (PPO's epsilon); null: no clipping (A2C)", gt=0
    )
    epochs: int = option(1, "times each chunk is learned from; more than once takes a clip_range", ge=1)
    minibatches: int = option(1, "parts each epoch is cut into, a step each; more than one takes a clip_range", ge=1)
    value_clip: float | None = option(None, "how far a value may move from where it was and still pay; null: any distance", gt=0)
    target_kl: float | None = option(None, "divergence from the policy that acted beyond which a chunk's further epochs are skipped", gt=0)
