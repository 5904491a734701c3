"""`ItemCodes`: the codes of a catalogue's items, what they were learned from, and those of new items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from recframe.item_codes.collisions import group_sizes, suffixes
from recframe.item_codes.digits import digits
from recframe.item_codes.errors import CodesError
from recframe.item_codes.residual_kmeans import residual_codes
from recframe.item_codes.rq_vae import latent
from recframe.item_codes.titles import TitleTokens, WordTokens, title_codes


@dataclass(frozen=True)
class ItemCodes:
    """The codes of M items; no two items have the same.

    kind: as in `CodesConfig`.
    codes: `[M, L]` int64, one code a level. The last level is a suffix: 0, or a number that tells colliding items apart; ids have none.
    sizes: the number of codes of each level, L of them; level l's codes are 0 to sizes[l] - 1. Not all need be used.
    learned: the tensors from which new items get their codes, by name, such as `codebooks`. With `codes` they are all there is to save.
    tokens: of titles, what makes them into tokens; None: words, which are among the `learned`.
    measures: what was measured with the vectors when the codes were made, for `report`.
    """

    kind: str
    codes: Tensor
    sizes: tuple[int, ...]
    learned: Mapping[str, Tensor] = field(default_factory=dict)
    tokens: TitleTokens | None = None
    measures: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def num_levels(self) -> int:
        """L."""
        return len(self.sizes)

    @property
    def has_suffix(self) -> bool:
        """Whether the last level tells colliding items apart."""
        return self.kind != "ids"

    @property
    def prefixes(self) -> Tensor:
        """The codes without the suffix, `[M, L - 1]`, or `[M, L]` where there is none."""
        return self.codes[:, :-1] if self.has_suffix else self.codes

    @property
    def title_tokens(self) -> TitleTokens:
        """Of kind titles, what makes them into tokens."""
        return self.tokens or WordTokens.of_bytes(self.learned["words"])

    def of_new(self, vectors: Tensor, titles: Sequence[str] | None = None) -> ItemCodes:
        """The same codes and, behind them, those of n new items, without retraining.

        Parameters
        ----------
        vectors: `[n, D]` float32, their text vectors by the same encoder; of ids and titles, only their number matters.
        titles: of kind titles, their n titles. A longer title than those before is cut; of words, one that is not known counts as such.

        Raises
        ------
        CodesError: there is no room for that many new items.
        """
        if self.kind == "ids":
            return self._with_more_numbers(len(vectors))
        prefixes = torch.cat([self.prefixes, self._prefixes_of(vectors, titles)])
        suffix = suffixes(prefixes)
        if int(suffix.max()) >= self.sizes[-1]:
            raise CodesError(
                f"{int(suffix.max()) + 1:,} items have the same codes, old and new ones together, and the last level tells only "
                f"{self.sizes[-1]:,} apart: learn codes of all items anew, with more levels or a larger size"
            )
        return replace(self, codes=torch.cat([prefixes, suffix[:, None]], dim=1), measures={})

    def report(self) -> dict[str, float]:
        """Measures of the codes, by name.

        `collisions`: the share of items whose codes, before the suffix, another item has, too.   `largest_collision`: the most such items.
        `used_l`, `perplexity_l`: of level l (from 1) before the suffix, the share of its codes that occur, and exp of their entropy.
        And the `measures`, which codes of `of_new` lack: `reconstruction`, the share of the vectors' variance that the codes explain;
        `neighbours_share_first`, the share of items that have the first code of the item nearest to them, and `chance_share_first`, that
        of random pairs; `neighbours_share_first_2`, `chance_share_first_2` and so on: the same of the first 2 and 3 codes.
        """
        return dict(self._report)

    @cached_property
    def _report(self) -> dict[str, float]:
        # computed once: agents log it at each interval
        groups = group_sizes(self.prefixes)
        report = {"collisions": float((groups > 1).double().mean()), "largest_collision": float(groups.max())}
        for level, (column, size) in enumerate(zip(self.prefixes.unbind(1), self.sizes, strict=False), start=1):
            shares = column.bincount(minlength=size).double() / len(column)
            report[f"used_{level}"] = float((shares > 0).double().mean())
            report[f"perplexity_{level}"] = float(torch.special.entr(shares).sum().exp())
        return report | dict(self.measures)

    def _prefixes_of(self, vectors: Tensor, titles: Sequence[str] | None) -> Tensor:
        if self.kind == "titles":
            if titles is None or len(titles) != len(vectors):
                raise ValueError("codes of kind titles need the titles of the new items, one each")
            return title_codes(titles, self.title_tokens, self.num_levels - 1, whole=True).to(self.codes.device)
        return learned_codes(self.kind, vectors, self.learned)

    def _with_more_numbers(self, more: int) -> ItemCodes:
        size, levels, total = self.sizes[0], self.num_levels, len(self) + more
        if total > size**levels:
            raise CodesError(f"{levels} digits to the base {size} are enough for {size**levels:,} items, not {total:,}: number them anew")
        numbers = torch.arange(len(self), total, device=self.codes.device)
        return replace(self, codes=torch.cat([self.codes, digits(numbers, size, levels)]), measures={})


def learned_codes(kind: str, vectors: Tensor, learned: Mapping[str, Tensor]) -> Tensor:
    """The codes before the suffix, `[n, levels]`, of `vectors` `[n, D]`, for a kind that learns from vectors."""
    with torch.no_grad():
        return residual_codes(latent(vectors, learned) if kind == "rq_vae" else vectors, learned["codebooks"])
