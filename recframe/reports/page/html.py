"""The page's HTML from texts that may hold anything: every value is escaped here, and data for the script cannot end their element."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from recframe.console import plain

LONGEST_TEXT = 400


def html_text(text: object, most: int = LONGEST_TEXT) -> str:
    """A text as HTML: escaped, without control characters, and cut."""
    return escape(plain(str(text), most))


def json_element(identity: str, value: Any) -> str:
    """An element that holds a value as JSON, for the page's script. "<" is written otherwise, so that no text in it is read as HTML."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{identity}">{text}</script>'


def html_table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = (), emphasised: Sequence[int] = ()) -> str:
    """A table that scrolls sideways in narrow windows, of cells that are safe already; the columns in `numbers` are aligned to the right,
    the rows in `emphasised` are bold.
    """

    def line(tag: str, cells: Sequence[str], style: str = "") -> str:
        classes = [' class="number"' if place in numbers else "" for place in range(len(cells))]
        return f"<tr{style}>" + "".join(f"<{tag}{which}>{cell}</{tag}>" for which, cell in zip(classes, cells, strict=True)) + "</tr>"

    body = "\n".join(line("td", cells, ' class="strong"' if place in emphasised else "") for place, cells in enumerate(rows))
    return f'<div class="wide" tabindex="0"><table><thead>{line("th", columns)}</thead>\n<tbody>{body}</tbody></table></div>'


def section(identity: str, heading: str, *parts: str) -> str:
    """A section with a heading, which the page's contents link to; empty if it has no parts."""
    content = "\n".join(part for part in parts if part)
    return f'<section id="{identity}"><h2>{html_text(heading)}</h2>\n{content}\n</section>' if content else ""


def paragraph(text: str, kind: str = "note") -> str:
    """A paragraph of a text."""
    return f'<p class="{kind}">{html_text(text, 2000)}</p>' if text else ""


def folded(summary: str, content: str, is_open: bool = False) -> str:
    """Content that is shown when its summary, which is safe already, is clicked."""
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>\n{content}</details>"


def command(text: str) -> str:
    """A command that can be copied."""
    return f'<span class="command"><code>{html_text(text, 4000)}</code><button type="button" class="copy">copy</button></span>'
