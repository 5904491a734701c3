"""Registers the built-in agents. Imports no torch, as composing a config imports this module."""

from collections.abc import Callable

from recframe.components import Component, Kind
from recframe.hookspecs import hookimpl
from recframe_plugins.agents.bandits.config import EpsilonGreedyConfig, LinUCBConfig, ThompsonConfig
from recframe_plugins.agents.baselines.config import (
    ContentCosineConfig,
    FixedSlateConfig,
    GreedyRewardConfig,
    PopularConfig,
    PosteriorGreedyConfig,
    RandomConfig,
)
from recframe_plugins.agents.collaborative.config import ALSConfig, BPRConfig, EASEConfig, HybridConfig, ItemKNNConfig, UserKNNConfig
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.language_policy.config import SIMULATED_ALONE, LanguagePolicyConfig
from recframe_plugins.agents.offline.config import (
    BCQConfig,
    CQLConfig,
    CRRConfig,
    DecisionTransformerConfig,
    FilteredBCConfig,
    IQLConfig,
    SA2CConfig,
    SQNConfig,
    TD3BCConfig,
    TopKReinforceConfig,
)
from recframe_plugins.agents.policy_gradient.config import ActorCriticConfig, ReinforceConfig
from recframe_plugins.agents.q_learning.config import DQNConfig, SlateQConfig
from recframe_plugins.agents.sequence_models.config import SequenceModelConfig
from recframe_plugins.agents.soft_actor_critic.config import SoftActorCriticConfig
from recframe_plugins.agents.tabular.config import TabularQLearningConfig, TabularSarsaConfig

ITEMS, ANY_ACTIONS, CLICKS = "actions:items", "actions:items|actions:continuous", "signal:click"
REPLAY, ROLLOUT, SEQUENCES, LOG = "experience:replay", "experience:rollout", "experience:sequences", "experience:log"


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the agents."""

    def agent(
        name: str,
        config: type,
        implementation: str,
        *requires: str,
        slates: bool = False,
        ranks: bool = True,
        divides: bool = False,
        prior: bool = False,
        clicks_alone: bool = False,
        numbers: bool = False,
    ) -> None:
        factory = f"recframe_plugins.agents.{implementation}"
        tags = {"slates": slates, "ranks": ranks, "divides_users": divides, "prior": prior, "clicks_alone": clicks_alone}
        tags["own_item_numbers"] = numbers
        provides = frozenset(tag for tag, given in tags.items() if given)
        register(Component(Kind.AGENT, name, config, factory, provides=provides, requires=frozenset(requires)))

    agent("dqn", DQNConfig, "q_learning.dqn:DQN", ITEMS, REPLAY, divides=True, prior=True)
    agent(
        "slate_q",
        SlateQConfig,
        "q_learning.slate_q:SlateQ",
        ITEMS,
        REPLAY,
        CLICKS,
        slates=True,
        divides=True,
        prior=True,
        clicks_alone=True,
    )
    agent("reinforce", ReinforceConfig, "policy_gradient.reinforce:Reinforce", ITEMS, ROLLOUT, slates=True, divides=True, prior=True)
    agent(
        "actor_critic", ActorCriticConfig, "policy_gradient.actor_critic:ActorCritic", ITEMS, ROLLOUT, slates=True, divides=True, prior=True
    )
    agent("ddpg", DDPGConfig, "ddpg.wolpertinger:build_ddpg", ANY_ACTIONS, REPLAY, slates=True, divides=True)
    agent(
        "soft_actor_critic",
        SoftActorCriticConfig,
        "soft_actor_critic.soft_actor_critic:SoftActorCritic",
        ITEMS,
        REPLAY,
        divides=True,
        prior=True,
    )
    agent("epsilon_greedy", EpsilonGreedyConfig, "bandits.epsilon_greedy:EpsilonGreedy", ITEMS, ROLLOUT, slates=True)
    agent("linucb", LinUCBConfig, "bandits.linucb:LinUCB", ITEMS, ROLLOUT, slates=True)
    agent("thompson", ThompsonConfig, "bandits.thompson:Thompson", ITEMS, ROLLOUT, slates=True)
    agent("q_learning", TabularQLearningConfig, "tabular.q_learning:TabularQLearning", ITEMS, REPLAY)
    agent("sarsa", TabularSarsaConfig, "tabular.sarsa:TabularSarsa", ITEMS, ROLLOUT)
    agent("random", RandomConfig, "baselines.random:RandomAgent", ANY_ACTIONS, slates=True)
    agent("popular", PopularConfig, "baselines.popular:Popular", ITEMS, slates=True)
    agent("greedy_reward", GreedyRewardConfig, "baselines.greedy_reward:GreedyReward", ITEMS, ROLLOUT, slates=True)
    agent("posterior_greedy", PosteriorGreedyConfig, "baselines.posterior_greedy:PosteriorGreedy", ITEMS, ROLLOUT, slates=True)
    agent("fixed_slate", FixedSlateConfig, "baselines.fixed_slate:FixedSlate", ITEMS, ROLLOUT, slates=True)
    any_experience, own_rules = (
        f"{SEQUENCES}|{REPLAY}|{ROLLOUT}",
        ("stage:logged?logged_learning", *(f"stage:simulated?{condition}" for condition in SIMULATED_ALONE), "groups?learning=grpo"),
    )
    agent(
        "language_policy",
        LanguagePolicyConfig,
        "language_policy.agent:LanguagePolicy",
        ITEMS,
        any_experience,
        *own_rules,
        slates=True,
        numbers=True,
    )
    model, masked = "sequence_models.sequence_model:SequenceModel", "bidirectional?masked_share"
    agent("sequence_model", SequenceModelConfig, model, ITEMS, SEQUENCES, masked, slates=True)
    agent("sqn", SQNConfig, "offline.sqn:SQN", ITEMS, REPLAY, prior=True)
    agent("sa2c", SA2CConfig, "offline.sa2c:SA2C", ITEMS, REPLAY, prior=True)
    agent("cql", CQLConfig, "offline.cql:CQL", ITEMS, REPLAY, prior=True)
    agent("bcq", BCQConfig, "offline.bcq:BCQ", ITEMS, REPLAY, prior=True)
    agent("iql", IQLConfig, "offline.iql:IQL", ITEMS, REPLAY, prior=True)
    agent("crr", CRRConfig, "offline.crr:CRR", ITEMS, REPLAY, prior=True)
    agent("td3_bc", TD3BCConfig, "offline.td3_bc:TD3BC", ITEMS, REPLAY, slates=True)
    agent("top_k_reinforce", TopKReinforceConfig, "offline.top_k_reinforce:TopKReinforce", ITEMS, REPLAY, prior=True)
    agent("content_cosine", ContentCosineConfig, "collaborative.build:build_content_cosine", ITEMS, slates=True)
    agent("item_knn", ItemKNNConfig, "collaborative.build:build_item_knn", ITEMS, LOG, slates=True)
    agent("user_knn", UserKNNConfig, "collaborative.build:build_user_knn", ITEMS, LOG, slates=True)
    agent("ease", EASEConfig, "collaborative.build:build_ease", ITEMS, LOG, slates=True)
    agent("als", ALSConfig, "collaborative.build:build_als", ITEMS, LOG, slates=True)
    agent("bpr_mf", BPRConfig, "collaborative.build:build_bpr", ITEMS, LOG, slates=True)
    agent("hybrid", HybridConfig, "collaborative.build:build_hybrid", ITEMS, LOG, slates=True)
    agent("filtered_bc", FilteredBCConfig, "offline.filtered_bc:FilteredBC", ITEMS, SEQUENCES, masked, slates=True)
    agent(
        "decision_transformer", DecisionTransformerConfig, "offline.decision_transformer:DecisionTransformer", ITEMS, SEQUENCES, slates=True
    )
