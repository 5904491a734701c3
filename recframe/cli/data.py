"""`recframe data`: list and fetch public data sets, and describe the data that a dataset loads."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.run_folder import log_to
from recframe.console import output_console, progress_bar
from recframe.errors import Stop, UserError

if TYPE_CHECKING:
    from recframe.public_data import Fetched, PublicFile, PublicSet
    from recframe.public_data.download import Progress

app = typer.Typer(no_args_is_help=True, help="Public data sets, and a look at data before training.", rich_markup_mode=None)
INTERRUPTED_EXIT_CODE = 130


@app.command("list")
def list_sets(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the public data sets: name, size of the download, licence, and what is in it."""
    from rich.table import Table

    from recframe.public_data import public_sets

    sets = public_sets().values()
    if as_json:
        print(json.dumps([_as_json(one) for one in sets], indent=2))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("download", no_wrap=True, justify="right")
    table.add_column("licence")
    table.add_column("content")
    for one in sets:
        by_hand = any(file.address is None for file in one.files)
        table.add_row(one.name, "by hand" if by_hand else _size(one.size), one.licence.name, f"{one.title}: {one.about}")
    output_console().print(table)


@app.command()
def describe(
    overrides: Annotated[list[str] | None, typer.Argument(help="dataset=NAME and its settings, as for recframe train.")] = None,
    html: Annotated[Path, typer.Option(help="The file of the HTML profile.")] = Path("data_profile.html"),
    config_dir: Annotated[str | None, typer.Option(help="A folder of your own configs.")] = None,
) -> None:
    """Print what the data of a dataset look like, and what looks suspicious, and write an HTML profile."""
    with user_errors_as_messages():
        from recframe.config import DESCRIBE, compose_config

        chosen = overrides or []
        cfg = compose_config(chosen, config_dir, DESCRIBE)
        from recframe.attribution import as_messages
        from recframe.building.dataset import load_dataset
        from recframe.data_profile import check_target, profile_of, profile_tables, write_html

        check_target(html)
        log_to(sys.stderr)
        with as_messages():
            data = load_dataset(cfg.dataset)
        profile = profile_of(data, " ".join(chosen) or f"dataset={cfg.dataset.name}", datetime.now(UTC))
        for part in profile_tables(profile):
            output_console().print(part)
        replaced = write_html(profile, html)
        print(f"\n{html}: the same with plots{', in place of the earlier profile' if replaced else ''}")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A set of `recframe data list`, such as ml-1m.")],
    folder: Annotated[Path | None, typer.Option(help="Where to put it [default: data/NAME].")] = None,
    part: Annotated[str | None, typer.Option(help="Which part of a set: a category of Amazon Reviews, a genre of Goodreads, ...")] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence and its terms, which are printed all the same.")
    ] = False,
) -> None:
    """Download a public data set, verify and unpack it, and print the command that trains on it. A stopped download goes on."""
    with user_errors_as_messages():
        from recframe import public_data

        chosen = public_data.find_set(name, part)
        place = folder or chosen.usual_folder
        _introduce(chosen, place)
        try:
            fetched = public_data.fetch(
                chosen, place, accept=lambda: _accepted(chosen, given=accept_licence), report=_report, progress_of=_progress_of
            )
        except KeyboardInterrupt:
            raise Stop("stopped; the same command goes on from there", INTERRUPTED_EXIT_CODE) from None
        if fetched is None:
            print("The terms were not accepted: nothing was downloaded.")
            raise typer.Exit(1)
        _say_how_to_use(chosen, fetched)


def _introduce(chosen: PublicSet, folder: Path) -> None:
    print(f"{chosen.title}: {chosen.about}")
    print(f"  page     {chosen.page}")
    print(f"  cite     {chosen.cite}")
    print(f"  licence  {chosen.licence.name}: {chosen.licence.address}")
    for term in chosen.licence.terms:
        print(f"           {term}")
    for file in chosen.files:
        where = "not to be had by an address: see below" if file.address is None else file.address
        print(f"  file     {file.name} ({_size(file.size)}) {where}")
    print(f"  folder   {folder}")


def _accepted(chosen: PublicSet, *, given: bool) -> bool:
    """Whether the user accepts the terms, by the option or at the terminal."""
    if given:
        return True
    if not sys.stdin.isatty():
        raise UserError(f"read the terms of {chosen.name} at {chosen.licence.address} and accept them with --accept-licence")
    return typer.confirm("Do you accept these terms?", default=False)


def _report(line: str) -> None:
    print(f"  {line}")


@contextmanager
def _progress_of(file: PublicFile) -> Iterator[Progress]:
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with progress_bar(file.name, TransferSpeedColumn(), show=True, done=DownloadColumn()) as bar:
        task = bar.add_task(file.name, total=file.size)
        yield lambda arrived, total: bar.update(task, completed=arrived, total=total)


def _say_how_to_use(chosen: PublicSet, fetched: Fetched) -> None:
    settings = " ".join(_quoted(f"dataset.{key}={path}") for key, path in fetched.settings.items())
    print("Next:")
    print(f"  recframe data describe dataset={chosen.preset} {settings}")
    print(f"  recframe train {chosen.train} dataset={chosen.preset} {settings}")


def _quoted(setting: str) -> str:
    """A setting as a shell and Hydra take it: Hydra's quotes around a value with blanks, and the shell's around all of it."""
    import shlex

    key, _, value = setting.partition("=")
    return setting if shlex.quote(value) == value else shlex.quote(f'{key}="{value}"')


def _size(count: int | None) -> str:
    if count is None:
        return "size unknown"
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count = count / 1000  # type: ignore[assignment]
    return f"{count:.3g} GB"


def _as_json(one: PublicSet) -> dict[str, object]:
    return {
        "name": one.name,
        "title": one.title,
        "about": one.about,
        "preset": one.preset,
        "page": one.page,
        "bytes": one.size,
        "licence": {"name": one.licence.name, "terms": list(one.licence.terms), "address": one.licence.address},
        "parts": None if one.part is None else list(one.part.choices),
        "files": [
            {
                "name": file.name,
                "address": file.address,
                "bytes": file.size,
                "checksums": [{"algorithm": known.algorithm, "value": known.value, "source": known.source} for known in file.checksums],
            }
            for file in one.files
        ],
    }
