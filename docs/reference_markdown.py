"""Docstrings, comments and help texts as wrapped Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

WIDTH = 110
GLUE = "\0"  # a space at which no line may end


def prose(text: str) -> str:
    """A docstring or comment as Markdown: numpydoc headings in bold, `name: ...` lines as lists, indented lines as code."""
    blocks: list[str] = []
    for block in re.split(r"\n\s*\n", re.sub(r"(?m)^(\w+)\n-{3,}$", r"\n**\1**\n", text.strip("\n"))):
        section = bool(blocks) and re.fullmatch(r"\*\*\w+\*\*", blocks[-1]) is not None
        blocks.append("\n".join(rendered_lines(block, section, first=not blocks)))
    return "\n\n".join(block for block in blocks if block)


def rendered_lines(block: str, section: bool, first: bool) -> Iterator[str]:
    """A paragraph of a docstring in Markdown; in a `section` such as Parameters, whatever comes before a colon is a name."""
    joined: list[tuple[str, str]] = []
    if not block.startswith("    "):
        block = re.sub(r" {3,}(?=\w+: )", "\n", block)
    for line in block.splitlines():
        last, before = joined[-1] if joined else ("", "")
        begins = not joined or before.endswith(".")
        item = re.match(r"([\w.]+(?:, [\w.]+)*): " if section else r"([a-z_]\w*(?:, [a-z_]\w*)*): ", line)
        if line.startswith("- "):
            joined.append(("item", line.removeprefix("- ")))
        elif item and (section or (begins and not (first and not joined))):
            joined.append(("item", f"`{item[1]}`: {line[item.end() :]}"))
        elif line.startswith("  ") and last != "item":
            joined.append(("code", line.removeprefix("    ").rstrip() if line.startswith("    ") else line.strip()))
        elif last in ("item", "text"):
            joined[-1] = (last, f"{before} {line.strip()}")
        else:
            joined.append(("text", line))
    for i, (kind, line) in enumerate(joined):
        # a list, code, and text after either need an empty line before them
        if i and kind != joined[i - 1][0]:
            yield ""
        yield f"    {line}" if kind == "code" else wrapped(escaped(line), "  ", "- ") if kind == "item" else wrapped(escaped(line))


def wrapped(text: str, indent: str = "", first: str = "") -> str:
    """Text in lines of at most `WIDTH` characters, later lines indented; code spans are kept whole, and no line begins like a list."""
    whole = re.sub(r"`[^`]*`", lambda span: span[0].replace(" ", GLUE), text)
    whole = re.sub(r" (?=[-+*=#>|]+ |\d+\. )", GLUE, whole)
    options = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(whole, WIDTH, initial_indent=first, subsequent_indent=indent, **options).replace(GLUE, " ")


def escaped(text: str) -> str:
    """Text whose `<`, `*` and `__` Markdown would take for its own, outside of code spans."""

    def safe(part: str) -> str:
        # not a backslash: GitHub knows it before `<`, other renderers do not
        part = re.sub(r"__(\w+?)__", r"\\_\\_\1\\_\\_", re.sub(r"((?<=\S)\*|\*(?=\S))", r"\\\1", part))
        return re.sub(r"<(?=[\w/!?])", "&lt;", part)

    parts = re.split(r"(`[^`]*`|\*\*\w+\*\*)", text)
    return "".join(part if i % 2 else safe(part) for i, part in enumerate(parts))


def cell(text: str) -> str:
    """Text in a table."""
    return escaped(text).replace("|", "\\|").replace("\n", " ") or " "
