"""Builds the documentation's site: the documents as they are in the repository, in one tree, with their links.

python docs/build_site.py [FOLDER]  # FOLDER: where the site goes, site/ by default

The documents link to each other, and to files outside of docs/, as the repository shows them. Here README.md, CONTRIBUTING.md and
CHANGELOG.md become pages of the site, and so do notebooks, and each file of source code that a document links to.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

DOCS = Path(__file__).resolve().parent
PROJECT = DOCS.parent
WORK = PROJECT / "build" / "site"
OUTSIDE = {"README.md": "about/readme.md", "CONTRIBUTING.md": "about/contributing.md", "CHANGELOG.md": "about/changelog.md"}
LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml"}
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
CODE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


class BrokenLink(Exception):
    """A link to a file that does not exist, or that the site cannot show; the message names the document and the link."""


def documents() -> dict[Path, str]:
    """The documents of the site: each file of the repository, and its page in the site's tree."""
    files = sorted([*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb")])
    inside = {path: path.relative_to(DOCS).with_suffix(".md").as_posix() for path in files}
    return {**inside, **{PROJECT / name: page for name, page in OUTSIDE.items()}}


def place_of(file: Path) -> str | None:
    """Where the site has a file of the repository; None: nowhere."""
    if page := documents().get(file):
        return page
    if file.is_relative_to(DOCS) and file.suffix in (".svg", ".png"):
        return file.relative_to(DOCS).as_posix()
    if file.suffix in LANGUAGES:
        return f"source/{file.relative_to(PROJECT).as_posix()}.md"
    return None


def text_of(path: Path) -> str:
    """A document's Markdown: of a notebook its texts and its code, without what the code had shown."""
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]
    return "\n\n".join(f"```python\n{text}\n```" if kind == "code" else text for kind, text in cells) + "\n"


def with_links(path: Path, page: str, sources: set[Path]) -> str:
    """A document's text with links as the site's tree has them; files of code that it links to are added to `sources`."""

    def moved(match: re.Match[str]) -> str:
        target, _, anchor = match[2].partition("#")
        if not target or "://" in target:
            return match[0]
        file = (path.parent / target).resolve()
        place = place_of(file) if file.is_file() else None
        if place is None:
            raise BrokenLink(f"{path.relative_to(PROJECT)}: the link to {target} leads to no page of the site")
        if place.startswith("source/"):
            sources.add(file)
        relative = os.path.relpath(place, PurePosixPath(page).parent)
        return f"{match[1]}{relative}{'#' if anchor else ''}{anchor}{match[3]}"

    # every second part is a block of code
    return "".join(part if i % 2 else with_pipes(LINK.sub(moved, part)) for i, part in enumerate(CODE.split(text_of(path))))


def with_pipes(text: str) -> str:
    """Text whose tables have the pipes in code as they are: GitHub wants them escaped there, and the site would show the backslash."""
    return re.sub(r"^\|.*$", lambda row: re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), row[0]), text, flags=re.MULTILINE)


def source_page(file: Path) -> str:
    """A page with a file of the repository."""
    name = file.relative_to(PROJECT).as_posix()
    return f"# {name}\n\n````{LANGUAGES[file.suffix]}\n{file.read_text().rstrip()}\n````\n"


def stage(folder: Path) -> None:
    """Write the site's tree of documents to `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    sources: set[Path] = set()
    texts = {page: with_links(path, page, sources) for path, page in documents().items()}
    texts |= {str(place_of(file)): source_page(file) for file in sorted(sources)}
    for page, text in texts.items():
        (folder / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / page).write_text(text)
    for name in ("figures", "stylesheets"):
        shutil.copytree(DOCS / name, folder / name)


def build(site: Path, work: Path = WORK) -> None:
    """Build the site in the folder `work`, and move it to `site`; a warning of the site's generator is an error.

    Raises
    ------
    BrokenLink: a document links to what the site does not have.
    subprocess.CalledProcessError: the generator stopped or warned; its output is in the exception.
    """
    stage(work / "documents")
    shutil.copy(PROJECT / "zensical.toml", work)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=work)  # noqa: S603  # the command is ours
    output = re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)
    if done.returncode or "Warning:" in output:
        raise subprocess.CalledProcessError(done.returncode or 1, command, output.partition("Traceback (most recent")[0])
    shutil.rmtree(site, ignore_errors=True)
    shutil.move(work / "site", site)


def main() -> int:
    """Build the site, and say where it is or why there is none."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else PROJECT / "site").resolve()
    try:
        build(site)
    except BrokenLink as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(error.output, file=sys.stderr)
        return 1
    # its search needs a server
    print(f"the site is in {site}; to look at it: python -m http.server -d {site}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
