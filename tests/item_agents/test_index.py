"""Search for the nearest items: exact, in parts of any size; approximate, with faiss; and among the items that may be shown."""

import copy
import importlib.util
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import PAD, Observation
from recframe.item_agents import index as item_index
from recframe.item_agents.index import ApproximateIndex, ExactIndex, build_index, nearest_items, recall
from recframe.item_agents.top_columns import top_columns

needs_faiss = pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="faiss is not installed: pip install 'recframe[faiss]'")
KINDS = ["exact", pytest.param("approximate", marks=needs_faiss)]


def unit_vectors(count, dim=8, seed=0, centres=None):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, dim, generator=generator)
    if centres is not None:
        vectors = torch.randn(centres, dim, generator=generator)[torch.arange(count) % centres] + 0.5 * vectors
    return vectors / vectors.norm(dim=1, keepdim=True)


def by_sorting(points, vectors, k):
    return torch.cdist(points, vectors).argsort(dim=1)[:, :k]


def observation(users, candidates=None, excluded=None):
    nothing = torch.zeros(users, 1)
    return Observation(
        user=torch.zeros(users, dtype=torch.int64),
        history_items=torch.full((users, 1), PAD),
        history_feedback=nothing[:, :, None],
        candidates=candidates,
        excluded=excluded,
        batch_size=[users],
    )


@given(st.integers(1, 5), st.integers(1, 900), st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([64, 300, 2**22]))
@settings(max_examples=60, deadline=None)
def test_exact_search_in_parts_of_any_size_finds_the_nearest_items(users, count, k, seed, products):
    points, vectors, k = unit_vectors(users, seed=seed), unit_vectors(count, seed=seed + 1), min(k, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_index, "MAX_PRODUCTS", products)
        found = ExactIndex(vectors).search(points, k)
    # compare distances, so that ties within rounding errors pass
    expected = torch.cdist(points, vectors[by_sorting(points, vectors, k)].flatten(0, 1)).view(users, users, k)
    torch.testing.assert_close(torch.cdist(points.unsqueeze(1), vectors[found]).squeeze(1), expected[range(users), range(users)])
    assert all(len(row.unique()) == k for row in found)


def test_exact_search_limits_the_products_computed_at_once(monkeypatch):
    shapes = []
    monkeypatch.setattr(item_index, "MAX_PRODUCTS", 4_096)
    monkeypatch.setattr(item_index, "top_columns", lambda values, k: shapes.append(values.numel()) or top_columns(values, k))
    ExactIndex(unit_vectors(5_000)).search(unit_vectors(16), 10)
    assert max(shapes) <= 4_096
    assert sum(shapes) == 16 * 5_000


@needs_faiss
def test_approximate_search_finds_most_of_the_nearest_items_and_all_with_all_lists():
    vectors, points = unit_vectors(4_000, centres=40), unit_vectors(50, seed=1, centres=40)
    nearest = by_sorting(points, vectors, 10)
    few, many, everywhere = (recall(ApproximateIndex(vectors, probes).search(points, 10), nearest) for probes in (1, 16, 63))
    assert 0.3 < few < many
    assert many > 0.9
    assert everywhere == 1


@needs_faiss
def test_approximate_search_always_finds_k_items():
    vectors = unit_vectors(2_000, centres=20)
    found = ApproximateIndex(vectors, probes=1).search(unit_vectors(9, seed=1), 500)
    assert found.shape == (9, 500)
    assert all(len(row.unique()) == 500 and row.min() >= 0 for row in found)


@needs_faiss
def test_a_rebuilt_approximate_index_finds_the_same_items():
    vectors, points = unit_vectors(2_000), unit_vectors(50, seed=1)
    one, same = (ApproximateIndex(vectors, probes=3).search(points, 20) for _ in range(2))
    assert torch.equal(one, same)


def test_without_faiss_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ValueError, match=r"agent\.index=approximate needs faiss: pip install 'recframe\[faiss\]'"):
        build_index("approximate", unit_vectors(10), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_copies_share_an_index(kind):
    index = build_index(kind, unit_vectors(100), 1)
    assert copy.deepcopy({"index": index})["index"] is index


@pytest.mark.parametrize("kind", KINDS)
def test_excluded_items_are_not_found(kind):
    vectors, points = unit_vectors(50), unit_vectors(3, seed=1)
    order = by_sorting(points, vectors, 50)
    # the three nearest items of the first user, one of them twice; none of the second; all but two of the third
    excluded = torch.full((3, 48), PAD)
    excluded[0, :4] = order[0, [2, 0, 1, 0]]
    excluded[2] = order[2, 2:]
    found = nearest_items(build_index(kind, vectors, 1), vectors, observation(3, excluded=excluded), points, 4)
    assert found[:2].tolist() == [order[0, 3:7].tolist(), order[1, :4].tolist()]
    assert found[2].tolist() == [*order[2, :2].tolist(), PAD, PAD]


@pytest.mark.parametrize("kind", KINDS)
def test_only_candidates_are_found(kind):
    vectors, points = unit_vectors(50), unit_vectors(3, seed=1)
    order = by_sorting(points, vectors, 50)
    candidates = torch.full((3, 6), PAD)
    candidates[0] = order[0, [40, 10, 30, 20, 49, 0]]
    candidates[1, 2:] = order[1, [7, 3, 5, 1]]
    excluded = torch.tensor([[order[0, 10], order[0, 0]], [PAD, PAD], [PAD, PAD]])
    found = nearest_items(build_index(kind, vectors, 1), vectors, observation(3, candidates, excluded), points, 3)
    assert found[0].tolist() == order[0, [20, 30, 40]].tolist()
    assert found[1].tolist() == order[1, [1, 3, 5]].tolist()
    assert found[2].tolist() == [PAD] * 3
    assert nearest_items(build_index(kind, vectors, 1), vectors, observation(3, candidates), points, 99).shape == (3, 6)


def test_at_most_all_items_are_found():
    vectors = unit_vectors(5)
    found = nearest_items(ExactIndex(vectors), vectors, observation(2), unit_vectors(2, seed=1), 8)
    assert found.sort(dim=1).values.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_recall_is_the_share_of_the_nearest_items_that_were_found():
    nearest = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert recall(nearest.flip(1), nearest) == 1
    assert recall(torch.tensor([[4, 1, 9, 0], [1, 2, 3, 8]]), nearest) == pytest.approx(3 / 8)


@pytest.mark.benchmark
def test_exact_search_takes_little_more_time_than_the_product(project_root):
    spec = importlib.util.spec_from_file_location("item_index_benchmark", project_root / "benchmarks" / "item_index.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    vectors, point = unit_vectors(1_000_000, 64), unit_vectors(1, 64, seed=1)
    index = ExactIndex(vectors)
    each, _ = benchmark.ratios(lambda: index.search(point, 10), lambda: benchmark.product(point, vectors), pairs=9)
    assert each[len(each) // 2] < 1.5
