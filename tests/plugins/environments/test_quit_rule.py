"""The quit rule: what counts as similar, which of the items shown count, and who leaves."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from recframe.interfaces import PAD
from recframe_plugins.environments.simulation.quit_rule import QuitRule, principal_directions

# items 0 and 1 are alike, 2 is at a right angle to them, 3 between them and 2, and 4 is like nothing
VECTORS = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.8, 0.6], [0.0, 0.0]])


def leaves(recent, slate, window=3, count=2, similarity=0.9):
    return bool(QuitRule(VECTORS, window, count, similarity)(torch.tensor([recent], dtype=torch.int64), torch.tensor([slate]))[0])


@pytest.mark.parametrize(
    ("recent", "slate", "expected"),
    [
        ([2, 0, 1], [0], True),
        ([2, 0, 2], [0], False),
        ([2, 0, 2], [2], True),
        # the last three alone count
        ([0, 0, 2, 2, 0], [1], False),
        ([0, 0, 2, 1, 0], [1], True),
        # one item of the slate is enough, and an item that two of the slate are like counts once
        ([2, 0, 1], [4, 1], True),
        ([2, 0, 4], [0, 1], False),
        # the slate's items are not counted against each other
        ([4, 4, 4], [0, 1], False),
    ],
)
def test_two_alike_among_the_last_three_make_a_user_leave(recent, slate, expected):
    assert leaves(recent, slate) is expected


def test_items_are_alike_from_the_similarity_on():
    assert leaves([0, 0, 0], [3], similarity=0.79)
    assert not leaves([0, 0, 0], [3], similarity=0.81)
    # inclusive, and a right angle is a cosine of 0
    assert leaves([0, 0, 0], [1], similarity=1.0)
    assert leaves([0, 0, 0], [2], similarity=0.0)


def test_an_item_is_like_itself_however_strict_the_rule_and_whatever_the_rounding():
    vectors = F.normalize(torch.randn(500, 7, generator=torch.Generator().manual_seed(0)), dim=1)
    rule, items = QuitRule(vectors, 1, 1, 1.0), torch.arange(500)[:, None]
    assert rule(items, items).all()
    assert torch.equal(rule.of_all(items), torch.eye(500, dtype=torch.bool))


def test_what_was_never_shown_is_like_nothing():
    # whatever stands at the places without an item, even where everything is alike
    assert not leaves([PAD, PAD, 0], [0], similarity=-1.0)
    assert leaves([PAD, 0, 0], [0], similarity=-1.0)
    assert not leaves([], [0], count=1, similarity=-1.0)


def test_a_count_of_nought_switches_the_rule_off():
    assert not leaves([0, 0, 0], [0], count=0, similarity=-1.0)
    assert not QuitRule(VECTORS, 3, 0, -1.0).of_all(torch.tensor([[0, 0, 0]])).any()


def test_a_count_that_the_window_cannot_hold_is_refused_in_one_line(make, peopled):
    with pytest.raises(ValueError, match=r"^environment.quit_count is 4, but environment.quit_window holds 3: nobody would ever leave$"):
        make(peopled, quit_count=4, quit_window=3)
    # where the length is fixed nobody leaves in any case
    assert make(peopled, quit_count=4, quit_window=3, protocol="fixed_length", max_steps=5).quit_rule.count == 0
    assert QuitRule(VECTORS, 3, 3, 0.9)(torch.tensor([[0, 1, 0]]), torch.tensor([[1]])).all()


cases = st.tuples(st.integers(0, 2**40), st.integers(1, 6), st.integers(0, 8), st.floats(-1.0, 1.0))


def drawn(case, users=30, items=12):
    """A rule without its count, with random vectors, and what random users were shown."""
    seed, window, length, similarity = case
    generator = torch.Generator().manual_seed(seed)
    vectors = F.normalize(torch.randn(items, 3, generator=generator), dim=1)
    recent = torch.randint(items, (users, length), generator=generator)
    unshown = torch.arange(length) < torch.randint(length + 1, (users, 1), generator=generator)
    return lambda count: QuitRule(vectors, window, count, similarity), recent.masked_fill(unshown, PAD), window


@given(case=cases, data=st.data())
def test_the_rule_for_all_items_is_the_rule_for_each_alone(case, data):
    rule, recent, window = drawn(case)
    rule = rule(data.draw(st.integers(0, window)))
    each = torch.stack([rule(recent, torch.full((30, 1), item)) for item in range(12)], dim=1)
    assert torch.equal(rule.of_all(recent), each)


@given(case=cases)
def test_a_higher_count_makes_fewer_leave_and_a_slate_more_than_each_of_its_items(case):
    rule, recent, window = drawn(case)
    slate = torch.arange(60).view(30, 2) % 12
    for count in range(1, window + 1):
        left = rule(count)(recent, slate)
        assert not (rule(count)(recent, slate[:, :1]) & ~left).any()
        if count > 1:
            assert not (left & ~rule(count - 1)(recent, slate)).any()


@given(case=cases)
def test_what_lies_before_the_window_does_not_matter(case):
    rule, recent, window = drawn(case)
    slate = torch.arange(30)[:, None] % 12
    assert torch.equal(rule(1)(recent, slate), rule(1)(recent[:, max(0, recent.shape[1] - window) :], slate))


def test_users_who_tire_can_be_made_to_quit(make, tiring):
    environment = make(tiring, leave_rate=0.0, quit_count=2, quit_window=3, quit_similarity=0.999)
    environment.reset(0)
    for _ in range(2):
        assert not environment.truth().leave.any()
        assert not environment.step(torch.full((16, 1), 4)).terminated.any()
    # items 4 and 9 share a topic and so a vector in one of the environments; an item is like itself in both
    assert (environment.truth().leave[:, 4] == 1.0).all()
    assert (environment.truth().leave[:, 3] == 0.0).all()
    assert environment.step(torch.full((16, 1), 4)).terminated.all()
    assert not environment.truth().leave.any(), "a new user has been shown nothing"


@pytest.mark.parametrize("dims", [3, 8, 100])
def test_more_people_than_items_make_no_difference_to_what_is_alike(dims):
    generator = torch.Generator().manual_seed(0)
    ratings = torch.randn(12, 5, generator=generator) @ torch.randn(5, 40, generator=generator)
    wide = principal_directions(ratings, dims)
    # forty columns that vary in five directions, and the same directions as five columns
    narrow = principal_directions(ratings @ torch.linalg.svd(ratings - ratings.mean(dim=0)).Vh[:5].T, dims)
    assert torch.allclose(wide @ wide.T, narrow @ narrow.T, atol=1e-4)
    assert torch.allclose(wide.norm(dim=1), torch.ones(12), atol=1e-5)
    assert (principal_directions(torch.ones(3, 9), 2) == 0).all()
