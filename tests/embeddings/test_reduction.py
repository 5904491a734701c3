"""Whitening and dimension reduction: one map, fitted on the items, that changes the agent's vectors and not the world's."""

import numpy as np
import pytest
import torch

from recframe.building.parts import assemble
from recframe.building.texts import reduced
from recframe.config import compose_config
from recframe.embeddings import EmbeddingError, fit_reduction
from recframe.testing import toy_data


def correlated(rows: int = 300, size: int = 6, rank: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    scale = torch.logspace(0, -2, rank)
    return torch.randn(rows, rank, generator=generator) * scale @ torch.randn(rank, size, generator=generator) + 3.0


def covariance(vectors: torch.Tensor) -> torch.Tensor:
    return torch.cov(vectors.double().T, correction=0).float()


def test_whitened_vectors_are_uncorrelated_and_of_unit_variance():
    vectors = correlated()
    whitened = fit_reduction(vectors, whiten=True, dim=None)(vectors)
    assert whitened.dtype == torch.float32
    torch.testing.assert_close(covariance(whitened), torch.eye(6), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(whitened.mean(dim=0), torch.zeros(6), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(covariance(fit_reduction(vectors, whiten=True, dim=2)(vectors)), torch.eye(2), atol=1e-3, rtol=0.0)


def test_reduced_vectors_are_the_leading_principal_components():
    vectors = correlated()
    found = fit_reduction(vectors, whiten=False, dim=3)(vectors)
    _, _, axes = np.linalg.svd((vectors - vectors.mean(dim=0)).double().numpy(), full_matrices=False)
    expected = torch.from_numpy((vectors - vectors.mean(dim=0)).double().numpy() @ axes[:3].T).float()
    torch.testing.assert_close(found.abs(), expected.abs(), atol=1e-4, rtol=1e-4)


def test_the_map_does_not_depend_on_the_order_or_the_copies_of_items():
    vectors = correlated()
    fitted = fit_reduction(vectors, whiten=True, dim=4)
    turned = fit_reduction(vectors.flip(0), whiten=True, dim=4)
    # the signs of the axes in particular
    torch.testing.assert_close(fitted.matrix, turned.matrix, atol=1e-3, rtol=1e-3)
    data = toy_data()
    copies = data._replace(
        catalog=type(data.catalog)(
            ids=[*data.catalog.ids, *(f"copy-{number}" for number in range(30))],
            texts=[*data.catalog.texts, *data.catalog.texts[:1] * 30],
            attributes=data.catalog.attributes[[*range(40), *[0] * 30]],
            popularity=torch.ones(70),
            text_vectors=torch.cat([data.catalog.text_vectors, data.catalog.text_vectors[:1].expand(30, -1)]),
        )
    )
    (one, _), (other, _) = reduced(data, True, 5), reduced(copies, True, 5)
    torch.testing.assert_close(one.catalog.text_vectors, other.catalog.text_vectors[:40])
    torch.testing.assert_close(one.users.profiles.vectors, other.users.profiles.vectors)
    assert one.contexts.vectors.shape == (3, 5)


def test_vectors_that_vary_in_too_few_dimensions_are_refused():
    flat = correlated(size=8, rank=3)
    assert fit_reduction(flat, whiten=True, dim=None).matrix.shape == (8, 3)
    with pytest.raises(
        EmbeddingError, match=r"embeddings\.dim=4: the vectors of 300 different items vary in 3 dimensions only; .*at most 3"
    ):
        fit_reduction(flat, whiten=True, dim=4)
    with pytest.raises(EmbeddingError, match=r"embeddings\.dim=9: the encoder's vectors have 8 dimensions"):
        fit_reduction(flat, whiten=False, dim=9)
    for nothing in (torch.ones(5, 3), torch.ones(5, 0)):
        with pytest.raises(
            EmbeddingError, match=r"embeddings\.whiten: .* vary in 0 dimensions only; choose an encoder that tells items apart"
        ):
            fit_reduction(nothing, whiten=True, dim=None)


def test_gradients_pass_through_the_map():
    vectors = correlated().requires_grad_()
    fit_reduction(vectors.detach(), whiten=True, dim=2)(vectors).sum().backward()
    assert vectors.grad.abs().sum() > 0


def test_the_map_changes_the_agents_vectors_and_not_the_worlds(tmp_path, caplog):
    def vectors(*overrides: str) -> tuple[torch.Tensor, torch.Tensor]:
        small = ["dataset.num_items=60", "dataset.num_users=50", "encoder=tfidf", "encoder.dim=12", f"embeddings.cache={tmp_path}"]
        caplog.clear()
        parts = assemble(compose_config([*small, *overrides]))
        return parts.data.catalog.text_vectors, parts.reading.catalog.text_vectors

    caplog.set_level("INFO")
    plain, read = vectors()
    assert read is plain
    world, read = vectors("embeddings.whiten=true", "embeddings.dim=5")
    assert torch.equal(world, plain)
    torch.testing.assert_close(covariance(read), torch.eye(5), atol=1e-3, rtol=0.0)
    # the raw vectors are what is cached
    assert "tfidf: 0 texts encoded, 110 from the cache" in caplog.messages
    settings = ["encoder@world_encoder=tfidf", "world_encoder.dim=12"]
    for own in (["encoder.dim=7"], ["encoder.dim=7", "embeddings.whiten=true"], ["encoder.dim=12", "embeddings.shuffle=true"]):
        world, read = vectors(*settings, *own)
        assert torch.equal(world, plain)
        assert read.shape == (60, int(own[0].partition("=")[2]))
        assert not (read.shape == plain.shape and torch.equal(read, plain))
