"""A language policy learns in a simulator: the item of each user, to wait, and the return of sessions; against a baseline."""

import pytest
import torch

from recframe.interfaces import first_sessions, groups_of, next_sessions
from recframe.item_codes.config import CodesConfig
from recframe.testing import collect, toy_data, update
from recframe_plugins.agents.language_policy.agent import LanguagePolicy
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.topic_world import TopicWorld
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker

WORLD_SEED, GROUP = 1_000_003, 4
RULES = {
    "reinforce": {},
    "ppo": {"minibatches": 2, "epochs": 2},
    "grpo": {"minibatches": 2, "epochs": 2},
}


def agent(rule, data, spec, seed, **options):
    torch.manual_seed(seed)
    tracker = MeanTracker(MeanConfig(item_dim=32, state_dim=32), spec, data)
    codes = CodesConfig(kind="ids", size=5)
    settings = {"width": 16, "layers": 1, "learning_rate": 1e-2, "entropy_weight": 0.3, "codes": codes, **RULES[rule], **options}
    return LanguagePolicy(LanguagePolicyConfig(learning=rule, **settings), spec, tracker, seed=seed)


def train(learner, environment, chunks, chunk_steps):
    optimizers, observation = learner.optimizers(), environment.reset(WORLD_SEED)
    for _ in range(chunks):
        rollout, observation = collect(learner, environment, observation, chunk_steps)
        update(learner, optimizers, rollout)


@pytest.fixture
def in_groups():
    """`in_groups(world)`: one of the known worlds, in groups of users."""

    def grouped(environment):
        class Grouped(type(environment)):
            def reset(self, seed):
                self.taken = first_sessions(self.spec.num_users, GROUP)
                self.people_of = torch.randint(self.people, (1000, 1000), generator=torch.Generator().manual_seed(seed))
                return super().reset(seed)

            def step(self, slate):
                step = super().step(slate)
                self.taken = next_sessions(self.taken, step.terminated, GROUP)
                self.user = torch.where(step.terminated, self._draw(), self.user)
                return step._replace(observation=self._observe())

            def _draw(self):
                return self.people_of[groups_of(len(self.taken), GROUP), self.taken // GROUP]

        environment.__class__ = Grouped
        object.__setattr__(environment.spec, "group_size", GROUP)
        return environment

    return grouped


def own_item(observation, shown):
    """User number i clicks on item number i only; every session is one step long."""
    return (shown == observation.user).float(), torch.ones_like(shown, dtype=torch.bool)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_learns_the_item_of_each_user(rule, patience_game, mean_return, in_groups):
    data, environment = patience_game
    environment.outcome = own_item
    environment = in_groups(environment) if rule == "grpo" else environment
    learner = agent(rule, data, environment.spec, seed=0)
    # by chance, an untrained policy may show half of the users their own item
    assert mean_return(learner, environment, sessions=320) < 0.6
    train(learner, environment, 50, chunk_steps=4)
    assert mean_return(learner, environment, sessions=320) > 0.8


def test_groups_teach_to_wait_for_a_delayed_reward(patience_game, mean_return, in_groups):
    data, environment = patience_game
    environment = in_groups(environment)
    learner = agent("grpo", data, environment.spec, seed=0)
    train(learner, environment, 30, chunk_steps=4)
    # the bait gives 0.6
    assert mean_return(learner, environment, sessions=320) > 0.9


def drawn_return(learner, environment, steps=40):
    """Clicks in a session, of slates that are drawn."""
    observation, earned, ended = environment.start_evaluation(7)[0], 0.0, 0
    for _ in range(steps):
        step = environment.step(learner.act(observation, explore=True).slate)
        earned, ended = earned + float(step.response.signals["click"].sum()), ended + int((step.terminated | step.truncated).sum())
        observation = step.observation
    return earned / ended


@pytest.mark.evidence
@pytest.mark.parametrize("rule", ["ppo", "grpo"])
def test_rules_of_several_steps_a_chunk_raise_the_return_of_sessions_in_a_topic_world(rule):
    data, group_size = toy_data(num_items=25, num_users=40), 8 if rule == "grpo" else 1
    config = TopicWorldConfig(num_users=32, group_size=group_size, max_steps=12, repeat_penalty=0.5, boredom_weight=1.0)
    environment = TopicWorld(config, data, num_users=32, history_length=4, split="train", device="cpu")
    learner = agent(rule, data, environment.spec, seed=0, entropy_weight=0.05)
    before = drawn_return(learner, environment)
    train(learner, environment, 50, chunk_steps=8)
    assert drawn_return(learner, environment) > 1.4 * before
