"""The quit rule: which items are similar, which shown items count, and which users leave."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from recframe.interfaces import PAD, DataError
from recframe_plugins.environments.simulation.quit_rule import QuitRule, principal_directions

# items 0 and 1 are equal, 2 is orthogonal to them, 3 is between them and 2, and 4 is the zero vector
VECTORS = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.8, 0.6], [0.0, 0.0]])


def leaves(recent, slate, window=3, count=2, similarity=0.9):
    return bool(QuitRule(VECTORS, window, count, similarity)(torch.tensor([recent], dtype=torch.int64), torch.tensor([slate]))[0])


@pytest.mark.parametrize(
    ("recent", "slate", "expected"),
    [
        ([2, 0, 1], [0], True),
        ([2, 0, 2], [0], False),
        ([2, 0, 2], [2], True),
        # only the last three count
        ([0, 0, 2, 2, 0], [1], False),
        ([0, 0, 2, 1, 0], [1], True),
        # one item of the slate is enough, and an item that is similar to two of the slate counts once
        ([2, 0, 1], [4, 1], True),
        ([2, 0, 4], [0, 1], False),
        # items of the slate are not compared with each other
        ([4, 4, 4], [0, 1], False),
    ],
)
def test_user_leaves_after_two_similar_items_among_the_last_three(recent, slate, expected):
    assert leaves(recent, slate) is expected


def test_items_are_similar_from_the_threshold_on():
    assert leaves([0, 0, 0], [3], similarity=0.79)
    assert not leaves([0, 0, 0], [3], similarity=0.81)
    # inclusive; orthogonal vectors have a cosine of 0
    assert leaves([0, 0, 0], [1], similarity=1.0)
    assert leaves([0, 0, 0], [2], similarity=0.0)


def test_item_is_similar_to_itself_despite_rounding_at_a_similarity_of_one():
    vectors = F.normalize(torch.randn(500, 7, generator=torch.Generator().manual_seed(0)), dim=1)
    rule, items = QuitRule(vectors, 1, 1, 1.0), torch.arange(500)[:, None]
    assert rule(items, items).all()
    assert torch.equal(rule.of_all(items), torch.eye(500, dtype=torch.bool))


def test_padding_is_not_similar_to_anything():
    # padding never counts, even if all items are similar
    assert not leaves([PAD, PAD, 0], [0], similarity=-1.0)
    assert leaves([PAD, 0, 0], [0], similarity=-1.0)
    assert not leaves([], [0], count=1, similarity=-1.0)


def test_count_of_zero_switches_the_rule_off():
    assert not leaves([0, 0, 0], [0], count=0, similarity=-1.0)
    assert not QuitRule(VECTORS, 3, 0, -1.0).of_all(torch.tensor([[0, 0, 0]])).any()


def test_count_larger_than_the_window_is_refused_in_one_line(make, peopled):
    with pytest.raises(ValueError, match=r"^environment.quit_count is 4, but environment.quit_window holds 3: nobody would ever leave$"):
        make(peopled, quit_count=4, quit_window=3)
    # under fixed_length nobody leaves anyway
    assert make(peopled, quit_count=4, quit_window=3, protocol="fixed_length", max_steps=5).quit_rule.count == 0
    assert QuitRule(VECTORS, 3, 3, 0.9)(torch.tensor([[0, 1, 0]]), torch.tensor([[1]])).all()


cases = st.tuples(st.integers(0, 2**40), st.integers(1, 6), st.integers(0, 8), st.floats(-1.0, 1.0))


def drawn(case, users=30, items=12):
    """The arguments of a rule except the count, with random vectors, and random shown items."""
    seed, window, length, similarity = case
    generator = torch.Generator().manual_seed(seed)
    vectors = F.normalize(torch.randn(items, 3, generator=generator), dim=1)
    recent = torch.randint(items, (users, length), generator=generator)
    unshown = torch.arange(length) < torch.randint(length + 1, (users, 1), generator=generator)
    return lambda count: QuitRule(vectors, window, count, similarity), recent.masked_fill(unshown, PAD), window


@given(case=cases, data=st.data())
def test_rule_for_all_items_equals_the_rule_for_each_item_alone(case, data):
    rule, recent, window = drawn(case)
    rule = rule(data.draw(st.integers(0, window)))
    each = torch.stack([rule(recent, torch.full((30, 1), item)) for item in range(12)], dim=1)
    assert torch.equal(rule.of_all(recent), each)


@given(case=cases)
def test_higher_count_makes_fewer_users_leave_and_a_slate_more_than_each_of_its_items(case):
    rule, recent, window = drawn(case)
    slate = torch.arange(60).view(30, 2) % 12
    for count in range(1, window + 1):
        left = rule(count)(recent, slate)
        assert not (rule(count)(recent, slate[:, :1]) & ~left).any()
        if count > 1:
            assert not (left & ~rule(count - 1)(recent, slate)).any()


@given(case=cases)
def test_items_before_the_window_do_not_matter(case):
    rule, recent, window = drawn(case)
    slate = torch.arange(30)[:, None] % 12
    assert torch.equal(rule(1)(recent, slate), rule(1)(recent[:, max(0, recent.shape[1] - window) :], slate))


def test_tiring_users_quit_by_the_rule_if_it_is_on(make, tiring):
    environment = make(tiring, leave_rate=0.0, quit_count=2, quit_window=3, quit_similarity=0.999)
    environment.reset(0)
    for _ in range(2):
        assert not environment.truth().leave.any()
        assert not environment.step(torch.full((16, 1), 4)).terminated.any()
    # items 4 and 9 have the same topic, and so the same vector, in one environment; an item is similar to itself in both
    assert (environment.truth().leave[:, 4] == 1.0).all()
    assert (environment.truth().leave[:, 3] == 0.0).all()
    assert environment.step(torch.full((16, 1), 4)).terminated.all()
    assert not environment.truth().leave.any(), "a new user has been shown nothing"


@pytest.mark.parametrize("dims", [3, 8, 100])
def test_similarity_is_the_same_with_more_users_than_items(dims):
    generator = torch.Generator().manual_seed(0)
    ratings = torch.randn(12, 5, generator=generator) @ torch.randn(5, 40, generator=generator)
    wide = principal_directions(ratings, dims)
    # forty columns that vary in five directions, and the same directions as five columns
    narrow = principal_directions(ratings @ torch.linalg.svd(ratings - ratings.mean(dim=0)).Vh[:5].T, dims)
    assert torch.allclose(wide @ wide.T, narrow @ narrow.T, atol=1e-4)
    assert torch.allclose(wide.norm(dim=1), torch.ones(12), atol=1e-5)
    assert (principal_directions(torch.ones(3, 9), 2) == 0).all()


def easyrl4rec_leaves(distances, history, item, window, threshold):
    """EasyRL4Rec's `_determine_whether_to_leave`, for a session that is at least as long as the window."""
    return any(distances[item, shown] < threshold for shown in history[-window:])


def test_distance_rule_is_that_of_easyrl4rec():
    generator = torch.Generator().manual_seed(5)
    stars = torch.randint(1, 6, (12, 30), generator=generator).float()
    columns = stars.T
    distances = np.sqrt(((columns[:, None].numpy() - columns[None].numpy()) ** 2).sum(axis=2))
    # whole numbers under the root: some pairs are at the threshold exactly, and those are not closer
    threshold = float(np.sort(distances[distances > 0])[60])
    assert (distances == threshold).any()
    rule = QuitRule(columns, 3, 1, 0.0, threshold)
    histories = torch.randint(30, (200, 3), generator=generator)
    expected = [[easyrl4rec_leaves(distances, history.tolist(), item, 3, threshold) for item in range(30)] for history in histories]
    assert rule.of_all(histories).tolist() == expected
    assert 0.1 < np.mean(expected) < 0.9
    for item in (0, 17):
        assert rule(histories, torch.full((200, 1), item)).tolist() == [leaves[item] for leaves in expected]


def test_only_items_closer_than_the_distance_count_up_to_the_count():
    line = torch.tensor([[0.0], [1.0], [3.0], [1.5]])
    rule = QuitRule(line, 3, 2, 0.0, 1.0)
    # the items at 0 and 1 are closer than 1 to the one at 0.5, which is not shown; 1.5 is closer than 1 to 1 alone
    assert not rule(torch.tensor([[0, 1, 2]]), torch.tensor([[3]])).any()
    assert rule(torch.tensor([[1, 1, 2]]), torch.tensor([[3]])).all()


@pytest.mark.parametrize("kind", ["rating_matrix", "preference_model"])
def test_users_compare_items_by_given_vectors(make, kind, tmp_path):
    # items 0 to 19 share a tag, and so do 20 to 39
    np.save(tmp_path / "tags.npy", np.repeat(np.eye(2), 20, axis=0))
    options = {
        "similarity": "vectors",
        "item_vectors": str(tmp_path / "tags.npy"),
        "quit_count": 1,
        "quit_window": 1,
        "quit_similarity": 0.5,
    }
    for closeness in ({}, {"quit_distance": 1.2}):
        environment = make(kind, **options, **closeness, **({"leave_rate": 0.0} if kind == "preference_model" else {}))
        environment.reset(0)
        left = [bool(environment.step(torch.full((16, 1), item)).terminated.all()) for item in (3, 25, 7, 8)]
        assert left == [False, False, False, True]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(40), r"holds float64 of the shape \[40\]; expected \[items, numbers\]"),
        (np.zeros((39, 2)), "holds 39 rows, expected 40, one for each item"),
        (np.full((40, 2), np.nan), "row 1 holds a value that is not finite"),
        (None, "cannot be read"),
    ],
)
def test_unusable_item_vectors_are_refused_in_one_line(make, values, message, tmp_path):
    path = tmp_path / "vectors.npy"
    path.write_bytes(b"no array") if values is None else np.save(path, values)
    with pytest.raises(DataError, match=message) as refused:
        make("rating_matrix", similarity="vectors", item_vectors=str(path))
    assert "\n" not in str(refused.value)
    assert "environment.item_vectors=" in str(refused.value)
