"""The prefix tree against brute force: which codes are open, and where they lead."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import PAD, Observation
from recframe.item_codes import AllowedItems, CodeTree


@st.composite
def catalogues(draw: st.DrawFn) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Different codes of 1 to 40 items, with few or many codes a level."""
    sizes = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    space = int(torch.tensor(sizes).prod())
    count = draw(st.integers(1, min(space, 40)))
    numbers = draw(st.permutations(range(space))) if space <= 40 else draw(st.lists(st.integers(0, space - 1), min_size=count, unique=True))
    rows = [torch.unravel_index(torch.tensor(number), sizes) for number in numbers[:count]]
    return torch.stack([torch.stack(row) for row in rows]), sizes


@st.composite
def people(draw: st.DrawFn, num_items: int) -> Observation:
    """1 to 4 users with any candidates and excluded items, also none, repeated or overlapping ones."""
    users = draw(st.integers(1, 4))

    def lists() -> torch.Tensor | None:
        width = draw(st.integers(0, 8))
        row = st.lists(st.integers(PAD, num_items - 1), min_size=width, max_size=width)
        return draw(
            st.one_of(
                st.none(),
                st.lists(row, min_size=users, max_size=users).map(lambda rows: torch.tensor(rows, dtype=torch.int64).reshape(users, width)),
            )
        )

    zeros = torch.zeros(users, dtype=torch.int64)
    nothing = torch.zeros(users, 0, dtype=torch.int64)
    return Observation(
        user=zeros,
        history_items=nothing,
        history_feedback=torch.zeros(users, 0, 1),
        candidates=lists(),
        excluded=lists(),
        batch_size=[users],
    )


def brute_force(observation: Observation, num_items: int) -> list[set[int]]:
    """The allowed items of each user."""
    every = set(range(num_items))
    given = (
        [every] * len(observation.user) if observation.candidates is None else [set(row) & every for row in observation.candidates.tolist()]
    )
    gone = [set()] * len(given) if observation.excluded is None else [set(row) for row in observation.excluded.tolist()]
    return [items - out for items, out in zip(given, gone, strict=True)]


def open_codes(codes: torch.Tensor, items: set[int], prefix: list[int]) -> set[int]:
    rows = [codes[item].tolist() for item in sorted(items)]
    return {row[len(prefix)] for row in rows if row[: len(prefix)] == prefix}


def require_exact(tree: CodeTree, codes: torch.Tensor, allowed: AllowedItems, items: list[set[int]]) -> None:
    """Compare all open codes of every node with those of brute force, at every depth, for one node and for several nodes a user."""
    for level in range(tree.num_levels):
        prefixes = [list(prefix) for prefix in sorted({tuple(row[:level]) for row in codes.tolist()})]
        nodes = torch.stack([walk(tree, prefix) for prefix in prefixes]).expand(len(allowed), -1)
        found = tree.allowed_codes(nodes, allowed, level)
        assert found.shape[-1] == tree.sizes[level]
        assert torch.equal(found, tree.allowed_codes(nodes, allowed)[..., : tree.sizes[level]])
        assert torch.equal(found[:, -1], tree.allowed_codes(nodes[:, -1], allowed, level))
        for user, mine in enumerate(items):
            for column, prefix in enumerate(prefixes):
                assert set(found[user, column].nonzero().flatten().tolist()) == open_codes(codes, mine, prefix)


def walk(tree: CodeTree, prefix: list[int]) -> torch.Tensor:
    node = torch.tensor(0)
    for code in prefix:
        node = tree.step(node, torch.tensor(code))
    return node


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_open_codes_are_those_of_brute_force_also_after_items_are_taken(data: st.DataObject) -> None:
    codes, sizes = data.draw(catalogues())
    tree = CodeTree(codes, sizes)
    observation = data.draw(people(len(codes)))
    items = brute_force(observation, len(codes))
    allowed = tree.allowed(observation)
    require_exact(tree, codes, allowed, items)
    assert allowed.total().tolist() == [len(mine) for mine in items]
    for _ in range(2):
        # any item may be named: one that is not allowed, one that has been taken, none
        taken = data.draw(st.lists(st.integers(PAD, len(codes) - 1), min_size=len(items), max_size=len(items)))
        allowed = tree.without(allowed, torch.tensor(taken))
        items = [mine - {item} for mine, item in zip(items, taken, strict=True)]
        require_exact(tree, codes, allowed, items)
    everything = torch.arange(PAD, len(codes)).expand(len(items), -1).contiguous()
    assert tree.is_allowed(allowed, everything).tolist() == [[item in mine for item in range(PAD, len(codes))] for mine in items]
    twice = torch.arange(len(items)).repeat(2)
    assert allowed.rows(twice).total().tolist() == [len(mine) for mine in items] * 2


@settings(max_examples=60, deadline=None)
@given(catalogues())
def test_codes_lead_to_their_item_and_other_codes_to_none(catalogue: tuple[torch.Tensor, tuple[int, ...]]) -> None:
    codes, sizes = catalogue
    tree = CodeTree(codes, sizes)
    items = torch.arange(len(codes))
    path = tree.path(items)
    node = torch.zeros_like(items)
    for level, column in enumerate(codes.unbind(1)):
        assert torch.equal(node, path[:, level])
        assert bool((tree.item(node) == PAD).all())
        node = tree.step(node, column)
    assert torch.equal(node, path[:, -1])
    assert torch.equal(tree.item(node), items)
    assert not tree.allowed_codes(node).any()
    # every code at every inner node: a step leads somewhere exactly where the code is open
    for level, size in enumerate(sizes):
        nodes = path[:, level].unique()
        for code in range(-1, size + 1):
            led = tree.step(nodes, torch.full_like(nodes, code)) >= 0
            opened = tree.allowed_codes(nodes, level=level)
            assert torch.equal(led, opened[:, code] if 0 <= code < size else torch.zeros_like(led))


def test_nothing_leads_on_from_no_node() -> None:
    tree = CodeTree(torch.tensor([[0, 0], [0, 1]]), (2, 2))
    none = torch.tensor([-1])
    assert tree.step(none, torch.tensor([0])).tolist() == [-1]
    assert not tree.allowed_codes(none).any()
    assert tree.item(none).tolist() == [PAD]
    assert tree.path(torch.tensor([PAD])).tolist() == [[-1, -1, -1]]


def test_memory_is_that_of_the_prefixes_however_many_codes_there_are() -> None:
    codes = torch.stack([torch.arange(1000), torch.full((1000,), 49_999)], dim=1)
    tree = CodeTree(codes, (50_000, 50_000))
    assert sum(buffer.numel() for buffer in tree.buffers()) < 20 * 1000 * 2
    assert tree.state_dict() == {}


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([[0, 1], [1, 0], [0, 1]], "the items 0 and 2 have the same codes"),
        ([[0, 2]], "the codes of each level must be 0 to its size - 1"),
        ([[0, -1]], "the codes of each level must be 0 to its size - 1"),
        ([[0]], "codes \\[M, 2\\] are needed for 2 sizes"),
    ],
)
def test_codes_that_make_no_tree_are_refused(codes: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CodeTree(torch.tensor(codes), (2, 2))
