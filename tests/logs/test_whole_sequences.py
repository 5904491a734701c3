"""Which held-out rows belong to sequences that are held out as a whole."""

import polars as pl
import torch

from recframe.interfaces import Interactions
from recframe.logs import LogSettings, SplitSettings, build_log, in_whole_sequences, split_log


def test_rows_of_a_sequence_that_began_before_the_held_out_ones_are_not_whole():
    frame = pl.DataFrame({"user": [0, 0, 0, 1, 1, 2], "item": [2, 0, 1, 0, 1, 2], "timestamp": [1, 5, 8, 8, 9, 9]})
    log = build_log(Interactions(frame, ()), 3, 3, LogSettings())
    assert in_whole_sequences(log, torch.tensor([2, 3, 4, 5])).tolist() == [False, True, True, True]
    assert in_whole_sequences(log, torch.tensor([4])).tolist() == [False]
    interactions = Interactions(frame, ())
    split = split_log(interactions, 3, 3, LogSettings(), SplitSettings(by="time", time="1970-01-01T00:00:08", validation_share=0.1))
    rows = split.rows_of_test(interactions, LogSettings())
    assert split.test.log.users[rows[~in_whole_sequences(split.test.log, rows)]].tolist() == [0]
