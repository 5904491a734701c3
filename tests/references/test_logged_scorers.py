"""Recommenders of logs: their equations in numpy, sparse as dense, in parts as whole, saved and loaded."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import PAD, DataError, Observation
from recframe.item_agents import rank_items
from recframe.references.logged import (
    EASE,
    ContentCosine,
    Counts,
    ItemKNN,
    UserKNN,
    history_weights,
    interaction_matrix,
    item_knn,
    item_neighbors,
    row_sums,
    user_knn,
)
from recframe.references.logged.row_sums import RowSums, SparseRowSums, Terms
from recframe.references.logged.sparse_rows import SparseRows, top_of_rows
from tests.references.logs_with_tastes import log_of, random_log, spec_of

SEEDS = st.integers(0, 10_000)
VECTORS = torch.randn(17, 6, generator=torch.Generator().manual_seed(9))


def matrix_of(log, weights="click"):
    """X by a loop over the rows in order: the last interaction that counts overwrites."""
    x = np.zeros((log.num_sequences, log.num_items))
    for row in range(len(log)):
        click, rating = log.feedback[row].tolist()
        if click > 0:
            x[int(log.sequence[row]), int(log.items[row])] = rating if weights == "rating" else 1.0
    return x


def observed(seed, users=7, length=8, num_items=17):
    generator = torch.Generator().manual_seed(seed)
    items = torch.randint(num_items, (users, length), generator=generator)
    missing = torch.arange(length) < torch.randint(0, length + 1, (users, 1), generator=generator)
    items = items.masked_fill(missing, PAD)
    click = (torch.rand(items.shape, generator=generator) < 0.7).float()
    rating = torch.randint(0, 6, items.shape, generator=generator).float()
    feedback = torch.stack([click, rating], dim=2) * (items != PAD).unsqueeze(2)
    return Observation(user=torch.arange(users), history_items=items, history_feedback=feedback, batch_size=[users])


def weights_of(observation, weights, decay):
    """The weight of each item in each history `[N, M]`, by a loop from the end of the history."""
    found = np.zeros((len(observation.user), 17))
    for user, (items, feedback) in enumerate(zip(observation.history_items.tolist(), observation.history_feedback.tolist(), strict=True)):
        age, seen = 0, set()
        for item, (click, rating) in reversed(list(zip(items, feedback, strict=True))):
            value = rating if weights == "rating" else 1.0
            if item == PAD or click == 0 or value == 0 or item in seen:
                continue
            found[user, item] = value * decay**age
            age += 1
            seen.add(item)
    return found


def scored(scorer, observation):
    return scorer.evidence(observation).between(0, scorer.spec.num_items).numpy()


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, weights=st.sampled_from(["click", "rating"]))
def test_of_the_interactions_with_an_item_the_last_click_counts(seed, weights):
    log = random_log(seed)
    assert np.array_equal(interaction_matrix(log, weights).toarray(), matrix_of(log, weights))


def test_the_sequences_of_a_user_are_put_together_by_user():
    log = log_of([[0, 1], [1, 2], [3]], 4, ratings=[1, 2, 3, 4, 5])
    users = torch.tensor([0, 0, 0, 0, 1])
    together = interaction_matrix(type(log)(**{**vars(log), "users": users, "num_users": 2}), "rating", by_user=True)
    assert together.toarray().tolist() == [[1, 3, 4, 0], [0, 0, 0, 5]]


def test_a_signal_that_the_log_lacks_and_a_log_without_clicks_are_refused():
    with pytest.raises(DataError, match=r"agent\.weights: the log has no signal 'dwell'; it has click, rating"):
        interaction_matrix(random_log(0), "dwell")
    with pytest.raises(DataError, match=r"no interaction of the log is a click.* logs.click_at_least"):
        interaction_matrix(log_of([[0, 1]], 3, clicks=[0, 0]))
    with pytest.raises(DataError, match="a click with a rating above 0"):
        interaction_matrix(log_of([[0, 1]], 3, ratings=[0, 0]), "rating")


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, weights=st.sampled_from(["click", "rating"]), decay=st.sampled_from([1.0, 0.7, 0.1]))
def test_the_weight_of_an_item_decays_with_its_places_from_the_end(seed, weights, decay):
    observation = observed(seed)
    found = history_weights(observation, ("click", "rating"), weights, decay)
    dense = torch.zeros(7, 18).index_put((torch.arange(7).unsqueeze(1), observation.history_items % 18), found, accumulate=True)
    assert np.allclose(dense[:, :-1].numpy(), weights_of(observation, weights, decay))
    assert (found[observation.history_items == PAD] == 0).all()


def test_without_the_signals_every_item_counts_one():
    observation = observed(3)
    observation.history_items[:] = torch.arange(8)
    assert history_weights(observation, ("dwell", "rating"), "likes").eq(1).all()


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, shrinkage=st.sampled_from([0.0, 10.0]), n=st.integers(1, 18), block=st.sampled_from([1, 40, 2**24]))
def test_similarity_is_the_shrunk_cosine_and_only_the_largest_stay(seed, shrinkage, n, block):
    log = random_log(seed)
    x = matrix_of(log, "rating")
    norms = np.linalg.norm(x, axis=0)
    with np.errstate(invalid="ignore"):
        similarity = np.nan_to_num(x.T @ x / (np.outer(norms, norms) + shrinkage))
    np.fill_diagonal(similarity, 0.0)
    found = item_neighbors(interaction_matrix(log, "rating"), shrinkage, n, block).toarray()
    # of equal ones, any may stay: what stays is right, and is as much as the n largest
    assert np.allclose(found[found > 0], similarity[found > 0], rtol=1e-5)
    assert np.allclose(np.sort(found, axis=1)[:, -n:], np.sort(similarity, axis=1)[:, -n:], rtol=1e-5)
    assert ((found > 0).sum(axis=1) <= n).all()


def test_of_equal_entries_those_of_the_first_columns_stay():
    import scipy.sparse as sp

    matrix = sp.csr_matrix(np.array([[2.0, 1.0, 1.0, 1.0], [0.0, 3.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]], dtype=np.float32))
    assert top_of_rows(matrix, 2).toarray().tolist() == [[2, 1, 0, 0], [0, 3, 0, 1], [1, 1, 0, 0]]


@pytest.mark.parametrize("weights", ["click", "rating"])
def test_item_knn_adds_up_the_similarities_of_the_decayed_history(weights):
    log, observation = random_log(1), observed(2)
    scorer = ItemKNN(spec_of(log), shrinkage=3.0, neighbors=4, weights=weights, decay=0.7)
    scorer.fit(log)
    similarity = item_neighbors(interaction_matrix(log, weights), 3.0, 4).toarray()
    assert np.allclose(scored(scorer, observation), weights_of(observation, weights, 0.7) @ similarity, atol=1e-5)


def test_item_knn_scores_a_large_catalogue_from_sparse_rows_alike(monkeypatch):
    log, observation = random_log(1), observed(2)
    scorer = ItemKNN(spec_of(log))
    scorer.fit(log)
    dense = scorer.evidence(observation)
    monkeypatch.setattr(item_knn, "DENSE_ITEMS", 10)
    sparse = scorer.evidence(observation)
    assert isinstance(dense, RowSums)
    assert isinstance(sparse, SparseRowSums)
    assert torch.allclose(dense.between(0, 17), sparse.between(0, 17), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, largest=st.sampled_from([1, 5, 10_000]), cut=st.integers(0, 17))
def test_sums_of_rows_are_the_same_in_parts_for_chosen_items_and_sparse(seed, largest, cut):
    rows = interaction_matrix(random_log(seed), "rating")
    matrix = SparseRows.of(rows, "cpu")
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(5, 4, generator=generator) * (torch.rand(5, 4, generator=generator) < 0.6)
    terms = Terms.of(torch.randint(30, (5, 4), generator=generator), weights)
    expected = np.zeros((5, 17))
    for user, row, weight in zip(terms.users.tolist(), terms.rows.tolist(), terms.weights.tolist(), strict=True):
        expected[user] += weight * rows.toarray()[row]
    chosen = torch.randint(17, (5, 6), generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_sums, "MAX_ENTRIES", largest)
        for sums in (SparseRowSums(matrix, terms), RowSums(matrix.dense(17), terms)):
            whole = sums.between(0, 17)
            assert np.allclose(whole.numpy(), expected, atol=1e-5)
            assert torch.allclose(torch.cat([sums.between(0, cut), sums.between(cut, 17)], dim=1), whole, atol=1e-6)
            assert torch.allclose(sums.of(chosen), whole.gather(1, chosen), atol=1e-6)


@pytest.mark.parametrize("has_users", [True, False])
@pytest.mark.parametrize("pairs", [40, 2**24])
def test_user_knn_adds_up_what_the_most_similar_took(has_users, pairs, monkeypatch):
    monkeypatch.setattr(user_knn, "MAX_PAIRS", pairs)
    log, observation = random_log(4), observed(5)
    scorer = UserKNN(spec_of(log, has_users=has_users), shrinkage=2.0, neighbors=3, weights="rating", decay=0.9)
    scorer.fit(log)
    x, h = matrix_of(log, "rating"), weights_of(observation, "rating", 0.9)
    similarity = h @ x.T / (np.outer(np.linalg.norm(h, axis=1), np.linalg.norm(x, axis=1)) + 2.0)
    if has_users:
        similarity[np.arange(7), np.arange(7)] = 0.0
    for user in range(7):
        similarity[user, np.argsort(-similarity[user], kind="stable")[3:]] = 0.0
    assert np.allclose(scored(scorer, observation), similarity @ x, atol=1e-4)


def test_ease_solves_its_least_squares_with_a_zero_diagonal():
    log = random_log(6)
    scorer = EASE(spec_of(log), regularization=4.0)
    scorer.fit(log)
    weights, x = scorer.item_weights.double().numpy(), matrix_of(log)
    inverse = np.linalg.inv(x.T @ x + 4.0 * np.eye(17))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0.0)
    assert np.allclose(weights, expected, atol=1e-5)
    # the gradient of the loss is zero but for the diagonal, where the multipliers are
    gradient = x.T @ (x @ weights - x) + 4.0 * weights
    assert np.allclose(gradient - np.diag(np.diag(gradient)), 0.0, atol=1e-4)
    observation = observed(7)
    assert np.allclose(scored(scorer, observation), weights_of(observation, "click", 1.0) @ expected, atol=1e-5)


def test_ease_refuses_a_catalogue_that_it_cannot_invert():
    log = random_log(6)
    with pytest.raises(DataError, match=r"17 x 17 items .* agent.max_items is 16: .* use agent=item_knn"):
        EASE(spec_of(log), max_items=16).fit(log)


def test_content_is_the_cosine_with_the_decayed_profile():
    observation, unit = observed(8), torch.nn.functional.normalize(VECTORS.double(), dim=1).numpy()
    scorer = ContentCosine(spec_of(random_log(0)), VECTORS, decay=0.5)
    profile = weights_of(observation, "click", 0.5) @ unit
    norms = np.linalg.norm(profile, axis=1, keepdims=True)
    expected = np.divide(profile, norms, out=np.zeros_like(profile), where=norms > 0) @ unit.T
    assert np.allclose(scored(scorer, observation), expected, atol=1e-5)
    with pytest.raises(ValueError, match="no text is read"):
        ContentCosine(spec_of(random_log(0)), torch.zeros(17, 0))


def test_the_popular_are_those_that_most_took_and_then_the_ones_taken_last():
    log = log_of([[4, 1], [1, 2], [2, 0], [0]], 6, clicks=[1, 1, 1, 1, 1, 1, 0])
    scorer = Counts(spec_of(log))
    scorer.fit(log)
    nobody = observed(0, users=1, length=0, num_items=6)
    # 1 and 2 have two clicks each, 4 and 0 one; 2 and 0 came later; the rest is in the order of the catalogue
    assert rank_items(nobody, scorer.scores(nobody), 6, 6).tolist() == [[2, 1, 0, 4, 3, 5]]


@pytest.mark.parametrize("build", [ItemKNN, UserKNN, EASE, lambda spec: ContentCosine(spec, VECTORS)])
def test_a_user_without_history_gets_the_popular(build):
    log = random_log(3)
    scorer, popular = build(spec_of(log)), Counts(spec_of(log))
    scorer.fit(log)
    popular.fit(log)
    nobody = observed(0, users=3, length=0)
    assert torch.equal(rank_items(nobody, scorer.scores(nobody), 17, 17), rank_items(nobody, popular.scores(nobody), 17, 17))


@pytest.mark.parametrize("build", [ItemKNN, UserKNN, EASE, Counts, lambda spec: ContentCosine(spec, VECTORS)])
def test_the_history_comes_last_unless_it_may_be_repeated(build):
    log, observation = random_log(3), observed(4)
    scorer = build(spec_of(log))
    scorer.fit(log)
    once, again = (scorer.scores(observation, repeats) for repeats in (False, True))
    ranking = rank_items(observation, once, 17, 17)
    for user, items in enumerate(observation.history_items.tolist()):
        seen = {item for item in items if item != PAD}
        assert set(ranking[user, 17 - len(seen) :].tolist()) == seen
        others = again.between(0, 17)[user, ranking[user, : 17 - len(seen)]]
        assert torch.equal(others, others.sort(descending=True).values)
    chosen = torch.arange(17).expand(7, -1)
    for scores in (once, again):
        assert torch.allclose(scores.of(chosen), scores.between(0, 17), rtol=1e-5, atol=1e-6)
        assert torch.allclose(torch.cat([scores.between(0, 5), scores.between(5, 17)], dim=1), scores.between(0, 17), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("build", [ItemKNN, UserKNN, EASE, Counts, lambda spec: ContentCosine(spec, VECTORS)])
def test_what_was_learned_is_loaded_over_nothing_and_over_a_fit_of_another_size(build):
    log, observation = random_log(3), observed(4)
    scorer, fresh, other = (build(spec_of(log)) for _ in range(3))
    scorer.fit(log)
    other.fit(random_log(8, sequences=12))
    other.scores(observation).between(0, 17)  # what it may have cached must go
    expected = scorer.scores(observation).between(0, 17)
    for loaded in (fresh, other):
        assert not torch.equal(loaded.scores(observation).between(0, 17), expected)
        loaded.load_state_dict(scorer.state_dict())
        assert torch.equal(loaded.scores(observation).between(0, 17), expected)
