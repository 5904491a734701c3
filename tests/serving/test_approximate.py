"""Approximate search in serving: an index finds items, and their exact scores rank them."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recframe
from recframe.errors import UserError
from recframe.interfaces import PAD, Observation
from recframe.item_agents import QueryScores
from recframe.serving.approximate import ProductIndex, best_found
from recframe.serving.exploration import ExplorationConfig, Explorer
from recframe.serving.question import Question
from tests.serving.conftest import FILMS

pytest.importorskip("faiss")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(0, 5), st.booleans())
def test_all_lists_searched_the_ranking_is_that_of_all_scores(seed, k, excluded, repeats):
    draw = torch.Generator().manual_seed(seed)
    items = torch.randn(300, 5, generator=draw) * torch.rand(300, 1, generator=draw) * 3
    history = torch.randint(-1, 300, (4, 6), generator=draw)
    scores = QueryScores(torch.randn(4, 5, generator=draw), torch.full((4,), 5.0 if repeats else -5.0), history, items)
    barred = torch.randint(-1, 300, (4, excluded), generator=draw) if excluded else None
    observation = Observation(
        user=torch.zeros(4, dtype=torch.int64),
        history_items=history,
        history_feedback=torch.zeros(4, 6, 1),
        excluded=barred,
        batch_size=[4],
    )
    found = best_found(ProductIndex(items, probes=10**6), scores, observation, k)
    values = scores.of(torch.arange(300).expand(4, -1))
    if barred is not None:
        values = values.scatter(1, barred.clamp(min=0), torch.where(barred == PAD, values.gather(1, barred.clamp(min=0)), -torch.inf))
    assert torch.equal(found, values.topk(k).indices)


def test_vectors_of_all_lengths_are_found_by_their_products():
    draw = torch.Generator().manual_seed(0)
    items = torch.nn.functional.normalize(torch.randn(20_000, 16, generator=draw), dim=1) * (0.1 + torch.rand(20_000, 1, generator=draw))
    queries = torch.randn(50, 16, generator=draw)
    found = ProductIndex(items, probes=40).search(queries, 10)
    best = (queries @ items.T).topk(10).indices
    assert float((found.unsqueeze(1) == best.unsqueeze(2)).any(dim=2).float().mean()) > 0.9


def test_a_policy_that_searches_approximately_answers_as_before(artefact):
    exact, policy = recframe.load_policy(artefact), recframe.load_policy(artefact)
    assert policy.search_approximately(probes=100) == 1.0
    asked = [
        {},
        {"history": ["3", ("4", {"rating": 2.0})], "k": FILMS + 5},
        {"history": ["3"], "exclude": ["1", "2"], "k": 4},
        {"history": ["3"], "exclude": [], "candidates": ["3", "5", "7"], "k": 5},
        {"must_include": ["9"], "k": 3},
    ]
    for question in asked:
        found, expected = policy.recommend(**question), exact.recommend(**question)
        assert found.ids == expected.ids
        assert [item.score for item in found] == pytest.approx([item.score for item in expected])
    assert policy.copy().recommend(k=5) == policy.recommend(k=5)
    for kind in ("epsilon", "boltzmann"):
        drawn = [one.recommend(k=3, explorer=Explorer(ExplorationConfig(kind), 1)) for one in (exact, policy)]
        assert drawn[0].ids == drawn[1].ids


def described(numbers, name):
    """Items whose texts are of four of the films' words each, so that all of them have other vectors."""
    return [{"id": f"{name}-{'-'.join(map(str, words))}", "text": "Film " + " ".join(map(str, words))} for words in numbers]


def test_items_added_before_and_after_the_index_is_built_are_found_as_by_exact_search(by_text):
    words = list(itertools.combinations(range(FILMS), 4))
    random.Random(0).shuffle(words)
    before, after = described(words[:2_000], "before"), described(words[2_000:2_400], "after")
    exact, policy = recframe.load_policy(by_text), recframe.load_policy(by_text)
    for one in (exact, policy):
        one.add_items(before)
    assert policy.search_approximately(probes=24) > 0.95
    twin = policy.copy()
    for one in (exact, policy):
        assert len(one.add_items(after)) == 400
    assert policy.version == exact.version != twin.version
    questions = [Question(history=[one["id"]], exclude=(), k=10) for one in (*before[:60], *after[:60])]
    best, found = (one.recommend_many(questions) for one in (exact, policy))
    shares = [len({*one.ids}.intersection(other.ids)) / 10 for one, other in zip(best, found, strict=True)]
    assert sum(shares) / len(shares) > 0.95
    # of the new items alone as well, which are a sixth of all
    new = [({item for item in one.ids if item.startswith("after")}, other.ids) for one, other in zip(best, found, strict=True)]
    assert sum(len(wanted) for wanted, _ in new) > 100
    assert sum(len(wanted.intersection(ids)) for wanted, ids in new) > 0.95 * sum(len(wanted) for wanted, _ in new)
    # what is found is ranked by exact scores
    for one, other in zip(best, found, strict=True):
        scores = {item.id: item.score for item in one}
        assert [item.score for item in other if item.id in scores] == pytest.approx([scores[i] for i in other.ids if i in scores], abs=1e-5)
    # with all lists searched, all is found; a copy from before does not know them
    policy.search_approximately(probes=10**6)
    assert [one.ids for one in policy.recommend_many(questions)] == [one.ids for one in best]
    assert not any(item.startswith("after") for item in twin.recommend(k=2_000).ids)


def test_a_policy_without_products_is_refused_and_stays_as_it_was(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "cache"))
    small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.k=[5]", "evaluation.references=false"]
    recframe.run(
        ["experiment=next_item", "dataset=movielens_format", f"dataset.path={folder.parent}", "agent=item_knn", *small],
        folder=tmp_path / "run",
    )
    policy = recframe.load_policy(tmp_path / "run")
    before = policy.recommend(["3"], k=5)
    with pytest.raises(UserError, match="search: agent=item_knn does not rank by products with vectors of items"):
        policy.search_approximately()
    assert policy.recommend(["3"], k=5) == before


def test_faiss_that_is_missing_is_one_line(artefact, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(UserError, match=r"search: approximate needs faiss: pip install 'recframe\[faiss\]'"):
        recframe.load_policy(artefact).search_approximately()
