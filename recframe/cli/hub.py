"""`recframe push` and `recframe pull`: artefacts to and from a folder or a repository of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.console import output_console

PLACE = "A folder, file:///folder, or a repository of the Hugging Face hub: hf://owner/name[@revision]."


def push(
    folder: Annotated[Path, typer.Argument(help="The folder of an artefact (recframe export).")],
    to: Annotated[str, typer.Argument(help=PLACE)],
    public: Annotated[bool, typer.Option("--public", help="A repository that is made now can be read by everybody.")] = False,
) -> None:
    """Copy an artefact to a new folder, or commit it to a repository of the Hugging Face hub, after its checksums are checked."""
    with user_errors_as_messages():
        from recframe.serving.artefact.hub import push as push_artefact

        _say(push_artefact(folder, to, public=public), to)


def pull(
    source: Annotated[str, typer.Argument(help=PLACE)],
    folder: Annotated[Path, typer.Argument(help="The new folder.")],
) -> None:
    """Fetch an artefact from a folder or the Hugging Face hub into a new folder, which appears when its checksums are right."""
    with user_errors_as_messages():
        from recframe.serving.artefact.hub import pull as pull_artefact

        _say(pull_artefact(source, folder), folder)


def _say(moved: Any, place: object) -> None:
    manifest = moved.manifest
    revision = f", revision {moved.revision}" if moved.revision else ""
    line = f"{place}: version {manifest.version}{revision}, {manifest.sizes['items']:,} items, {moved.size / 1e6:.1f} MB"
    output_console().print(line, highlight=False, markup=False, soft_wrap=True)
