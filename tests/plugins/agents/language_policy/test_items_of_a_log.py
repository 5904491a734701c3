"""What the rules of logs make of items that a log never shows, of items that were taken before, and of contexts without a reward."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.experience import LoggedStream
from recframe.interfaces import PAD, Log, Observation, Sequences, Transition
from recframe.item_codes.config import CodesConfig
from recframe.testing import update
from recframe.testing.toy import toy_log, toy_spec, toy_transition
from recframe_plugins.agents.language_policy.logged.logged_items import LoggedItems

ITEMS, LENGTH = 12, 4
IDS = CodesConfig(kind="ids", size=4)
UNSEEN = [3, 6, 8]
SEEN = [item for item in range(ITEMS) if item not in UNSEEN]


@pytest.fixture(scope="module")
def spec(data):
    return toy_spec(data, history_length=LENGTH, signals=("click",))


@pytest.fixture(scope="module")
def log(spec):
    """A log without some of the items, in which no sequence has an item twice."""
    generator = torch.Generator().manual_seed(2)
    made = toy_log(spec, 3, num_sequences=60)
    sizes = made.offsets.diff().tolist()
    items = torch.cat([torch.tensor(SEEN)[torch.randperm(len(SEEN), generator=generator)[:size]] for size in sizes])
    return replace(
        made,
        items=items,
        users=made.users % 20,
        feedback=torch.ones(len(items), 1),
        rewards=(torch.rand(len(items), generator=generator) < 0.6).float(),
    )


def stream_of(agent, log: Log):
    return LoggedStream.of(agent, log, history_length=LENGTH, signals=("click",), chunk_batches=1, seed=4)


def batch_of(agent, log: Log):
    return next(iter(stream_of(agent, log).batches()))


def among_the_seen(agent, observation) -> np.ndarray:
    """log P `[N, M]` if only `SEEN` can be written: each code's share of its node is renormalized over the codes that lead to one."""
    agent.logged_items = LoggedItems()
    whole = agent.scores_of_all(observation).double().exp().numpy()
    codes = agent.policy.book.codes[:, : agent.policy.levels].numpy()
    found = np.zeros_like(whole)
    for item in SEEN:
        for level in range(codes.shape[1]):
            below = (codes[:, :level] == codes[item, :level]).all(axis=1)
            of_code = {
                code: whole[:, below & (codes[:, level] == code)].sum(axis=1)
                for code in set(codes[below & np.isin(range(12), SEEN), level])
            }
            found[:, item] += np.log(of_code[codes[item, level]] / sum(of_code.values()))
    return found


def test_cross_entropy_is_among_the_items_of_the_log(policy, spec, log):
    agent = policy(spec, codes=IDS, noise=0.3)
    assert isinstance(agent.experience, Sequences)
    batch = batch_of(agent, log)
    ((_, loss),) = agent.losses(batch)
    expected = []
    for place in range(batch.item.shape[1] - 1):
        items = torch.full((len(batch.item), LENGTH), PAD)
        items[:, LENGTH - place - 1 :] = batch.item[:, : place + 1]
        observation = Observation(
            user=batch.user, history_items=items, history_feedback=(items != PAD).float().unsqueeze(2), batch_size=[len(items)]
        )
        there = (items[:, -1] != PAD).numpy()
        target = batch.item[:, place + 1].numpy()
        expected.append(among_the_seen(agent, observation)[there, target[there]])
    assert float(loss.detach()) == pytest.approx(-np.concatenate(expected).mean(), abs=1e-4)


def test_cross_entropy_of_single_interactions_is_among_them_too(policy, spec, log):
    agent = policy(spec, codes=IDS, noise=0.3, history_items=2, batch_size=20)
    batch = batch_of(agent, log)
    assert isinstance(batch, Transition)
    ((_, loss),) = agent.losses(batch)
    expected = among_the_seen(agent, batch.observation)[np.arange(20), batch.slate[:, 0].numpy()]
    assert float(loss.detach()) == pytest.approx(-expected.mean(), abs=1e-4)


def test_acting_and_ranking_still_know_all_items(policy, spec, log):
    agent = policy(spec, codes=IDS, noise=0.3)
    observation = batch_of(policy(spec, codes=IDS, history_items=2), log).observation[:2]
    before = agent.scores_of_all(observation)
    stream_of(agent, log)
    assert agent.logged_items.among is not None
    assert torch.equal(agent.scores_of_all(observation), before)
    assert set(agent.rank(observation, ITEMS)[0].tolist()) == set(range(ITEMS))


@pytest.mark.parametrize("candidates", [False, True])
@pytest.mark.parametrize("source", ["uniform", "policy"])
def test_what_was_taken_and_what_the_log_does_not_show_is_not_rejected(policy, spec, log, source, candidates):
    agent = policy(spec, codes=IDS, noise=0.3, logged_learning="s_dpo", negatives=3, negatives_from=source, batch_size=64)
    batch = batch_of(agent, log)
    # the first item of each history was shown, and not taken
    batch.observation.history_feedback[:, 0] = 0.0
    if candidates:
        batch.observation.candidates = torch.tensor([*range(2, ITEMS), PAD]).expand(64, -1)
    asked = []
    agent.policy.log_prob_of_items = lambda observation, items, among=None: (
        asked.append((observation, items)) or type(agent.policy).log_prob_of_items(agent.policy, observation, items, among)
    )
    ((_, loss),) = agent.losses(batch)
    assert torch.isfinite(loss)
    observation, items = asked[0]
    taken = observation.history_items[:, 1:]
    rejected, wrong = items[:, 1:], (items[:, 1:, None] == torch.cat([taken, items[:, :1]], dim=1)[:, None]).any(dim=2)
    assert not bool(wrong.any())
    assert set(rejected.unique().tolist()) == set(SEEN) - ({0, 1} if candidates else set())
    assert bool((rejected[:, :, None] == observation.history_items[:, None, :1]).any())


def test_a_person_who_took_everything_has_nothing_to_reject(policy, spec, log):
    agent = policy(spec, codes=IDS, logged_learning="dpo", batch_size=8)
    batch = batch_of(agent, log)
    batch.reward[:] = 1.0
    batch.observation.candidates = torch.cat([batch.slate, batch.observation.history_items, torch.tensor(UNSEEN).expand(8, -1)], dim=1)
    batch.observation.history_feedback[:] = 1.0
    assert not list(agent.losses(batch))


@pytest.mark.parametrize("again", [False, True])
def test_groups_are_written_of_items_that_can_be_the_logged_one(policy, spec, log, again):
    if again:
        log = replace(log, items=log.items.where(~log.last, log.items[log.starts]))
    agent = policy(spec, codes=IDS, noise=0.3, logged_learning="grpo", generations=64, batch_size=32)
    batch = batch_of(agent, log)
    written = []
    generations = agent.policy.generations
    agent.policy.generations = lambda *arguments: written.append((arguments[0], generations(*arguments))) or written[0][1]
    assert len(list(agent.losses(batch))) == 1
    observation, items = written[0]
    assert set(items.unique().tolist()) == set(SEEN)
    in_history = (items[:, :, None] == observation.history_items[:, None]).any()
    assert bool(in_history) == again
    assert agent.diagnostics()["invalid"] == 0


def test_contexts_without_a_reward_are_left_out_of_groups(policy, spec, log):
    agents = [policy(spec, codes=IDS, noise=0.3, logged_learning="grpo", generations=4, epochs=2) for _ in range(2)]
    batch = batch_of(agents[0], log)
    agents[1].prepare_to_learn(log)
    assert 0 < int((batch.reward == 0).sum()) < len(batch.reward)
    of_all, of_rewarded = (
        [float(loss.detach()) for _, loss in agent.losses(part)]
        for agent, part in zip(agents, (batch, batch[batch.reward != 0]), strict=True)
    )
    assert of_all == of_rewarded
    assert len(of_all) == 2
    batch.reward[:] = 0.0
    assert not list(agents[0].losses(batch))


@pytest.mark.parametrize("options", [{}, {"history_items": 2}, *({"logged_learning": rule} for rule in ("dpo", "s_dpo", "grpo"))], ids=str)
def test_what_is_always_measured_on_a_log(policy, spec, log, options):
    agent = policy(spec, codes=IDS, noise=0.3, learning_rate=0.05, **options)
    stream, optimizers = stream_of(agent, log), agent.optimizers()
    for _ in range(2):
        update(agent, optimizers, next(iter(stream.batches())))
    found = agent.diagnostics()
    assert found["entropy"] > 0
    assert {"length", "tokens_per_second"} <= set(found)
    rule = options.get("logged_learning", "ce")
    if rule != "ce":
        assert found["invalid"] == 0
        assert found["code_use/level_1"] > 1
        assert found["kl"] > 0
    assert ("group_collapse" in found) == (rule == "grpo")


def test_all_items_of_a_ranking_are_checked_and_counted(policy, spec, data):
    agent = policy(spec, codes=IDS, noise=0.3)
    observation = toy_transition(spec, data, torch.Generator().manual_seed(1), users=3).observation
    agent.diagnostics()
    agent.rank(observation, 5)
    assert agent.policy.statistics.state_dict()["written"].tolist() == [15, 0]


def test_an_item_that_training_hides_keeps_what_its_codes_mean(policy, data):
    """People stay among four items with one first code; of three such groups, one item each is never in the log, with another last code."""
    spec = toy_spec(data, history_length=LENGTH, signals=("click",))
    generator, hidden = torch.Generator().manual_seed(1), torch.tensor([3, 6, 9])
    group = torch.randint(3, (200, 1), generator=generator)
    shown = torch.tensor([[0, 1, 2], [4, 5, 7], [8, 10, 11]])
    items = shown[group, torch.randint(3, (200, 5), generator=generator)]
    log = replace(toy_log(spec, 0, num_sequences=200), items=items.flatten(), users=torch.arange(1000) // 5 % 20)
    rows = {"feedback": torch.ones(1000, 1), "signals": ("click",), "timestamps": torch.arange(1000), "rewards": torch.ones(1000)}
    log = replace(log, offsets=torch.arange(0, 1001, 5), **rows)
    found = []
    for told in (True, False):
        agent = policy(spec, codes=IDS, learning_rate=0.01, batch_size=64)
        stream = stream_of(agent, log)
        if not told:
            agent.logged_items = LoggedItems()
        optimizers = agent.optimizers()
        for _ in range(30):
            update(agent, optimizers, next(iter(stream.batches())))
        observation = Observation(
            user=torch.zeros(3, dtype=torch.int64),
            history_items=shown[:, [0, 1, 2, 0]],
            history_feedback=torch.ones(3, 4, 1),
            batch_size=[3],
        )
        found.append(float(agent.scores_of_items(observation, hidden[:, None]).exp().mean()))
    assert found[0] > 0.05
    assert found[1] < 0.005
