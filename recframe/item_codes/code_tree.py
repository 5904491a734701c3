"""The prefix tree of all items' codes, as tensors: which codes may come next, so that only items can be written (Cao et al. 2021, GENRE).

The items are put in the order of their codes. All items below a node then are neighbours in this order, so a node is a range, and its
children are consecutive numbers. The memory is that of the distinct prefixes, at most M * L, whatever the number of codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import PAD, Observation
from recframe.item_codes.allowed_items import AllowedItems, contains, distinct
from recframe.item_codes.collisions import rows_in_order

ROOT = 0
NO_NODE = -1


class CodeTree(nn.Module):
    """The prefix tree of M items with L codes each. Nodes are numbers: 0 is the root, -1 none; a node of depth L is an item.

    Its tensors move with `to`, and are not saved with a network: they follow from the codes.

    Parameters
    ----------
    codes: `[M, L]` int64, one code a level.   sizes: the number of codes of each level; level l's codes are 0 to sizes[l] - 1.

    Raises
    ------
    ValueError: codes out of range, or two items with the same codes.
    """

    order: Tensor  # [M], the item at each place
    place: Tensor  # [M], the place of each item
    node_at: Tensor  # [L + 1, M], the node of each depth above each place
    first: Tensor  # [nodes], the range of places below each node
    end: Tensor
    code: Tensor  # [nodes], the code that leads to each node
    child_first: Tensor  # [nodes], the range of each node's children
    child_end: Tensor
    step_keys: Tensor  # [nodes - 1], parent * width + code of all nodes but the root, ascending

    def __init__(self, codes: Tensor, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.width = max(self.sizes)
        _require_codes(codes, self.sizes)
        self.num_items, self.num_levels = codes.shape
        order = rows_in_order(codes)
        ordered = codes[order]
        starts = _prefix_starts(ordered)
        if not bool(starts[-1].all()):
            one, other = order[_first_repeated(starts[-1])].tolist()
            raise ValueError(f"the items {one} and {other} have the same codes; an item's codes must be its own")
        self._keep("order", order)
        self._keep("place", order.argsort())
        self._build(ordered, starts)

    def _keep(self, name: str, values: Tensor) -> None:
        self.register_buffer(name, values.contiguous(), persistent=False)

    def _build(self, ordered: Tensor, starts: Tensor) -> None:
        """Number the nodes depth by depth, in the order of their ranges: parents and their codes then ascend, and siblings are together."""
        counts = starts.sum(1)
        offsets = counts.cumsum(0) - counts
        self.offsets: list[int] = offsets.tolist()
        node_at = starts.cumsum(1) - 1 + offsets[:, None]
        depth, first = starts.nonzero(as_tuple=True)
        nodes = len(first)
        last_of_depth = torch.cat([depth[1:] != depth[:-1], depth.new_ones(1, dtype=torch.bool)])
        end = torch.where(last_of_depth, self.num_items, first.roll(-1))
        inner = depth < self.num_levels
        below = (depth + 1).clamp(max=self.num_levels)
        child_first = torch.where(inner, node_at[below, first], nodes)
        child_end = torch.where(inner, node_at[below, end - 1] + 1, nodes)
        code = ordered[first, (depth - 1).clamp(min=0)]
        parent = node_at[(depth - 1).clamp(min=0), first]
        for name, values in {"node_at": node_at, "first": first, "end": end, "code": code}.items():
            self._keep(name, values)
        self._keep("child_first", child_first)
        self._keep("child_end", child_end)
        self._keep("step_keys", (parent * self.width + code)[1:])
        fans = child_end - child_first
        self.fan_outs: list[int] = [int(fans[depth == level].max()) for level in range(self.num_levels)]

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self.first)

    def allowed_codes(self, node: Tensor, allowed: AllowedItems | None = None, level: int | None = None) -> Tensor:
        """Which codes lead from each node to at least one allowed item.

        Parameters
        ----------
        node: `[B]` or `[B, W]` int64.   allowed: of these B users; None: all items are.
        level: the depth of all these nodes, if it is one, from 0: the result is then as narrow as the level, and made faster.

        Returns
        -------
        `[B, S]` or `[B, W, S]` bool, S = sizes[level], or the largest of all sizes without `level`; no codes for -1 and for items.
        """
        fan, width = (max(self.fan_outs), self.width) if level is None else (self.fan_outs[level], self.sizes[level])
        at = node.clamp(min=0)
        child = self.child_first[at].unsqueeze(-1) + torch.arange(fan, device=node.device)
        there = (child < self.child_end[at].unsqueeze(-1)) & (node != NO_NODE).unsqueeze(-1)
        child = child.masked_fill(~there, ROOT)
        is_open = there if allowed is None else there & (allowed.count(self.first[child], self.end[child]) > 0)
        # what is not a child goes into a column of its own, which is cut off
        column = self.code[child].masked_fill(~there, width)
        codes = torch.zeros(*node.shape, width + 1, dtype=torch.bool, device=node.device)
        return codes.scatter_(-1, column, is_open)[..., :width]

    def step(self, node: Tensor, code: Tensor) -> Tensor:
        """The node that each code leads to, of the shape of `node` and `code`, int64; -1 where no item begins like this."""
        key = node * self.width + code
        # no child has a key that is negative, or of a code that there is not
        at = torch.searchsorted(self.step_keys, key.contiguous()).clamp(max=len(self.step_keys) - 1)
        found = (self.step_keys[at] == key) & (node != NO_NODE) & (code >= 0) & (code < self.width)
        return (at + 1).masked_fill(~found, NO_NODE)

    def item(self, leaf: Tensor) -> Tensor:
        """The item of each node of depth L, of the shape of `leaf`, int64; `PAD` of other nodes."""
        place = leaf - self.offsets[-1]
        return self.order[place.clamp(min=0)].masked_fill(place < 0, PAD)

    def path(self, items: Tensor) -> Tensor:
        """The nodes from the root to each item, int64 of the shape of `items` and a last dimension of L + 1; -1 for `PAD`."""
        nodes = self.node_at[:, self.place[items.clamp(min=0)]].movedim(0, -1)
        return nodes.masked_fill((items == PAD).unsqueeze(-1), NO_NODE)

    def allowed(self, observation: Observation, among: Tensor | None = None) -> AllowedItems:
        """The items that each user of an observation may be shown: the candidates, if there are, without the excluded ones.

        among: `[M]` bool, the items that may be shown to anyone; None: all.
        """
        candidates, excluded = observation.candidates, observation.excluded
        items = self.anyone(len(observation.user), among)
        if candidates is not None:
            places = self._places(candidates)
            items = replace(items, candidates=distinct(places.masked_fill(~items.given(places), self.num_items), self.num_items))
        return items if excluded is None else self.without(items, excluded)

    def anyone(self, users: int, among: Tensor | None) -> AllowedItems:
        """What may be shown to users of whom nothing is known; `among` as in `allowed`."""
        none = torch.zeros(users, 0, dtype=torch.int64, device=self.order.device)
        return AllowedItems(None, none, self.num_items, None if among is None else F.pad(among[self.order].cumsum(0), (1, 0)))

    def without(self, allowed: AllowedItems, items: Tensor) -> AllowedItems:
        """What is still allowed once `items` `[B]` or `[B, n]` are taken; `PAD`, and items that are not allowed, change nothing."""
        return allowed.without_places(self._places(items.reshape(len(items), -1)))

    def is_allowed(self, allowed: AllowedItems, items: Tensor) -> Tensor:
        """Whether each of `items` `[B, n]` is allowed, `[B, n]` bool; `PAD` is not."""
        places = self._places(items)
        return allowed.given(places) & ~contains(allowed.taken, places)

    def _places(self, items: Tensor) -> Tensor:
        """The place of each item, M for `PAD`."""
        return self.place[items.clamp(min=0)].masked_fill(items == PAD, self.num_items)


def _require_codes(codes: Tensor, sizes: tuple[int, ...]) -> None:
    if codes.dim() != 2 or not len(codes) or codes.shape[1] != len(sizes):
        raise ValueError(f"codes [M, {len(sizes)}] are needed for {len(sizes)} sizes, not {list(codes.shape)}")
    if bool((codes < 0).any()) or bool((codes >= torch.tensor(sizes, device=codes.device)).any()):
        raise ValueError(f"the codes of each level must be 0 to its size - 1; the sizes are {sizes}")


def _prefix_starts(ordered: Tensor) -> Tensor:
    """Where a new prefix of each length begins in ordered rows, `[L + 1, M]` bool."""
    starts = torch.ones(ordered.shape[1] + 1, len(ordered), dtype=torch.bool, device=ordered.device)
    starts[0, 1:] = False
    starts[1:, 1:] = ((ordered[1:] != ordered[:-1]).cumsum(1) > 0).T
    return starts


def _first_repeated(starts: Tensor) -> Tensor:
    """The places of the first two neighbours that do not differ."""
    second = int((~starts).nonzero()[0])
    return torch.tensor([second - 1, second], device=starts.device)
