"""What `recframe codes` prints: the measures of one or more kinds of codes, and items that share the beginnings of their codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from rich.table import Table
from torch import Tensor

from recframe.item_codes.codes import ItemCodes
from recframe.item_codes.quality import DEPTH
from recframe.item_codes.titles import WordTokens

MOST_LEVELS = 6
"""Levels whose figures are printed; titles have one for each word."""

EXAMPLES = 5
ITEMS_OF_EXAMPLE = 4
ENOUGH = 3
"""Items that make an example, if there are groups of as many."""


def measures_table(made: Sequence[tuple[ItemCodes, float]]) -> Table:
    """The measures of codes with the seconds that they took, a column each."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    columns = []
    for codes, seconds in made:
        table.add_column(codes.kind, justify="right")
        columns.append(_measures(codes) | {"seconds": f"{seconds:.1f}"})
    # not every kind has every measure, or as many levels
    for label in max(columns, key=len):
        if any(cells := [column.get(label, "") for column in columns]):
            table.add_row(label, *cells)
    return table


def _measures(codes: ItemCodes) -> dict[str, str]:
    report = codes.report()
    levels = codes.prefixes.shape[1]
    shown = range(1, min(levels, MOST_LEVELS) + 1)
    more = " ..." if levels > MOST_LEVELS else ""
    used = [f"{report[f'used_{level}'] * codes.sizes[level - 1]:.0f}" for level in shown]
    rows = {
        "items": f"{len(codes):,}",
        "codes of an item": _lengths(codes),
        "codes of each level": " ".join(str(size) for size in codes.sizes[: len(shown)]) + more,
        "used": " ".join(used) + more,
        "perplexity": " ".join(f"{report[f'perplexity_{level}']:.1f}" for level in shown) + more,
        "items whose codes collide": f"{100 * report['collisions']:.1f} %",
        "most items with the same codes": f"{report['largest_collision']:.0f}",
    }
    names = {
        "reconstruction": "variance explained",
        "neighbours_share_first": "nearest item has the same first code",
        "chance_share_first": "  the same by chance",
    }
    for depth in range(2, min(DEPTH, levels) + 1):
        names |= {
            f"neighbours_share_first_{depth}": f"  the same first {depth} codes",
            f"chance_share_first_{depth}": f"  {depth} by chance",
        }
    return rows | {label: f"{100 * report[name]:.1f} %" if name in report else "" for name, label in names.items()}


def _lengths(codes: ItemCodes) -> str:
    return f"{codes.prefixes.shape[1]} + 1" if codes.has_suffix else f"{codes.num_levels}"


def example_tables(made: Sequence[ItemCodes], titles: Sequence[str]) -> Iterator[Table]:
    """For each kind of codes, titles of items that share as long a beginning as several groups of items do."""
    for codes in made:
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column(f"{codes.kind}: codes begin with", no_wrap=True)
        table.add_column("items")
        for beginning, items in _examples(codes.prefixes):
            rest = f" and {len(items) - ITEMS_OF_EXAMPLE} more" if len(items) > ITEMS_OF_EXAMPLE else ""
            table.add_row(_as_text(codes, beginning), "; ".join(titles[item] for item in items[:ITEMS_OF_EXAMPLE]) + rest)
        if table.row_count:
            yield table


def _examples(prefixes: Tensor) -> list[tuple[list[int], list[int]]]:
    """Beginnings that several items share, with the items: as long ones as enough groups of items share, spread over the codes."""
    for least in (ENOUGH, 2):
        for length in range(prefixes.shape[1], 0, -1):
            beginnings, group, counts = prefixes[:, :length].unique(dim=0, return_inverse=True, return_counts=True)
            groups = (counts >= least).nonzero().flatten()
            if len(groups) >= min(EXAMPLES, len(prefixes) // least) and len(groups):
                chosen = groups[torch.linspace(0, len(groups) - 1, min(EXAMPLES, len(groups))).long()]
                return [(beginnings[one].tolist(), (group == one).nonzero().flatten().tolist()) for one in chosen]
    return []


def _as_text(codes: ItemCodes, beginning: Sequence[int]) -> str:
    if codes.kind == "titles" and isinstance(tokens := codes.title_tokens, WordTokens):
        return " ".join(tokens.words[token - WordTokens.FIRST] for token in beginning if token >= WordTokens.FIRST)
    return "-".join(map(str, beginning))
