"""SASRec, compared with torch's transformer; and dropout, which must not affect acting."""

import pytest
import torch
from torch import nn

from recframe.components import contradictions
from recframe.testing import toy_data, toy_observation, toy_spec
from recframe_plugins.state_trackers.attention import AttentionTracker
from recframe_plugins.state_trackers.config import AttentionConfig

DATA = toy_data()
LENGTH, DIM = 6, 8
LENGTHS = torch.arange(LENGTH + 1)
PRESENT = torch.arange(LENGTH) >= LENGTH - LENGTHS.unsqueeze(1)
SPEC = toy_spec(DATA, history_length=LENGTH)


def build(**options):
    torch.manual_seed(0)
    return AttentionTracker(AttentionConfig(history_length=LENGTH, item_dim=DIM, **options), SPEC, DATA)


def histories(seed=0):
    return torch.randn(len(LENGTHS), LENGTH, DIM, generator=torch.Generator().manual_seed(seed))


def reference(layer, heads):
    """A torch transformer layer with the weights of `layer`."""
    expected = nn.TransformerEncoderLayer(DIM, heads, DIM, dropout=0.0, batch_first=True, norm_first=True)
    expected.self_attn.in_proj_weight.data = torch.cat([layer.query.weight, layer.keys_and_values.weight])
    expected.self_attn.in_proj_bias.data = torch.cat([layer.query.bias, layer.keys_and_values.bias])
    pairs = [(expected.self_attn.out_proj, layer.output), (expected.linear1, layer.first), (expected.linear2, layer.second)]
    for copy, original in [*pairs, (expected.norm1, layer.attention_norm), (expected.norm2, layer.feed_forward_norm)]:
        copy.load_state_dict(original.state_dict())
    return expected


@pytest.mark.parametrize(("layers", "heads"), [(1, 1), (2, 1), (3, 4)])
def test_summary_equals_that_of_torch_transformer_over_the_present_entries(layers, heads):
    tracker, entries = build(layers=layers, heads=heads), histories()
    for parameter in tracker.parameters():
        nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():
        summary = tracker.summarize(entries, PRESENT)
        assert not summary[0].any()
        for row, length in enumerate(LENGTHS.tolist()[1:], start=1):
            vectors = entries[row : row + 1, -length:] + tracker.positions[-length:]
            causal = nn.Transformer.generate_square_subsequent_mask(length)
            for layer in tracker.layers:
                vectors = reference(layer, heads)(vectors, src_mask=causal, is_causal=True)
            torch.testing.assert_close(summary[row : row + 1], tracker.norm(vectors[:, -1]), rtol=1e-4, atol=1e-5)


def test_only_the_newest_entries_count_and_padding_in_front_does_not():
    tracker, entries = build(), histories()
    longer = torch.cat([histories(1), entries], dim=1)
    with torch.no_grad():
        expected = tracker.summarize(entries, PRESENT)
        for front in (torch.zeros_like(PRESENT), PRESENT[-1:].expand_as(PRESENT)):
            torch.testing.assert_close(tracker.summarize(longer, torch.cat([front, PRESENT], dim=1)), expected)
        torch.testing.assert_close(tracker.summarize(entries[:3, 4:], PRESENT[:3, 4:]), expected[:3])


def test_order_matters():
    tracker, entries = build(layers=1), histories()[-1:]
    with torch.no_grad():
        turned = torch.cat([entries[:, :-1].flip(1), entries[:, -1:]], dim=1)
        assert (tracker.summarize(turned, PRESENT[-1:]) - tracker.summarize(entries, PRESENT[-1:])).abs().max() > 0.01


def test_dropout_is_applied_only_in_updates():
    tracker = build(dropout=0.5)
    observation = toy_observation(SPEC, DATA, torch.Generator().manual_seed(0), users=12)

    def states():
        return [tracker(observation, tracker.project_items()).detach() for _ in range(2)]

    assert tracker.training
    assert not torch.equal(*states())
    before = torch.get_rng_state()
    with torch.no_grad():
        acting = states()
    tracker.eval()
    assert torch.equal(*acting)
    assert torch.equal(*states())
    assert torch.equal(acting[0], states()[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_item_dim_must_be_a_multiple_of_heads():
    assert contradictions(AttentionConfig(heads=3)) == ["state_tracker.item_dim (64) must be a multiple of state_tracker.heads (3)"]
    with pytest.raises(ValueError, match="must be a multiple of"):
        build(heads=3)
    assert contradictions(AttentionConfig(heads=4)) == []
