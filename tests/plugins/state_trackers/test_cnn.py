"""Caser's convolutions, compared with plain convolutions over each history."""

import pytest
import torch
import torch.nn.functional as F

from recframe.components import contradictions
from recframe.testing import toy_data, toy_spec
from recframe_plugins.state_trackers.cnn import CNNTracker
from recframe_plugins.state_trackers.config import CNNConfig

DATA = toy_data()
LENGTH = 6
LENGTHS = torch.arange(LENGTH + 1)


def build(**options):
    torch.manual_seed(0)
    config = CNNConfig(history_length=LENGTH, item_dim=5, **options)
    return CNNTracker(config, toy_spec(DATA, history_length=LENGTH), DATA)


def histories(seed=0):
    """One history of every length including zero, with arbitrary entries in front that must be ignored."""
    entries = torch.randn(len(LENGTHS), LENGTH, 5, generator=torch.Generator().manual_seed(seed))
    return entries, torch.arange(LENGTH) >= LENGTH - LENGTHS.unsqueeze(1)


def plain(tracker, entries):
    """The summary `[1, n]` of one history `[1, L, d]`, by torch's convolutions."""
    columns = entries.transpose(1, 2)
    horizontal = [F.relu(conv(F.pad(columns, (conv.kernel_size[0] - 1, 0)))).amax(dim=2) for conv in tracker.horizontal]
    full = F.pad(columns, (LENGTH - entries.shape[1], 0)).transpose(1, 2)
    vertical = F.conv2d(full.unsqueeze(1), tracker.vertical.weight.view(-1, 1, LENGTH, 1)).flatten(start_dim=1)
    return torch.cat([*horizontal, vertical], dim=1)


@pytest.mark.parametrize("heights", [[1, 2, 3, 4], [3], [6, 2]])
def test_summary_equals_that_of_plain_convolutions_over_each_history(heights):
    tracker, (entries, present) = build(heights=heights, horizontal_filters=3, vertical_filters=2), histories()
    with torch.no_grad():
        summary = tracker.summarize(entries, present)
        alone = [plain(tracker, entries[row : row + 1, LENGTH - length :]) for row, length in enumerate(LENGTHS) if length]
    assert summary.shape[1] == 3 * len(heights) + 2 * 5
    assert not summary[0].any()
    torch.testing.assert_close(summary[1:], torch.cat(alone))


def test_only_the_newest_entries_count_and_padding_in_front_does_not():
    tracker, (entries, present) = build(), histories()
    longer = torch.cat([histories(1)[0], entries], dim=1)
    with torch.no_grad():
        expected = tracker.summarize(entries, present)
        for front in (torch.zeros_like(present), present[-1:].expand_as(present)):
            torch.testing.assert_close(tracker.summarize(longer, torch.cat([front, present], dim=1)), expected)
        torch.testing.assert_close(tracker.summarize(entries[:3, 4:], present[:3, 4:]), expected[:3])


def test_order_matters():
    tracker, (entries, present) = build(heights=[2], vertical_filters=1), histories()
    with torch.no_grad():
        turned = tracker.summarize(entries[-1:].flip(1), present[-1:]) - tracker.summarize(entries[-1:], present[-1:])
    assert (turned.abs() > 0.01).any()


def test_filters_higher_than_the_history_are_refused():
    assert contradictions(CNNConfig(heights=[])) == ["state_tracker.heights must name at least one height, such as [1, 2, 3]"]
    (line,) = contradictions(CNNConfig(heights=[2, 9], history_length=8))
    assert line == "state_tracker.heights holds 9, but state_tracker.history_length is only 8"
    assert contradictions(CNNConfig(heights=[8], history_length=8)) == []
