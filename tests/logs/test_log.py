"""A log as tensors, its windows, its transitions and the queries of a split."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
import torch

from recframe.interfaces import PAD, DataError, Interactions
from recframe.logs import LoggedTransitions, LogSettings, build_log, observations, split_log


def interactions(**columns: list[float]) -> Interactions:
    frame = pl.DataFrame(
        {"user": [1, 0, 0, 1, 0, 0], "item": [4, 0, 1, 3, 2, 3], "timestamp": [5, 10, 20, 9, 20, 30], **columns}
        | {"rating": columns.get("rating", [3.0, 1.0, 2.0, 5.0, float("nan"), 4.0])}
    )
    return Interactions(frame, ("rating",))


def test_sequences_are_in_order_of_time_and_then_of_rows() -> None:
    log = build_log(interactions(), 2, 5, LogSettings())
    assert log.items.tolist() == [0, 1, 2, 3, 4, 3]
    assert log.offsets.tolist() == [0, 4, 6]
    assert log.starts.tolist() == [0, 0, 0, 0, 4, 4]
    assert log.last.tolist() == [False, False, False, True, False, True]
    assert log.signals == ("click", "rating")
    assert log.feedback[:, 1].tolist() == [1.0, 2.0, 0.0, 4.0, 3.0, 5.0]  # what is not known is 0


def test_a_click_is_a_rating_from_a_threshold_on() -> None:
    log = build_log(interactions(), 2, 5, LogSettings(click_column="rating", click_at_least=4.0))
    assert log.feedback[:, 0].tolist() == [0.0, 0.0, 0.0, 1.0, 0.0, 1.0]
    assert build_log(interactions(), 2, 5, LogSettings()).feedback[:, 0].tolist() == [1.0] * 6


def test_a_threshold_without_a_column_is_refused_even_if_it_is_the_default() -> None:
    for threshold in (1.0, 4.0):
        with pytest.raises(
            DataError, match=rf"logs.click_at_least={threshold:g} .*log.csv has no feedback 'click'.*logs.click_column .*rating"
        ):
            build_log(replace(interactions(), source="log.csv"), 2, 5, LogSettings(click_at_least=threshold))
    # a column click is the one that is meant
    frame = interactions().frame.rename({"rating": "click"})
    assert build_log(Interactions(frame, ("click",)), 2, 5, LogSettings(click_at_least=4)).feedback[:, 0].sum() == 2
    assert build_log(Interactions(frame, ("click",)), 2, 5, LogSettings()).feedback[:, 0].sum() == 5


@pytest.mark.parametrize(("value", "said"), [(None, "unknown"), (float("nan"), "unknown"), (0.0, "0"), (1.5, "1.5")])
def test_a_row_without_a_usable_propensity_is_refused(value, said) -> None:
    logged = replace(interactions(propensity=[0.5, 0.5, 1.0, value, 0.5, value]), source="log.csv")
    with pytest.raises(DataError, match=rf"^log.csv: the propensity in row 3 .* is {said}; .*more than 0 and at most 1"):
        build_log(logged, 2, 5, LogSettings())


def test_a_history_is_padded_in_front_and_stays_within_its_sequence() -> None:
    log = build_log(interactions(), 2, 5, LogSettings())
    seen = observations(log, torch.tensor([0, 4]), torch.tensor([3, 5]), 2)
    assert seen.history_items.tolist() == [[1, 2], [PAD, 4]]
    assert seen.history_feedback[1, 0].tolist() == [0.0, 0.0]
    assert seen.user.tolist() == [0, 1]


def test_a_transition_is_the_history_the_item_and_what_came_of_it() -> None:
    log = build_log(interactions(), 2, 5, LogSettings())
    batch = LoggedTransitions(log, 3, ("rating", "dwell")).at(torch.tensor([1, 3]))
    assert batch.observation.history_items.tolist() == [[PAD, PAD, 0], [0, 1, 2]]
    assert batch.next_observation.history_items.tolist() == [[PAD, 0, 1], [1, 2, 3]]
    assert batch.slate.tolist() == [[1], [3]]
    assert batch.response.signals["rating"].tolist() == [[2.0], [4.0]]
    assert batch.response.signals["dwell"].tolist() == [[0.0], [0.0]]
    assert batch.observation.history_feedback[1, :, 0].tolist() == [1.0, 2.0, 0.0]
    assert batch.terminated.tolist() == [False, True]


def test_the_last_is_for_the_test_and_the_one_before_for_validation() -> None:
    split = split_log(interactions(), 2, 5, LogSettings())
    assert split.train.frame["item"].to_list() == [4, 0, 1, 3]  # the second user has too few to hold one out
    assert split.validation.targets.tolist() == [2]
    assert split.test.targets.tolist() == [3]
    (queries,) = split.test.batches(8, 2)
    assert queries.observation.history_items.tolist() == [[1, 2]]
    assert sorted(queries.observation.excluded[0].tolist()) == [0, 1, 2]


def test_a_log_in_which_nothing_can_be_held_out_is_refused() -> None:
    frame = interactions().frame.filter(pl.col("user") == 1)
    with pytest.raises(DataError, match="no sequence has 3 interactions"):
        split_log(Interactions(frame, ("rating",), source="log.csv"), 2, 5, LogSettings())


def test_a_session_begins_where_a_user_was_away_for_longer_than_the_gap() -> None:
    # user 0 at 10, 20, 20 and 30, user 1 at 5 and 9
    assert build_log(interactions(), 2, 5, LogSettings(session_gap=9)).offsets.tolist() == [0, 1, 3, 4, 6]
    assert build_log(interactions(), 2, 5, LogSettings(session_gap=10, sequence="session")).offsets.tolist() == [0, 4, 6]
    # these sessions take the place of the data's
    assert build_log(interactions(session=[0, 1, 2, 3, 4, 5]), 2, 5, LogSettings(session_gap=10)).offsets.tolist() == [0, 4, 6]


def test_sessions_that_do_not_exist_or_contradict_the_sequence_are_refused() -> None:
    with pytest.raises(DataError, match=r"has no sessions; use logs.sequence=user, or logs.session_gap"):
        build_log(interactions(), 2, 5, LogSettings(sequence="session"))
    with pytest.raises(DataError, match=r"logs.sequence is user"):
        build_log(interactions(), 2, 5, LogSettings(sequence="user", session_gap=10))


def test_what_was_shown_and_not_clicked_is_no_target() -> None:
    settings = LogSettings(click_column="rating", click_at_least=4.0)
    frame = pl.DataFrame({"user": [0] * 4 + [1] * 4, "item": [0, 1, 2, 3] * 2, "timestamp": list(range(8)), "rating": [5.0] * 7 + [1.0]})
    split = split_log(Interactions(frame, ("rating",)), 2, 5, settings)
    assert split.test.users.tolist() == [0]  # the last item of the other was not liked
    assert split.validation.users.tolist() == [0, 1]
