"""Options of REINFORCE and actor-critic. Imports no torch."""

from dataclasses import dataclass

from recframe.agent_options import WorkingSetConfig
from recframe.components import option


@dataclass
class OnPolicyConfig(WorkingSetConfig):
    """Options of all agents with a softmax policy over items and a learned state value.

    Inherited from `WorkingSetConfig`: whole_catalog_items, working_items.
    """

    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    learning_rate: float = option(1e-3, "Adam's step size", gt=0, le=10)
    network: str = option(
        "separate",
        "separate: policy and value have a state tracker and an optimizer each; shared: two heads on one tracker, one loss",
        choices=["separate", "shared"],
    )
    value_learning_rate: float | None = option(None, "separate: Adam's step size for the value; null: learning_rate", gt=0, le=10)
    value_weight: float = option(0.5, "shared: weight of the value's loss, added to the policy's", gt=0)
    entropy_weight: float = option(0.01, "weight of the policy's entropy, which keeps exploration going", ge=0)
    normalize_advantages: bool = option(
        False,
        "scale each chunk's advantages to mean 0 and standard deviation 1; once nothing is left to learn, this amplifies noise",
    )
    temperature: float = option(1.0, "divides the scores in the softmax: the higher, the more uniform the policy at the start", gt=0)
    greedy_evaluation: bool = option(True, "without exploration, show the most probable slate; false: draw it, as in training")


@dataclass
class ReinforceConfig(OnPolicyConfig):
    """REINFORCE with a learned baseline (Williams, 1992); for slates, the top-K correction of Chen et al. (2019) as an option."""

    top_k_correction: bool = option(
        False, "learn from each item of a slate with the top-K correction, instead of from the slate's probability"
    )


@dataclass
class ActorCriticConfig(OnPolicyConfig):
    """Advantage actor-critic (A2C) with generalized advantages (Schulman et al., 2016); the preset ppo clips its steps."""

    gae_lambda: float = option(
        0.95, "lambda of the advantages: 0 uses rewards of one step, 1 those up to the end of the chunk or session", ge=0, le=1
    )
    clip_range: float | None = option(
        None, "distance from 1 at which the probability ratio is clipped (PPO's epsilon); null: no clipping (A2C)", gt=0
    )
    epochs: int = option(1, "passes over each chunk; more than one needs a clip_range", ge=1, le=10_000)
    minibatches: int = option(1, "optimizer steps per pass, each on a part of the chunk; more than one needs a clip_range", ge=1)
    value_clip: float | None = option(None, "distance from its previous value at which a value is clipped; null: no clipping", gt=0)
    target_kl: float | None = option(
        None, "KL divergence from the policy that acted above which the remaining epochs are skipped; null: none", gt=0
    )
