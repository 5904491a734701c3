"""Item vectors: texts, learned embeddings, and the gate between them."""

import pytest
import torch

from recframe.components import contradictions
from recframe.interfaces import ItemProjection
from recframe_plugins.state_trackers.config import MeanConfig

TEXTS = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
ROWS = torch.tensor([49, 0, 7, 7])


def build(texts=TEXTS, dim=6, **options):
    torch.manual_seed(0)
    return ItemProjection(texts, dim, **options)


def test_embeddings_start_at_zero_and_are_added():
    plain, both = build(), build(id_embeddings=True)
    with torch.no_grad():
        assert torch.equal(both(), plain())
        both.embedding[7] += 1.0
        torch.testing.assert_close(both(ROWS) - plain(ROWS), torch.tensor([0.0, 0, 1, 1]).unsqueeze(1).expand(4, 6))


def test_gate_combines_text_and_embedding_in_each_dimension():
    items = build(id_embeddings=True, id_gate=True)
    with torch.no_grad():
        items.embedding.normal_()
        text = items.linear(items.texts.values)
        gate = torch.sigmoid(torch.cat([text, items.embedding], dim=1) @ items.gate.weight.T + items.gate.bias)
        torch.testing.assert_close(items(), gate * text + (1 - gate) * items.embedding)
        torch.testing.assert_close(items(ROWS), items()[ROWS])
        items.gate.bias.fill_(100.0)
        torch.testing.assert_close(items(), text)
        items.gate.bias.fill_(-100.0)
        torch.testing.assert_close(items(), items.embedding.detach())


@pytest.mark.parametrize("asked", [False, True])
def test_items_without_text_vectors_start_at_random_and_learn(asked):
    items = build(TEXTS.new_zeros(2000, 0), dim=64, id_embeddings=asked)
    vectors = items()
    assert [name for name, _ in items.named_parameters()] == ["embedding"]
    assert vectors.std().item() == pytest.approx(64**-0.5, rel=0.02)
    assert len(vectors.unique(dim=0)) == 2000
    assert torch.equal(items(ROWS), vectors[ROWS])
    kept = vectors.detach().clone()
    with torch.no_grad():
        items.embedding.add_(1.0)
    assert torch.equal(vectors, kept)  # vectors that an agent keeps while acting must not change


@pytest.mark.parametrize(("texts", "ids"), [(TEXTS, False), (TEXTS[:, :0], True)], ids=["no embeddings", "no texts"])
def test_gate_requires_text_and_embeddings(texts, ids):
    with pytest.raises(ValueError, match=r"^state_tracker\.id_gate weights [^\n]* but there are no "):
        build(texts, id_embeddings=ids, id_gate=True)


def test_a_gate_without_embeddings_is_refused_before_a_run():
    (line,) = contradictions(MeanConfig(id_gate=True))
    assert "add state_tracker.id_embeddings=true" in line
    assert contradictions(MeanConfig(id_gate=True, id_embeddings=True)) == []
