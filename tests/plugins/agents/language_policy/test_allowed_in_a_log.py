"""What a log or its evaluation excludes is neither written, nor rejected, nor compared with: against sets made row by row."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.experience import LoggedStream
from recframe.interfaces import NO_LIST, PAD, LoggedChoices, Observation, Replay, Sequences
from recframe.item_codes.config import CodesConfig
from recframe.testing.toy import toy_log, toy_spec
from recframe_plugins.agents.language_policy.logged import met_before

ITEMS, LENGTH, BATCH = 12, 3, 48
IDS = CodesConfig(kind="ids", size=4)
NEVER = 7
LISTS = [[0, 1, 2, 3, 4, 5], [2, 4, 6, 7, 8, 9, 10, 11]]


@pytest.fixture(scope="module")
def spec(data):
    return toy_spec(data, history_length=LENGTH, signals=("click",))


@pytest.fixture(scope="module")
def log(spec):
    """A log without one of the items, in which items repeat, and sequences are longer than histories; its features are the rows."""
    made = toy_log(spec, 5, num_sequences=40)
    items = torch.randint(ITEMS - 1, (len(made),), generator=torch.Generator().manual_seed(2))
    rows = torch.arange(len(made))
    return replace(
        made,
        items=items + (items >= NEVER),
        users=made.users % 20,
        feedback=torch.ones(len(made), 1),
        rewards=(rows % 3 > 0).float(),
        features=rows[:, None].float(),
    )


@pytest.fixture(scope="module")
def listed(log):
    """The same log, whose rows have candidates; every fifth excludes an item of its own choice."""
    rows = torch.arange(len(log))
    choices = LoggedChoices(
        slates=rows,
        candidates=rows % 2,
        excluded=torch.where(rows % 5 == 0, 2, NO_LIST),
        unknown=torch.zeros_like(rows, dtype=torch.bool),
        items=torch.tensor([*LISTS[0], *LISTS[1], 4]),
        offsets=torch.tensor([0, 6, 14, 15]),
    )
    return replace(log, choices=choices)


def may_be_shown(log, row: int) -> set[int]:
    """The items that occur in the log, and could be recommended in a row where seen ones are excluded."""
    seen = set(log.items[log.starts[row] : row].tolist())
    if log.choices is None:
        return set(range(ITEMS)) - {NEVER} - seen
    return set(LISTS[row % 2]) - {NEVER} - ({4} if row % 5 == 0 else seen)


def stream_of(agent, log, exclude_seen=True):
    return LoggedStream.of(agent, log, history_length=LENGTH, signals=("click",), chunk_batches=1, seed=4, exclude_seen=exclude_seen)


def watched(agent, method: str) -> list:
    """The arguments and results of a method of the policy, which goes on as before."""
    calls, inner = [], getattr(agent.policy, method)

    def wrapped(*arguments, **options):
        result = inner(*arguments, **options)
        calls.append((arguments, result))
        return result

    setattr(agent.policy, method, wrapped)
    return calls


@pytest.mark.parametrize("lists", [False, True])
def test_no_group_has_an_item_that_could_not_be_recommended(policy, spec, log, listed, lists):
    log = listed if lists else log
    agent = policy(spec, codes=IDS, noise=0.3, logged_learning="grpo", generations=64, batch_size=BATCH)
    batch = next(iter(stream_of(agent, log).batches()))
    calls = watched(agent, "generations")
    assert len(list(agent.losses(batch))) == 1
    ((observation, *_), items) = calls[0]
    rows = observation.features[:, 0].long().tolist()
    for row, written in zip(rows, items.tolist(), strict=True):
        assert set(written) <= may_be_shown(log, row)
        # a context whose logged item is not among them teaches nothing
        assert int(log.items[row]) in may_be_shown(log, row)
    assert 0 < len(rows) < int((batch.reward != 0).sum())
    assert any(set(written) == may_be_shown(log, row) for row, written in zip(rows, items.tolist(), strict=True))
    assert agent.diagnostics()["invalid"] == 0


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("source", ["uniform", "policy"])
def test_no_rejected_item_could_not_be_recommended(policy, spec, log, listed, source, lists):
    log = listed if lists else log
    agent = policy(spec, codes=IDS, noise=0.3, logged_learning="s_dpo", negatives=3, negatives_from=source, batch_size=BATCH)
    batch = next(iter(stream_of(agent, log).batches()))
    calls = watched(agent, "log_prob_of_items")
    ((_, loss),) = agent.losses(batch)
    assert torch.isfinite(loss)
    (observation, items, *_), log_probs = calls[0]
    rows, met = observation.features[:, 0].long().tolist(), set()
    for place, (chosen, *rejected) in enumerate(items.tolist()):
        allowed = may_be_shown(log, rows[place])
        assert chosen in allowed
        # where there are fewer than three to reject, the others have no probability
        found = {item for item, value in zip(rejected, log_probs[place, 1:].tolist(), strict=True) if value > -torch.inf}
        pool = allowed - {chosen} - set(observation.history_items[place].tolist())
        assert found <= pool
        assert len(found) == min(3, len(pool))
        met |= found
    assert len(met) > 6


@pytest.mark.parametrize("pairs", [7, 1 << 22])
@pytest.mark.parametrize("earlier", [False, True])
def test_cross_entropy_is_among_what_was_not_met_before(policy, spec, log, monkeypatch, earlier, pairs):
    monkeypatch.setattr(met_before, "MAX_PAIRS", pairs)
    agent = policy(spec, codes=IDS, noise=0.3)
    batch = next(iter(stream_of(agent, log, exclude_seen=earlier).batches()))
    assert isinstance(agent.experience, Sequences)
    ((_, loss),) = agent.losses(batch)
    expected = []
    for place in range(batch.item.shape[1] - 1):
        items = torch.full((len(batch.item), LENGTH), PAD)
        items[:, LENGTH - place - 1 :] = batch.item[:, : place + 1]
        met = batch.item[:, : place + 1] if batch.earlier is None else torch.cat([batch.earlier, batch.item[:, : place + 1]], dim=1)
        observation = Observation(
            user=batch.user,
            history_items=items,
            history_feedback=(items != PAD).float().unsqueeze(2),
            excluded=met if earlier else None,
            batch_size=[len(items)],
        )
        target = batch.item[:, place + 1]
        there = (items[:, -1] != PAD) & ~((met == target[:, None]).any(dim=1) & earlier)
        found = agent.policy.log_prob_of_items(observation, target[:, None], agent.logged_items.among)[there, 0].detach()
        assert bool(found.isfinite().all())
        expected.append(found.numpy())
    whole = np.concatenate(expected)
    assert float(loss.detach()) == pytest.approx(-whole.mean(), abs=1e-4)
    assert (len(whole) < int((batch.item[:, 1:] != PAD).sum()) - int((batch.item[:, :-1] == PAD).sum())) == earlier


def test_what_was_met_closes_every_code_that_leads_to_nothing_else(policy, spec, log):
    """By brute force: a code is closed if all items below it were met, at each place and level of sequences that meet nearly all items."""
    agent = policy(spec)
    tree, draw = agent.policy.book.tree, torch.Generator().manual_seed(0)
    items = torch.stack([torch.randperm(ITEMS, generator=draw) for _ in range(6)])
    items = torch.cat([items[:, :4], items[:, 1:3], items], dim=1)
    among = torch.ones(ITEMS, dtype=torch.bool)
    among[NEVER] = False
    items[items == NEVER] = PAD
    met = met_before.MetBefore(tree, items[:, :5], items[:, 5:], among)
    codes = agent.policy.book.codes
    for sequence in range(6):
        for place in range(items.shape[1] - 5):
            seen = set(items[sequence, : 5 + place + 1].tolist())
            assert bool(met.again[sequence, place]) == (
                int(items[sequence, 5 + place]) in set(items[sequence, : 5 + place].tolist()) - {PAD}
            )
            for level in range(agent.policy.levels):
                for item in range(ITEMS):
                    node = tree.path(torch.tensor([item]))[:, level]
                    closed = met.closed(level, node, torch.tensor([sequence]), torch.tensor([place]))[0]
                    alike = (codes[:, : level + 1] == codes[item, : level + 1]).all(dim=1) & among
                    below = set(alike.nonzero().squeeze(1).tolist())
                    assert bool(closed[codes[item, level]]) == (bool(below) and below <= seen)


def test_a_decision_that_excludes_nothing_is_learned_by_itself(policy, spec, log):
    rows, none = torch.arange(len(log)), torch.full((len(log),), NO_LIST)
    choices = LoggedChoices(
        slates=rows,
        candidates=none,
        # an empty list: also what was met before could have been shown
        excluded=torch.where(rows == 9, 0, NO_LIST),
        unknown=torch.zeros_like(rows, dtype=torch.bool),
        items=torch.empty(0, dtype=torch.int64),
        offsets=torch.zeros(2, dtype=torch.int64),
    )
    spec = replace(spec, num_features=0)
    for choice, kind in ((None, Sequences), (choices, Replay)):
        agent = policy(spec, codes=IDS, batch_size=BATCH)
        stream_of(agent, replace(log, features=None, choices=choice))
        assert isinstance(agent.experience, kind)


@pytest.mark.parametrize("lists", [False, True])
def test_single_interactions_are_among_what_could_be_recommended(policy, spec, log, listed, lists):
    log = listed if lists else log
    agent = policy(spec, codes=IDS, noise=0.3, batch_size=BATCH, **({} if lists else {"history_items": 2}))
    batch = next(iter(stream_of(agent, log).batches()))
    # a log with lists is learned from decision by decision
    assert isinstance(agent.experience, Replay)
    ((_, loss),) = agent.losses(batch)
    rows = batch.observation.features[:, 0].long().tolist()
    expected = []
    for place, row in enumerate(rows):
        allowed = sorted(may_be_shown(log, row))
        if int(log.items[row]) in allowed:
            one: Observation = batch.observation[place : place + 1].clone()
            one.excluded, one.candidates = None, torch.tensor([allowed])
            expected.append(float(agent.scores_of_items(one, batch.slate[place : place + 1]).detach()))
    assert 0 < len(expected) < BATCH
    assert float(loss.detach()) == pytest.approx(-np.mean(expected), abs=1e-4)
