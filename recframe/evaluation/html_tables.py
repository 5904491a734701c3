"""Tables of results as HTML for notebooks: the same as in the terminal, without colours, so that they fit light and dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from rich.table import Table
from rich.text import Text

from recframe.evaluation.table import result_tables


def results_html(result: Mapping[str, Any], title: str | None = None) -> str:
    """What `result_tables` gives, as HTML. Every text is escaped."""
    return "\n".join(_paragraph(part) if isinstance(part, Text) else _table(part) for part in result_tables(result, title))


def table_html(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A plain table: a header, and a line for each row."""
    head = "".join(f"<th>{_lines(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{_lines(str(value))}</td>' for value in row)}</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


def _paragraph(text: Text) -> str:
    return f"<p><strong>{_lines(text.plain)}</strong></p>"


def _table(table: Table) -> str:
    header = "".join(_cell("th", column.header, column.justify) for column in table.columns)
    caption = [f"<caption>{_lines(_plain(table.title))}</caption>"] if table.title else []
    lines = ["<table>", *caption, f"<thead><tr>{header}</tr></thead>"]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    for cells, row in zip(rows, table.rows, strict=True):
        aligned = "".join(_cell("td", cell, column.justify) for cell, column in zip(cells, table.columns, strict=True))
        style = ' style="font-weight: bold"' if row.style == "bold" else ""
        lines.append(f"<tr{style}>{aligned}</tr>")
    return "\n".join([*lines, "</table>", *([f"<p>{_lines(_plain(table.caption))}</p>"] if table.caption else [])])


def _cell(tag: str, content: Any, justify: str) -> str:
    return f'<{tag} style="text-align: {justify}">{_lines(_plain(content))}</{tag}>'


def _plain(content: Any) -> str:
    """The text of a cell; a string is markup of rich's."""
    return content.plain if isinstance(content, Text) else Text.from_markup(str(content)).plain


def _lines(text: str) -> str:
    return escape(text.strip()).replace("\n", "<br>")
