"""The documentation's site: it builds without a warning, its links lead somewhere, and everything has its page in it."""

import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from recframe import hookspecs
from recframe.components import Kind
from recframe.plugin_loader import registry

pytest.importorskip("zensical", reason="the site is built by zensical: pip install 'recframe[site]'")

PROJECT = Path(__file__).resolve().parents[1]
MODULES_WITHOUT_EXPORTS = {"recframe.agent_options"}


@dataclass
class Page(HTMLParser):
    """A built page: the ids of its elements, its links, those in its navigation, and what a browser loads for it."""

    text: str
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    navigation: set[str] = field(default_factory=set)
    loaded: list[str] = field(default_factory=list)
    in_navigation: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids |= {values["id"]} if values.get("id") else set()
        self.in_navigation += tag == "nav"
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
            self.navigation |= {values["href"]} if self.in_navigation else set()
        elif tag != "a":
            self.loaded += [values[name] for name in ("href", "src") if values.get(name)]

    def handle_endtag(self, tag):
        self.in_navigation -= tag == "nav"


@pytest.fixture(scope="module")
def build_site():
    sys.path.insert(0, str(PROJECT / "docs"))
    yield importlib.import_module("build_site")
    sys.path.remove(str(PROJECT / "docs"))


@pytest.fixture(scope="module")
def site(build_site, made_once) -> Path:
    def make(folder: Path) -> None:
        try:
            build_site.build(folder / "site", folder / "work")
        except subprocess.CalledProcessError as error:
            pytest.fail(error.output)

    return made_once("built_site", make) / "site"


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    # the page for addresses that do not exist is shown at any of them, so its links are from the site's root
    return {path.relative_to(site).as_posix(): Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_document_is_a_page_and_in_the_navigation(build_site, pages):
    def listed(entries: list) -> Iterator[str]:
        for entry in entries:
            if isinstance(entry, str):
                yield entry
            else:
                for below in entry.values():
                    yield from listed([below] if isinstance(below, str) else below)

    in_config = list(listed(tomllib.loads((PROJECT / "zensical.toml").read_text())["project"]["nav"]))
    documents = set(build_site.documents().values())
    assert sorted(documents - set(in_config)) == [], "give these a place in the navigation of zensical.toml"
    assert sorted(in_config) == sorted(documents), "the navigation of zensical.toml has these twice, or they do not exist"
    addresses = {name.removesuffix(".md") + ".html" for name in documents}
    assert addresses <= set(pages)
    assert addresses <= {link.partition("#")[0].removeprefix("./") for link in pages["index.html"].navigation}


def test_every_link_of_the_site_leads_to_a_page_and_a_place_on_it(site, pages):
    broken = []
    for name, page in pages.items():
        for link in (link for link in page.links if not urlsplit(link).scheme):
            address, _, anchor = unquote(link).partition("#")
            target = (site / name).parent / address if address else site / name
            place = target.resolve().relative_to(site).as_posix() if target.is_file() else None
            if place is None or (anchor and anchor not in pages[place].ids):
                broken.append((name, link))
    assert broken == []


def test_no_page_asks_another_host_for_anything(site, pages):
    assert [(name, address) for name, page in pages.items() for address in page.loaded if urlsplit(address).netloc] == []
    for sheet in site.rglob("*.css"):
        assert re.findall(r"url\(['\"]?(?:https?:)?//[^)]*", sheet.read_text()) == [], sheet
    for name, page in pages.items():
        missing = [address for address in page.loaded if not address.startswith("data:") and not ((site / name).parent / address).exists()]
        assert missing == [], name


def test_pages_can_be_searched_and_their_colours_switched(site, pages):
    found = json.dumps(json.loads((site / "search.json").read_text()))
    for text in ("kinds/agent.html", "tutorial/first_run.html", "reference/hooks.html", "results/agents.html"):
        assert text in found
    schemes = re.findall(r'data-md-color-scheme="(\w+)"', pages["index.html"].text)
    assert {"default", "slate"} <= set(schemes)


def test_what_is_escaped_for_one_reader_of_markdown_is_shown_without_a_backslash(pages):
    assert "float | None" in pages["reference/agents.html"].text
    prose = {name: re.sub(r"<pre.*?</pre>", "", page.text, flags=re.DOTALL) for name, page in pages.items()}
    assert [name for name, text in prose.items() if re.search(r"\\(\||&lt;|<(?!/)|\*)", text)] == []


def test_lists_and_tables_are_not_swallowed_by_the_paragraph_before_them(build_site):
    # GitHub begins a list or a table without an empty line before it; Python-Markdown, which the site uses, does not
    for path in build_site.documents():
        lines = build_site.CODE.sub("", build_site.text_of(path)).splitlines()
        for before, line in pairwise(lines):
            begins = re.match(r"- |\d+\. |\|", line) and before.strip() and not re.match(r"- |\d+\. |\||  ", before)
            assert not begins, (path, line)


def test_a_link_to_what_the_site_does_not_have_is_an_error_that_names_it(build_site, tmp_path, monkeypatch):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("[there](../elsewhere.md)")
    monkeypatch.setattr(build_site, "PROJECT", tmp_path)
    monkeypatch.setattr(build_site, "DOCS", docs)
    with pytest.raises(build_site.BrokenLink, match=r"docs/index\.md: the link to \.\./elsewhere\.md"):
        build_site.stage(tmp_path / "staged")


def test_a_notebook_is_a_page_with_its_texts_and_its_code(build_site, tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# First\n", "Words."]},
        {"cell_type": "code", "source": ["one = 1\n", "one"], "outputs": [{"output_type": "stream", "text": ["1"]}]},
    ]
    (tmp_path / "first.ipynb").write_text(json.dumps({"cells": cells}))
    assert build_site.text_of(tmp_path / "first.ipynb") == "# First\nWords.\n\n```python\none = 1\none\n```\n"


# --- everything has its place


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_page_and_every_component_and_option_a_place(pages, kind):
    assert f"kinds/{kind.value}.html" in pages
    page = pages[f"reference/{kind.value}s.html"]
    for component in (found.component for found in registry().components(kind) if found.distribution == "recframe"):
        assert component.name in page.ids
        prefix = f"reward.{component.name}" if kind is Kind.REWARD else kind.value
        assert [f.name for f in fields(component.config) if f"<code>{prefix}.{f.name}</code>" not in page.text] == []


def test_every_hook_preset_and_experiment_has_a_place(pages):
    hooks = {name for name in vars(hookspecs) if name.startswith("recframe_")}
    assert hooks <= pages["reference/hooks.html"].ids
    for path in (path for path in (PROJECT / "conf").glob("*/*.yaml") if not path.name.startswith("_") and path.parent.name != "bench"):
        group = path.parent.name
        place = path.stem if group == "experiment" else f"{group}{path.stem}"
        assert place in pages[f"reference/{'experiments' if group == 'experiment' else 'presets'}.html"].ids, path


def test_every_name_that_a_public_module_exports_has_a_place(build_site, pages):
    modules = importlib.import_module("reference_modules")
    for name, (page, _, _) in modules.MODULES.items():
        module = importlib.import_module(name)
        public = modules.ONLY.get(name, set(getattr(module, "__all__", ())))
        assert public or name in MODULES_WITHOUT_EXPORTS
        classes = [each for each in public if callable(getattr(module, each)) and getattr(module, each).__module__.startswith("recframe")]
        assert [each for each in classes if each.lower() not in pages[f"reference/{page}.html"].ids] == [], name


# --- the picture


def test_the_picture_of_the_architecture_has_every_kind_and_names_packages_that_exist(pages):
    picture = (PROJECT / "docs" / "figures" / "architecture.svg").read_text()
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    assert {kind.value.replace("_", " ") for kind in Kind} <= set(texts)
    named = {name for text in texts for name in re.findall(r"recframe\.(\w+)", text)}
    assert len(named) > 8
    assert [name for name in named if not (PROJECT / "recframe" / name).is_dir()] == []
    for page in ("index.html", "design.html"):
        assert any(address.endswith("figures/architecture.svg") for address in pages[page].loaded), page
