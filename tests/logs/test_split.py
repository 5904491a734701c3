"""Splits of a log: what is held out, compared with plain loops, and the laws that every split keeps."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from recframe.interfaces import PAD, DataError, Interactions
from recframe.logs import HeldOut, LogSettings, SplitLog, SplitSettings, split_log
from recframe.logs.parts import DUPLICATE, TEST, TRAIN, VALIDATION

USERS, ITEMS = 6, 7
DAY = 86_400


def logged(rows: list[tuple[int, int, int]], sessions: list[int] | None = None) -> Interactions:
    """Interactions of (user, item, timestamp), with the number of the row as feedback."""
    frame = pl.DataFrame(
        {
            "user": [row[0] for row in rows],
            "item": [row[1] for row in rows],
            "timestamp": [row[2] for row in rows],
            "row": [float(number) for number in range(len(rows))],
        },
        schema={"user": pl.Int64, "item": pl.Int64, "timestamp": pl.Int64, "row": pl.Float64},
    )
    return Interactions(frame if sessions is None else frame.with_columns(session=pl.Series(sessions, dtype=pl.Int64)), ("row",))


@st.composite
def logs(draw: st.DrawFn, sessions: bool | None = None) -> Interactions:
    """Small logs with ties in time, repeated items and duplicates; perhaps with sessions, which may overlap in time."""
    row = st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1), st.integers(0, 12))
    rows = draw(st.lists(row, min_size=10, max_size=60))
    with_sessions = draw(st.booleans()) if sessions is None else sessions
    return logged(rows, [3 * user + draw(st.integers(0, 2)) for user, _, _ in rows] if with_sessions else None)


def asked(*by: str) -> st.SearchStrategy[SplitSettings]:
    """Settings of these ways to divide."""
    return st.builds(
        SplitSettings,
        by=st.sampled_from(by),
        validation_share=st.sampled_from([0.1, 0.3, 0.45]),
        test_share=st.sampled_from([0.1, 0.3, 0.45]),
        targets={("last",): st.just("next"), ("random",): st.just("all")}.get(by, st.sampled_from(["next", "all"])),
        history_share=st.sampled_from([0.1, 0.5, 0.9]),
        sessions=st.sampled_from(["latest", "drawn"]),
        seed=st.integers(0, 3),
    )


anything = st.one_of(asked("last"), asked("random"), asked("time", "users", "sessions"))


def divided(interactions: Interactions, wanted: SplitSettings) -> SplitLog:
    """The split, where this log allows one."""
    settings = LogSettings(sequence="user" if wanted.by == "time" else "auto")
    if wanted.by == "sessions" and "session" not in interactions.frame.columns:
        settings = LogSettings(session_gap=2)
    try:
        return split_log(interactions, USERS, ITEMS, settings, wanted)
    except DataError:
        # too small; what is refused is tested below
        assume(False)
        raise


def rows_of(interactions: Interactions) -> list[int]:
    return [int(row) for row in interactions.frame["row"]]


def histories(held_out: HeldOut) -> list[list[int]]:
    """The numbers of the rows in each history."""
    numbers = held_out.log.feedback[:, 1].long().tolist()
    return [numbers[start:end] for start, end in zip(held_out.starts.tolist(), held_out.ends.tolist(), strict=True)]


def targets(held_out: HeldOut) -> list[list[int]]:
    """The items to be found of each query."""
    bounds = held_out.offsets.tolist()
    return [held_out.targets[first:last].tolist() for first, last in itertools.pairwise(bounds)]


laws = hypothesis_settings(max_examples=50, deadline=None)


@laws
@given(interactions=logs(), wanted=anything)
def test_the_parts_are_disjoint_and_complete(interactions, wanted):
    split = divided(interactions, wanted)
    assert len(split.part) == len(interactions)
    assert set(split.part.tolist()) <= {TRAIN, VALIDATION, TEST, DUPLICATE}
    assert rows_of(split.train) == np.flatnonzero(split.part == TRAIN).tolist()


@laws
@given(interactions=logs(), wanted=anything)
def test_no_interaction_is_in_two_parts_even_if_it_was_logged_twice(interactions, wanted):
    # two kinds of feedback, one of them unknown
    interactions = Interactions(interactions.frame.with_columns(kind=pl.when(pl.col("row") % 3 > 0).then(1.0)), ("kind",))
    split = divided(interactions, wanted)
    columns = [name for name in ("user", "item", "timestamp", "session", "kind") if name in interactions.frame.columns]
    events = interactions.frame.select(columns).rows()
    parts = [{event for event, of in zip(events, split.part, strict=True) if of == part} for part in (TRAIN, VALIDATION, TEST)]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert set().union(*parts) == set(events)
    # of several, the last is kept
    assert split.part.tolist() == [
        DUPLICATE if event in events[row + 1 :] else part for row, (event, part) in enumerate(zip(events, split.part.tolist(), strict=True))
    ]


@laws
@given(interactions=logs(), wanted=anything)
def test_every_history_lies_before_its_targets_and_is_of_the_same_user(interactions, wanted):
    split = divided(interactions, wanted)
    frame = interactions.frame
    users, items, times = (frame[name].to_list() for name in ("user", "item", "timestamp"))
    for held_out, part in ((split.validation, VALIDATION), (split.test, TEST)):
        for user, history, wanted_items in zip(held_out.users.tolist(), histories(held_out), targets(held_out), strict=True):
            assert wanted_items
            assert len(set(wanted_items)) == len(wanted_items)
            assert all(users[row] == user for row in history)
            if wanted.by == "random":
                # each part is in order of time
                parts = [[row for row in history if split.part[row] == one] for one in (TRAIN, VALIDATION)]
                assert history == [row for rows in parts for row in sorted(rows, key=lambda row: (times[row], row))]
                latest = (-1, -1)
            else:
                assert [(times[row], row) for row in history] == sorted((times[row], row) for row in history)
                latest = max(((times[row], row) for row in history), default=(-1, -1))
            for item in wanted_items:
                # an interaction with it was held out, and came after the history
                assert any(
                    users[row] == user and items[row] == item and split.part[row] == part and (times[row], row) > latest
                    for row in range(len(frame))
                )


@laws
@given(interactions=logs(), wanted=anything)
def test_histories_of_validation_hold_nothing_of_the_test(interactions, wanted):
    split = divided(interactions, wanted)
    known = {"last": {TRAIN}, "time": {TRAIN}, "random": {TRAIN}, "users": {VALIDATION}, "sessions": {VALIDATION}}[wanted.by]
    assert {split.part[row] for history in histories(split.validation) for row in history} <= known
    both = {TRAIN, VALIDATION}
    later = {"last": both, "time": both, "random": both, "users": {TEST}, "sessions": {TEST}}[wanted.by]
    assert {split.part[row] for history in histories(split.test) for row in history} <= later


@laws
@given(interactions=logs(), wanted=anything)
def test_the_same_seed_gives_the_same_split(interactions, wanted):
    one, other = divided(interactions, wanted), divided(interactions, wanted)
    assert one.part.tolist() == other.part.tolist()
    for mine, theirs in ((one.validation, other.validation), (one.test, other.test)):
        assert histories(mine) == histories(theirs)
        assert targets(mine) == targets(theirs)


@laws
@given(interactions=logs(sessions=True), wanted=asked("users", "sessions"))
def test_of_held_out_people_and_sessions_nothing_is_trained_on(interactions, wanted):
    split = divided(interactions, wanted)
    column = "user" if wanted.by == "users" else "session"
    of_row = interactions.frame[column].to_numpy()
    seen = [set(of_row[split.part == part].tolist()) for part in (TRAIN, VALIDATION, TEST)]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
    assert all(seen)


@laws
@given(interactions=logs(), wanted=asked("time"))
def test_by_time_the_parts_follow_each_other(interactions, wanted):
    split = divided(interactions, wanted)
    times = interactions.frame["timestamp"].to_numpy()
    assert times[split.part == TRAIN].max() < split.moments["validation"] <= times[split.part == VALIDATION].min()
    assert times[split.part == VALIDATION].max() < split.moments["test"] <= times[split.part == TEST].min()


@laws
@given(interactions=logs(), targets_of=st.sampled_from(["next", "all"]))
def test_queries_by_time_equal_those_of_a_loop_over_users(interactions, targets_of):
    split = divided(interactions, SplitSettings(by="time", validation_share=0.3, test_share=0.3, targets=targets_of))
    kept = [row for row in range(len(interactions)) if split.part[row] != DUPLICATE]
    users, items, times = (interactions.frame[name].to_list() for name in ("user", "item", "timestamp"))
    until = {"validation": split.moments["test"], "test": 10**9}
    for name, held_out in (("validation", split.validation), ("test", split.test)):
        expected = []
        for user in range(USERS):
            own = sorted((row for row in kept if users[row] == user), key=lambda row: (times[row], row))
            history = [row for row in own if times[row] < split.moments[name]]
            after = [items[row] for row in own if split.moments[name] <= times[row] < until[name]]
            if after:
                expected.append((history, list(dict.fromkeys(after if targets_of == "all" else after[:1]))))
        assert list(zip(histories(held_out), targets(held_out), strict=True)) == expected


def months(count: int) -> Interactions:
    """Ten users, each with one interaction a month for `count` months; items go round."""
    return logged([(user, (user + month) % ITEMS, 30 * DAY * month + user) for user in range(10) for month in range(count)])


def test_by_time_a_share_is_one_of_the_interactions_and_a_date_is_a_moment():
    split = split_log(months(10), 10, ITEMS, LogSettings(), SplitSettings(by="time", validation_share=0.2, test_share=0.1))
    assert [int((split.part == part).sum()) for part in (TRAIN, VALIDATION, TEST)] == [70, 20, 10]
    dated = split_log(months(10), 10, ITEMS, LogSettings(), SplitSettings(by="time", time="1970-07-30", validation_share=0.1))
    assert dated.moments["test"] == 210 * DAY
    assert [int((dated.part == part).sum()) for part in (TRAIN, VALIDATION, TEST)] == [60, 10, 30]
    assert dated.summary()["moments"]["test"] == "1970-07-30T00:00:00+00:00"
    same = SplitSettings(by="time", time="1970-07-30T02:00:00+02:00", validation_share=0.1)
    assert split_log(months(10), 10, ITEMS, LogSettings(), same).part.tolist() == dated.part.tolist()


def test_users_who_come_after_the_moment_have_an_empty_history():
    rows = [(0, item, item) for item in range(6)] + [(1, 3, 5), (1, 4, 6)]
    split = split_log(logged(rows), 2, ITEMS, LogSettings(), SplitSettings(by="time", validation_share=0.25, test_share=0.375))
    assert histories(split.test) == [[0, 1, 2, 3, 4], []]
    assert split.test.users.tolist() == [0, 1]
    (queries,) = split.test.batches(8, 3)
    assert queries.observation.history_items[1].tolist() == [PAD] * 3
    assert queries.observation.user.tolist() == [0, 1]
    assert split.summary()["test"]["cold_users"] == 1


def test_by_users_the_last_or_what_follows_a_share_is_to_be_found():
    wanted = SplitSettings(by="users", validation_share=0.2, test_share=0.3)
    split = split_log(months(10), 10, ITEMS, LogSettings(), wanted)
    assert [len(split.validation), len(split.test)] == [2, 3]
    assert [len(history) for history in histories(split.test)] == [9] * 3
    assert split.train.frame["user"].n_unique() == 5
    every = split_log(months(10), 10, ITEMS, LogSettings(), SplitSettings(by="users", test_share=0.3, targets="all", history_share=0.6))
    assert [len(history) for history in histories(every.test)] == [6] * 3
    assert [len(items) for items in targets(every.test)] == [4] * 3
    # people with a single interaction cannot be asked about, so they are trained on
    alone = Interactions(pl.concat([months(3).frame, logged([(10, 0, 0)]).frame]), ("row",))
    for seed in range(20):
        split = split_log(alone, 11, ITEMS, LogSettings(), SplitSettings(by="users", test_share=0.5, validation_share=0.4, seed=seed))
        assert 10 in split.train.frame["user"].to_list()


def test_another_seed_holds_out_other_people():
    drawn = {
        tuple(split_log(months(3), 10, ITEMS, LogSettings(), SplitSettings(by="users", seed=seed)).test.users.tolist())
        for seed in range(20)
    }
    assert len(drawn) > 5


@laws
@given(interactions=logs(sessions=False), wanted=asked("random"))
def test_at_random_a_share_of_each_sequence_is_held_out_and_all_of_it_is_asked_for(interactions, wanted):
    split = divided(interactions, wanted)
    users, items = (interactions.frame[name].to_numpy() for name in ("user", "item"))
    for user in range(USERS):
        parts = split.part[(users == user) & (split.part != DUPLICATE)]
        size = len(parts)
        if size < 3:
            assert (parts == TRAIN).all()
            continue
        test = min(max(int(wanted.test_share * size), 1), size - 2)
        assert (parts == TEST).sum() == test
        assert (parts == VALIDATION).sum() == min(max(int(wanted.validation_share * size), 1), size - 1 - test)
    for held_out, part in ((split.validation, VALIDATION), (split.test, TEST)):
        for user, found in zip(held_out.users.tolist(), targets(held_out), strict=True):
            assert sorted(found) == sorted(set(items[(users == user) & (split.part == part)].tolist()))


def test_at_random_every_place_of_a_sequence_is_as_likely_and_the_seed_decides():
    interactions = logged([(user, item % ITEMS, 100 * item) for user in range(USERS) for item in range(10)])
    drawn = []
    for seed in range(200):
        wanted = SplitSettings(by="random", targets="all", seed=seed)
        drawn.append(split_log(interactions, USERS, ITEMS, LogSettings(), wanted).part)
    share = (np.stack(drawn).reshape(-1, 10) == TEST).mean(axis=0)
    assert share == pytest.approx(np.full(10, 0.1), abs=0.04)
    assert len({tuple(part) for part in drawn}) > 100


def test_by_sessions_each_interaction_but_the_first_is_a_query():
    # user u has the sessions 2 u and 2 u + 1, of two and of three interactions
    rows = [(user, (user + place) % ITEMS, 100 * (2 * user + (place > 1)) + place) for user in range(5) for place in range(5)]
    sessions = [2 * user + (place > 1) for user in range(5) for place in range(5)]
    interactions, shares = logged(rows, sessions), {"validation_share": 0.1, "test_share": 0.2}
    split = split_log(interactions, 5, ITEMS, LogSettings(), SplitSettings(by="sessions", **shares))
    # the latest two are those of the last user, the one before is of the user before
    assert histories(split.test) == [[20], [22], [22, 23]]
    assert targets(split.test) == [[rows[21][1]], [rows[23][1]], [rows[24][1]]]
    assert histories(split.validation) == [[17], [17, 18]]
    assert split.moments == {"validation": 702, "test": 800}
    every = split_log(interactions, 5, ITEMS, LogSettings(), SplitSettings(by="sessions", targets="all", history_share=0.5, **shares))
    assert histories(every.test) == [[20], [22, 23]]
    drawn = SplitSettings(by="sessions", sessions="drawn")
    tests = [split_log(interactions, 5, ITEMS, LogSettings(), replace(drawn, seed=seed)).test for seed in range(10)]
    assert len({str(histories(test)) for test in tests}) > 3


def test_sessions_of_one_interaction_that_begin_later_are_held_out_too():
    rows = [(user, user, 10 * user + place) for user in range(5) for place in range(2)] + [(5, 6, 45), (5, 6, 5)]
    interactions = logged(rows, [*(user for user in range(5) for _ in range(2)), 8, 9])
    split = split_log(interactions, USERS, ITEMS, LogSettings(), SplitSettings(by="sessions"))
    assert split.part[-2:].tolist() == [TEST, TRAIN]
    assert split.test.users.tolist() == [4]


def test_sessions_may_be_those_that_begin_after_a_pause():
    split = split_log(months(4), 10, ITEMS, LogSettings(session_gap=31 * DAY), SplitSettings(by="sessions"))
    assert len(split.test) == 3  # one session of four interactions
    with pytest.raises(DataError, match=r"sessions of two interactions or more; 3 or more are needed"):
        split_log(months(4), 10, ITEMS, LogSettings(session_gap=29 * DAY), SplitSettings(by="sessions"))


def test_a_target_met_before_cannot_be_found_among_new_items_and_is_dropped():
    rows = [(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 0, 3), (1, 3, 0), (1, 4, 1), (1, 5, 2), (1, 3, 8), (1, 6, 9), (1, 4, 10)]
    split = split_log(logged(rows), 2, ITEMS, LogSettings(), SplitSettings(by="last"))
    assert split.test.repeated_targets().tolist() == [True, True]
    assert split.validation.repeated_targets().tolist() == [False, False]
    assert len(split.test.new_targets().held_out) == 0
    assert split.summary()["test"]["repeated_targets"] == 2
    # user 0 takes item 0 again, user 1 the items 3 and 4 again and item 6 for the first time
    later = SplitSettings(by="time", time="1970-01-01T00:00:03", validation_share=0.1, targets="all")
    test = split_log(logged(rows), 2, ITEMS, LogSettings(), later).test
    assert targets(test) == [[0], [3, 6, 4]]
    fresh = test.new_targets()
    assert (fresh.dropped_targets, fresh.dropped_queries) == (3, 1)
    assert targets(fresh.held_out) == [[6]]
    assert fresh.held_out.users.tolist() == [1]
    assert histories(fresh.held_out) == [[4, 5, 6]]


@laws
@given(interactions=logs(), wanted=anything)
def test_repeated_targets_are_those_in_the_history(interactions, wanted):
    split = divided(interactions, wanted)
    items = interactions.frame["item"].to_list()
    for held_out in (split.validation, split.test):
        met = [{items[row] for row in history} for history in histories(held_out)]
        repeated = [item in known for known, of_query in zip(met, targets(held_out), strict=True) for item in of_query]
        assert held_out.repeated_targets().tolist() == repeated
        fresh = held_out.new_targets()
        assert targets(fresh.held_out) == [
            left
            for known, of_query in zip(met, targets(held_out), strict=True)
            if (left := [item for item in of_query if item not in known])
        ]


@pytest.mark.parametrize("places", [1, 7, 50, 10_000])
def test_batches_are_in_order_whatever_fits(monkeypatch, places):
    monkeypatch.setattr("recframe.logs.held_out.MAX_PLACES", places)
    rows = [(user, item % ITEMS, item) for user in range(USERS) for item in range(3 + 5 * user)]
    split = split_log(logged(rows), USERS, ITEMS, LogSettings())
    for exclude_seen in (True, False):
        batches = list(split.test.batches(4, 2, exclude_seen=exclude_seen))
        sizes = [len(batch.observation) for batch in batches]
        assert sum(sizes) == len(split.test)
        assert max(sizes) <= 4
        assert torch.cat([batch.targets for batch in batches]).tolist() == split.test.targets.tolist()
        assert torch.cat([batch.observation.user for batch in batches]).tolist() == split.test.users.tolist()
        if exclude_seen:
            assert all(batch.observation.excluded.numel() <= max(places, int(split.test.history_lengths.max())) for batch in batches)
        else:
            assert sizes == [4, 2]


def test_the_summary_is_in_numbers_that_json_has():
    rows = [(user, (user + place) % ITEMS, 10 * place) for user in range(4) for place in range(4)] + [(4, 6, 30), (0, 0, 0)]
    implicit = replace(logged(rows), feedback=())
    split = split_log(implicit, 5, ITEMS, LogSettings(), SplitSettings(by="last", min_user_interactions=2))
    summary = json.loads(json.dumps(split.summary()))
    assert summary["settings"]["min_user_interactions"] == 2
    assert summary["settings"]["by"] == "last"
    assert summary["duplicates"] == 1
    assert summary["moments"] == {}
    assert summary["train"] == {"interactions": 9, "users": 5, "items": 6}
    assert summary["test"] == {
        "interactions": 4, "queries": 4, "users": 4, "targets": 4, "cold_users": 0, "cold_items": 1, "repeated_targets": 0,
    }  # fmt: skip


MISTAKES = [
    ({"by": "week"}, r"split.by: 'week' is not allowed; it must be one of last, time, users, sessions"),
    ({"targets": "some"}, r"split.targets: 'some' is not allowed; it must be one of next, all"),
    ({"by": "users", "test_share": 0.0}, r"split.test_share: 0.0 is not allowed; it must be > 0 and < 1"),
    ({"by": "users", "test_share": 0.6, "validation_share": 0.4}, r"leave nothing to train on"),
    ({"targets": "all"}, r"with split.by=last, one interaction follows"),
    ({"by": "users", "time": "2020-01-01"}, r"split.time is for split.by=time, not split.by=users"),
    ({"by": "time", "time": "last week"}, r"split.time=last week: is no date; use one such as 2015-03-01"),
    ({"by": "time", "time": "2020-01-01"}, r"all before it; its interactions are from 1970-01-01T00:00:00 to 1970-09-28T00:00:09"),
    ({"by": "time", "time": "1969-01-01"}, r"all after it"),
    ({"by": "time", "time": "1970-02-01"}, r"0.3: that are 30 interactions, but only 20 of the log are before split.time"),
    ({"by": "random"}, r"split.targets=next: with split.by=random, held-out interactions follow nothing; use split.targets=all"),
    ({"by": "sessions"}, r"the sequences of the log are users; use logs.sequence=session"),
]


@pytest.mark.parametrize(("settings", "message"), MISTAKES)
def test_settings_that_cannot_be_met_are_refused(settings, message):
    with pytest.raises(DataError, match=message):
        split_log(months(10), 10, ITEMS, LogSettings(), SplitSettings(**{"validation_share": 0.3, **settings}))


def test_logs_that_cannot_be_divided_are_refused():
    with pytest.raises(DataError, match=r"all interactions are of one moment; use split.by=last"):
        split_log(logged([(user, 0, 5) for user in range(5)]), 5, ITEMS, LogSettings(), SplitSettings(by="time"))
    with pytest.raises(DataError, match=r"has 2 people with two interactions or more; 3 or more are needed"):
        split_log(
            logged([(user, item, item) for user in range(2) for item in range(4)]), 2, ITEMS, LogSettings(), SplitSettings(by="users")
        )
    with pytest.raises(DataError, match=r"are sessions, which hardly ever go on after a moment; use logs.sequence=user"):
        split_log(logged([(0, 0, 5), (0, 1, 6)], [0, 0]), 1, ITEMS, LogSettings(), SplitSettings(by="time"))


def test_only_clicks_are_asked_for():
    # the feedback is the number of the row: of the test's rows 4, 9, ..., 49, those from 25 on are clicks
    settings = LogSettings(click_column="row", click_at_least=25)
    split = split_log(months(5), 10, ITEMS, settings)
    assert split.test.users.tolist() == [5, 6, 7, 8, 9]
    every = split_log(months(5), 10, ITEMS, settings, SplitSettings(by="time", validation_share=0.2, test_share=0.4, targets="all"))
    assert every.test.users.tolist() == [5, 6, 7, 8, 9]
    # what is no click is history all the same
    assert [len(history) for history in histories(every.test)] == [3] * 5
    with pytest.raises(
        DataError, match=r"held out for the validation is a click.*of 49 or more.*largest value is 49;.*logs.click_at_least"
    ):
        split_log(months(5), 10, ITEMS, LogSettings(click_column="row", click_at_least=49))


def test_decisions_with_a_propensity_are_no_duplicates():
    base = logged([(0, 1, 5)] * 4)
    assert split_log(Interactions(base.frame.with_columns(propensity=0.5), ("row",)), 1, ITEMS, LogSettings()).summary()["duplicates"] == 0
    with pytest.raises(DataError, match=r"no sequence has 3 interactions.* use split.by=time"):
        split_log(replace(base, feedback=()), 1, ITEMS, LogSettings())


@pytest.mark.parametrize("unknown", [0.0, None, float("nan")])
def test_a_view_and_a_purchase_of_one_second_are_two_interactions_and_a_repeated_view_is_one(unknown):
    frame = logged([(0, 0, 1), (0, 1, 2), (0, 2, 5), (0, 2, 5), (0, 3, 5), (0, 2, 5)]).frame
    views, purchases = [1.0, 1.0, 1.0, unknown, 1.0, 1.0], [unknown, unknown, unknown, 1.0, unknown, unknown]
    interactions = Interactions(frame.with_columns(view=pl.Series(views), purchase=pl.Series(purchases)), ("view", "purchase"))
    split = split_log(interactions, 1, ITEMS, LogSettings())
    assert split.part.tolist() == [TRAIN, TRAIN, DUPLICATE, TRAIN, VALIDATION, TEST]


def test_a_log_without_a_click_says_its_column_threshold_and_largest_value():
    settings = LogSettings(click_column="row", click_at_least=50.5)
    with pytest.raises(
        DataError, match=r"no interaction is a click: a click is a row of 50.5 or more, and its largest value is 49;.*logs.click_"
    ):
        split_log(months(5), 10, ITEMS, settings)
    unknown = months(5)
    unknown = replace(unknown, frame=unknown.frame.with_columns(row=float("nan")))
    with pytest.raises(DataError, match=r"a click is a row of 1 or more, and no value of it is known"):
        split_log(unknown, 10, ITEMS, LogSettings(click_column="row"))


def test_features_stay_with_their_interactions():
    base = logged([(0, item, item) for item in range(5)] + [(0, 0, 0)])
    interactions = Interactions(base.frame, base.feedback, features=torch.arange(6.0)[:, None])
    split = split_log(interactions, 1, ITEMS, LogSettings())
    assert split.train.features[:, 0].tolist() == [float(row) for row in rows_of(split.train)]
    (queries,) = split.test.batches(4, 2)
    assert queries.observation.features.tolist() == [[4.0]]


def test_duplicates_are_found_where_sessions_of_one_second_take_turns():
    frame = logged([(0, 0, 1), (0, 1, 2), (0, 2, 5), (0, 3, 5), (0, 2, 5), (0, 2, 5)]).frame.with_columns(
        session=pl.Series([0, 0, 1, 2, 1, 2])
    )
    split = split_log(Interactions(frame, ()), 1, ITEMS, LogSettings(sequence="user"))
    assert split.part.tolist() == [TRAIN, TRAIN, DUPLICATE, TRAIN, VALIDATION, TEST]


def test_at_random_sequences_that_are_too_short_name_another_split():
    short = replace(logged([(user, item, item) for user in range(USERS) for item in range(2)]), feedback=())
    with pytest.raises(DataError, match=r"no sequence has 3 interactions, so that split.by=random can hold none out; use split.by=time"):
        split_log(short, USERS, ITEMS, LogSettings(), SplitSettings(by="random", targets="all"))
