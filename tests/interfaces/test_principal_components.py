"""Principal components: what they are, re-derived in numpy from the singular value decomposition."""

import numpy as np
import pytest
import torch

from recframe.interfaces import coordinates_by, covariance_matrix, principal_components, principal_coordinates


def some_vectors(rows: int = 200, size: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, size, generator=generator) * torch.logspace(0, -1, size) @ torch.randn(size, size, generator=generator) + 2.0


def svd_of(vectors: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The variances and the axes `[D, d]` of the principal components, by numpy."""
    centred = vectors.double().numpy()
    _, singular_values, axes = np.linalg.svd(centred - centred.mean(axis=0), full_matrices=False)
    return singular_values**2 / len(centred), axes.T


def components_of(vectors: torch.Tensor):
    return principal_components(covariance_matrix(vectors, vectors.double().mean(dim=0)))


def test_components_are_those_of_the_singular_value_decomposition():
    vectors = some_vectors()
    variances, axes = svd_of(vectors)
    found = components_of(vectors)
    np.testing.assert_allclose(found.variances.numpy(), variances, rtol=1e-9)
    np.testing.assert_allclose(np.abs(axes.T @ found.axes.numpy()), np.eye(7), atol=1e-8)


def test_leading_components_have_the_largest_variances():
    found = components_of(some_vectors())
    assert found.leading(3).axes.shape == (7, 3)
    assert torch.equal(found.leading(3).variances, found.variances.sort(descending=True).values[:3])
    assert found.leading(99).axes.shape == (7, 7)


def test_fixed_signs_make_the_largest_entry_of_each_axis_positive():
    found = components_of(some_vectors())
    flipped = found._replace(axes=-found.axes)
    assert torch.equal(found.with_fixed_signs().axes, flipped.with_fixed_signs().axes)
    for axis in found.with_fixed_signs().axes.T:
        assert axis.max() == axis.abs().max()


def test_rescaled_axes_give_coordinates_with_an_average_variance_of_one():
    vectors = some_vectors()
    found = components_of(vectors).leading(3)
    coordinates = (vectors.double() - vectors.double().mean(dim=0)) @ found.rescaled().axes
    variances = coordinates.var(dim=0, correction=0)
    assert variances.mean() == pytest.approx(1.0)
    torch.testing.assert_close(variances, found.rescaled().variances)
    torch.testing.assert_close(variances / variances[0], found.variances / found.variances[0])


def test_whitened_axes_give_uncorrelated_coordinates_with_a_variance_of_one():
    vectors = some_vectors()
    coordinates = (vectors.double() - vectors.double().mean(dim=0)) @ components_of(vectors).whitened().axes
    torch.testing.assert_close(torch.cov(coordinates.T, correction=0), torch.eye(7, dtype=torch.float64))


def test_covariance_in_chunks_equals_that_in_one_piece(monkeypatch):
    vectors = some_vectors()
    monkeypatch.setitem(covariance_matrix.__globals__, "CHUNK_ROWS", 64)
    np.testing.assert_allclose(
        covariance_matrix(vectors, vectors.double().mean(dim=0)).numpy(), np.cov(vectors.double().numpy().T, bias=True), rtol=1e-9
    )


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)])
@pytest.mark.parametrize("dims", [2, 5, 100])
def test_principal_coordinates_are_the_projections_on_the_leading_axes(shape, dims):
    """From either product of the vectors: `[D, D]` if there are more rows than columns, else `[n, n]`."""
    vectors = torch.randn(*shape, generator=torch.Generator().manual_seed(1)) + 2.0
    centred = vectors.double().numpy() - vectors.double().numpy().mean(axis=0)
    _, axes = svd_of(vectors)
    expected = centred @ axes[:, :dims]
    found = principal_coordinates(vectors, dims).numpy()
    assert found.shape == (shape[0], min(dims, *shape))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-6)


def test_equal_vectors_have_zero_coordinates():
    assert (principal_coordinates(torch.ones(3, 9), 2) == 0).all()
    assert (principal_coordinates(torch.ones(9, 3), 2) == 0).all()


@pytest.mark.parametrize("shape", [(12, 5), (4, 9)])
def test_coordinates_by_fitted_vectors_are_theirs_and_those_of_others_on_the_same_axes(shape):
    generator = torch.Generator().manual_seed(0)
    fitted, other = torch.randn(shape, generator=generator), torch.randn(3, shape[1], generator=generator)
    found = coordinates_by(torch.cat([fitted, other]), fitted, 3)
    assert found.shape == (shape[0] + 3, 3)
    torch.testing.assert_close(found[: shape[0]].abs(), principal_coordinates(fitted, 3).abs())
    # projections on orthonormal axes through the mean of the fitted
    axes = torch.linalg.lstsq(fitted.double() - fitted.double().mean(dim=0), found[: shape[0]]).solution
    torch.testing.assert_close((other.double() - fitted.double().mean(dim=0)) @ axes, found[shape[0] :])
    assert coordinates_by(other, torch.ones(2, shape[1]), 2).shape == (3, 2)
    assert coordinates_by(other, torch.ones(2, 9)[:, : shape[1]], 2).isfinite().all()
