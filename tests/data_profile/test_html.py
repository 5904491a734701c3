"""The HTML profile: one file that asks for nothing, with every value escaped, which takes the place of profiles only."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import polars as pl
import pytest
import torch

from recframe.console import output_console
from recframe.data_profile import check_target, profile_of, profile_tables, write_html
from recframe.data_profile.html import page_of
from recframe.errors import UserError
from recframe.interfaces import Catalog, Data, Interactions, Texts, Users

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>[red]\x1b[31m\u202e'
VOID = {"meta", "rect", "line", "polyline", "br"}


def evil_data(feedback: str = "rating") -> Data:
    """Data in which every text of the user's is hostile."""
    frame = pl.DataFrame({"user": [0, 0, 1], "item": [0, 1, 0], "timestamp": [10**9, 10**9 + 9, 2 * 10**9], feedback: [1.0, 2.0, 2.5]})
    attributes = pl.DataFrame({"title": [EVIL, EVIL], EVIL: ["x", None]})
    return Data(
        Catalog(["a", "b"], [EVIL, EVIL], attributes, torch.ones(2)),
        Users(["u", "v"], Texts([EVIL, EVIL])),
        Interactions(frame, (feedback,), EVIL),
        Texts([EVIL]),
    )


class Page(HTMLParser):
    """The elements, attributes and text of a page; its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_hostile_values_are_text_only():
    page = page_of(profile_of(evil_data(), f"dataset.path={EVIL}", NOW))
    found = Page(page)
    assert found.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "dl", "dt", "dd", "div", "table", "tr", "th", "td", "span"),
        *("figure", "figcaption", "svg", "rect", "line", "polyline", "text"),
    }
    assert not any(name.startswith("on") for name, _ in found.attributes)
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_the_page_names_nothing_outside_itself():
    page = page_of(profile_of(evil_data(), "data", NOW))
    assert not re.search(r"https?:|src=\"|href=|@import|url\(", page)
    assert "default-src 'none'" in page


def test_the_page_has_light_and_dark_colours():
    page = page_of(profile_of(evil_data(), "data", NOW))
    assert "prefers-color-scheme: dark" in page
    light, dark = (set(re.findall(r"--\w+(?=:)", block)) for block in re.findall(r":root \{([^}]*)\}", page))
    assert light == dark
    colours = re.sub(r":root \{[^}]*\}", "", page)
    assert not re.search(r"#[0-9a-f]{6}", colours)  # all through the variables


def test_the_same_data_give_the_same_page():
    assert page_of(profile_of(evil_data(), "data", NOW)) == page_of(profile_of(evil_data(), "data", NOW))


def test_the_tables_print_hostile_values_as_plain_text(capsys):
    for part in profile_tables(profile_of(evil_data(feedback="[bold]x[/]\x1b[2J"), f"[red]{EVIL}", NOW)):
        output_console().print(part)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert "[bold]x[/]" in printed


def test_a_profile_takes_the_place_of_a_profile(tmp_path):
    path = tmp_path / "profile.html"
    profile = profile_of(evil_data(), "data", NOW)
    assert write_html(profile, path) is False
    assert write_html(profile, path) is True
    assert [one.name for one in tmp_path.iterdir()] == ["profile.html"]


@pytest.mark.parametrize(
    "content", [b"", b"<html>mine</html>", b"\xff\xfe\x00", b"x" * 600 + b'<meta name="generator" content="recframe data describe">']
)
def test_another_file_is_not_overwritten(tmp_path, content):
    path = tmp_path / "mine.html"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"mine.html: is there already, and no profile"):
        write_html(profile_of(evil_data(), "data", NOW), path)
    assert path.read_bytes() == content


def test_a_folder_or_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="is there already"):
        check_target(tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        check_target(tmp_path / "missing" / "profile.html")
