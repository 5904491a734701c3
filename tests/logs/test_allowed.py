"""What could be recommended at a row of a log, against sets that are made row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from recframe.experience import LoggedReplay
from recframe.interfaces import NO_LIST, PAD, Log, LoggedChoices, Sequences
from recframe.logs import HeldOut, LoggedTransitions, SequenceSampler
from recframe.testing.toy import toy_data, toy_log, toy_spec

ITEMS, H = 15, 2
SPEC = toy_spec(toy_data(num_items=ITEMS, num_users=20), history_length=H)
LISTS = [[0, 1, 2, 3, 4, 5, 6], [], [5, 7, 9], [1]]


def log_of(candidates: bool, mixed: bool = False) -> Log:
    """A log in which items repeat, of slates of up to two rows, with exclusions for some rows, and candidates for all of them or some."""
    log = toy_log(SPEC, 1, num_sequences=12)
    draw = torch.Generator().manual_seed(3)
    rows = torch.arange(len(log))
    listed = torch.randint(0, len(LISTS), (len(log),), generator=draw)
    # a slate is not longer than its sequence
    slates = 100 * log.sequence + (rows - log.starts) // 2
    choices = LoggedChoices(
        slates=slates,
        candidates=torch.where(torch.full_like(rows, candidates, dtype=torch.bool) & ((rows % 3 > 0) | (not mixed)), listed, NO_LIST),
        excluded=torch.where(rows % 4 == 0, listed.flip(0), NO_LIST),
        unknown=torch.zeros(len(log), dtype=torch.bool),
        items=torch.tensor([item for items in LISTS for item in items]),
        offsets=torch.tensor([0, *(len(items) for items in LISTS)]).cumsum(0),
    )
    # the number of a row is a feature, so that a batch tells which rows it has
    return replace(log, users=log.users % 20, choices=choices, features=rows[:, None].float())


def could_be_shown(log: Log, row: int, exclude_seen: bool) -> set[int]:
    """The items that could be recommended in a row."""
    choices = log.choices
    start = int(log.starts[row])
    candidates, excluded = int(choices.candidates[row]), int(choices.excluded[row])
    may = set(range(ITEMS)) if candidates == NO_LIST else set(LISTS[candidates])
    above = {int(log.items[other]) for other in range(row) if choices.slates[other] == choices.slates[row]}
    seen = set(log.items[start:row].tolist()) if exclude_seen else set()
    return may - above - (seen if excluded == NO_LIST else set(LISTS[excluded]))


def said(observation, place: int) -> set[int]:
    """The items that an observation allows."""
    candidates = range(ITEMS) if observation.candidates is None else observation.candidates[place].tolist()
    return set(candidates) - {PAD} - set(observation.excluded[place].tolist())


@pytest.mark.parametrize("exclude_seen", [False, True])
@pytest.mark.parametrize("candidates", [False, True])
def test_observations_allow_what_could_be_recommended_in_learning_and_evaluation_alike(candidates, exclude_seen):
    log = log_of(candidates)
    rows = torch.arange(len(log))
    observation = LoggedTransitions(log, H, with_choices=True, exclude_seen=exclude_seen).at(rows).observation
    held_out = HeldOut(log, log.starts, rows, log.users, log.items, torch.arange(len(log) + 1), log.choices)
    (evaluated,) = held_out.batches(len(log), H, exclude_seen=exclude_seen)
    for row in rows.tolist():
        expected = could_be_shown(log, row, exclude_seen)
        assert said(observation, row) == expected
        assert said(evaluated.observation, row) == expected


def test_without_lists_the_whole_history_is_excluded_and_nothing_else():
    log = replace(log_of(False), choices=None)
    rows = torch.arange(len(log))
    observation = LoggedTransitions(log, H, with_choices=True, exclude_seen=True).at(rows).observation
    for row in rows.tolist():
        assert set(observation.excluded[row].tolist()) - {PAD} == set(log.items[log.starts[row] : row].tolist())
    assert observation.candidates is None
    assert LoggedTransitions(log, H, with_choices=True).at(rows).observation.excluded is None


def test_agents_that_do_not_ask_are_given_the_transitions_of_before():
    log = log_of(True, mixed=True)
    batch = LoggedReplay(log, H, None, 5, exclude_seen=True).sample(30)
    before = LoggedReplay(replace(log, choices=None), H, None, 5).sample(30)
    assert batch.observation.excluded is None
    assert batch.observation.candidates is None
    assert torch.equal(batch.slate, before.slate)
    sampler = SequenceSampler(log, Sequences(3, 2), torch.Generator().manual_seed(0), exclude_seen=True)
    assert sampler.draw().earlier is None


def test_a_batch_has_candidates_for_all_of_its_rows_or_for_none():
    log = log_of(True, mixed=True)
    replay = LoggedReplay(log, H, None, 5, with_choices=True, exclude_seen=True)
    listed, met = log.choices.candidates != NO_LIST, torch.zeros(len(log))
    for _ in range(300):
        observation = replay.sample(20).observation
        rows = observation.features[:, 0].long()
        met += torch.bincount(rows, minlength=len(log))
        assert listed[rows].unique().tolist() == [observation.candidates is not None]
        if observation.candidates is not None:
            assert [said(observation, place) for place in range(20)] == [could_be_shown(log, row, True) for row in rows.tolist()]
    # each row is as probable as any other
    assert met.sum() == 6_000
    assert float(met[listed].sum() / 6_000) == pytest.approx(float(listed.float().mean()), abs=0.08)
    assert float(met.min()) > 0.4 * 6_000 / len(log)
    with pytest.raises(ValueError, match="cannot be replayed by priorities"):
        LoggedReplay(log, H, None, 5, with_choices=True, priority_exponent=0.5)


def test_a_window_says_what_was_met_before_it():
    log = log_of(False)
    sampler = SequenceSampler(log, Sequences(5, 2, with_choices=True), torch.Generator().manual_seed(0), exclude_seen=True)
    longest = 0
    for _ in range(sampler.batches_per_pass):
        batch = sampler.draw()
        for place in range(len(batch)):
            earlier, window = ([item for item in items[place].tolist() if item != PAD] for items in (batch.earlier, batch.item))
            whole = log.items[log.users == batch.user[place]].tolist()
            assert whole[: len(earlier) + len(window)] == [*earlier, *window]
            longest = max(longest, len(earlier))
    assert longest > 2
    asks = SequenceSampler(log, Sequences(5, 2, with_choices=True), torch.Generator().manual_seed(0))
    assert asks.draw().earlier is None
