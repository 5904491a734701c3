"""GRPO on a log by the run's reward: what rates items alone rates all of a group, and moves the policy; responses count as before."""

from dataclasses import replace

import pytest
import torch

from recframe.experience import LoggedStream, RewardSum, with_rewards
from recframe.interfaces import self_information
from recframe.item_codes.config import CodesConfig
from recframe.logs import LoggedTransitions
from recframe.testing import update
from recframe.testing.toy import toy_log, toy_spec
from recframe_plugins.agents.language_policy.losses import group_advantages, grpo_loss
from recframe_plugins.rewards.click import Click
from recframe_plugins.rewards.config import ClickConfig, NoveltyConfig, RepetitionConfig, SkipConfig
from recframe_plugins.rewards.novelty import Novelty
from recframe_plugins.rewards.repetition import Repetition
from recframe_plugins.rewards.skip import Skip

ITEMS, LENGTH = 12, 4
IDS = CodesConfig(kind="ids", size=4)
CLICK = {"click": (Click(ClickConfig()), 1.0)}


@pytest.fixture(scope="module")
def spec(data):
    return toy_spec(data, history_length=LENGTH, signals=("click",))


@pytest.fixture(scope="module")
def catalog(data):
    """The last items are the least popular ones."""
    return replace(data.catalog, popularity=2.0 ** torch.arange(ITEMS, 0, -1))


@pytest.fixture(scope="module")
def log(spec):
    """Sequences of all items alike, of which two thirds were clicked."""
    made = toy_log(spec, 3, num_sequences=60)
    items = torch.randint(ITEMS, (len(made),), generator=torch.Generator().manual_seed(2))
    clicks = (torch.arange(len(made)) % 3 > 0).float().unsqueeze(1)
    return replace(made, items=items, users=made.users % 20, feedback=clicks, rewards=None)


def stream_of(agent, log, terms, catalog):
    rated = with_rewards(log, RewardSum(terms, catalog, frozenset()), LENGTH, ("click",))
    return LoggedStream.of(agent, rated, history_length=LENGTH, signals=("click",), chunk_batches=1, seed=4)


def novelty_of(agent, log, catalog) -> float:
    """The mean novelty of what the policy would write after histories of the log."""
    found = self_information(catalog.popularity)
    probabilities = agent.scores_of_all(LoggedTransitions(log, LENGTH, ("click",)).at(torch.arange(64)).observation).exp()
    return float((probabilities @ (found / found.max()).float()).mean())


def learned(policy, spec, log, terms, catalog):
    agent = policy(spec, codes=IDS, learning_rate=0.01, logged_learning="grpo", generations=8, batch_size=64)
    stream, optimizers = stream_of(agent, log, terms, catalog), agent.optimizers()
    for _ in range(15):
        update(agent, optimizers, next(iter(stream.batches())))
    return agent


def test_the_policy_moves_to_items_with_more_of_what_is_rewarded(policy, spec, log, catalog):
    before = novelty_of(policy(spec, codes=IDS), log, catalog)
    agent = learned(policy, spec, log, CLICK | {"novelty": (Novelty(NoveltyConfig()), 1.0)}, catalog)
    found = agent.diagnostics()
    assert novelty_of(agent, log, catalog) > before + 0.2
    # rewards differ in groups that have no hit
    assert found["group_collapse"] < 0.2
    assert 0 < found["hits"] < 1
    assert found["mean_reward"] > found["hits"] + 0.3
    clicks = learned(policy, spec, log, CLICK, catalog)
    assert abs(novelty_of(clicks, log, catalog) - before) < 0.1


def test_items_of_equal_worth_without_a_hit_are_a_collapsed_group(policy, spec, log, catalog):
    agent = policy(spec, codes=IDS, logged_learning="grpo", generations=2, batch_size=64)
    # nothing repeats after an empty history, so that all that is written there is worth the same
    stream = stream_of(agent, log, CLICK | {"repetition": (Repetition(RepetitionConfig()), 1.0)}, catalog)
    batch = next(iter(stream.batches()))
    empty = (batch.observation.history_items < 0).all(dim=1)
    assert 0 < int(empty.sum()) < 64
    part = batch[empty]
    part.response.signals["click"][:] = 0.0
    ((_, loss),) = agent.losses(part)
    found = agent.diagnostics()
    assert found["group_collapse"] == 1.0
    assert found["mean_reward"] == 0.0
    assert float(loss.detach()) == 0.0


def test_contexts_without_a_response_are_learned_from_where_something_else_is_rated(policy, spec, log, catalog):
    terms = CLICK | {"novelty": (Novelty(NoveltyConfig()), 1.0)}
    agents = [policy(spec, codes=IDS, logged_learning="grpo", generations=4, batch_size=32) for _ in range(2)]
    written = []
    for agent, chosen in zip(agents, (terms, CLICK), strict=True):
        batch = next(iter(stream_of(agent, log, chosen, catalog).batches()))
        generations = agent.policy.generations
        agent.policy.generations = lambda *rest, generations=generations: written.append(len(rest[0].user)) or generations(*rest)
        list(agent.losses(batch))
    assert written == [32, int((batch.response.signals["click"] > 0).sum())]


def test_rewards_of_responses_are_as_they_were_to_the_last_digit(policy, spec, log, catalog):
    """The logged reward for the logged item, and 0 for all others, also where a term is negative for what was not clicked."""
    agent = policy(spec, codes=IDS, noise=0.3, logged_learning="grpo", generations=16, batch_size=32)
    stream = stream_of(agent, log, CLICK | {"skip": (Skip(SkipConfig()), 0.5)}, catalog)
    assert agent.logged_items.rewards is None
    batch = next(iter(stream.batches()))
    assert {-0.5, 1.0} == set(batch.reward.tolist())
    written, generations = [], agent.policy.generations
    agent.policy.generations = lambda *rest: written.append((rest[0], generations(*rest))) or written[0][1]
    ((_, loss),) = agent.losses(batch)
    observation, items = written[0]
    rewards = batch.reward.unsqueeze(1) * (items == batch.slate)
    path = agent.policy.evaluate_items(observation, items, agent.logged_items.among)
    log_probs, choices = path.log_probs.flatten(0, 1), path.is_choice.flatten(0, 1)
    before = grpo_loss(log_probs, log_probs.detach(), group_advantages(rewards).flatten(), choices, clip_range=agent.config.clip_range)
    assert torch.equal(loss, before)
    gradients = [torch.autograd.grad(one, agent.policy.codes.write)[0] for one in (loss, before)]
    assert torch.equal(*gradients)
    found = agent.diagnostics()
    assert found["mean_reward"] == float(rewards.mean())
    assert found["hits"] == float((rewards != 0).float().mean())
