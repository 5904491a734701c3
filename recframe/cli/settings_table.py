"""The table of settings that `recframe plugins show` and `recframe pretrain --help` print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from recframe.components import Option


def settings_table(options: Sequence[tuple[str, Option]]) -> Table:
    """A row for each option, given with the prefix of its key: key, type, default, and meaning."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("setting", "type", "default"):
        table.add_column(column, no_wrap=True)
    table.add_column("meaning")
    for prefix, option in options:
        default = "(required)" if option.default == "???" else "null" if option.default is None else str(option.default)
        meaning = f"{option.help} ({option.bounds})" if option.bounds else option.help
        table.add_row(f"{prefix}.{option.name}", option.type, default, meaning)
    return table
