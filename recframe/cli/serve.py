"""`recframe serve`: a trained policy behind HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.run_folder import SEND_HELP, log_to


def serve(
    folder: Annotated[Path, typer.Argument(help="The folder of an artefact (recframe export), or of a run.")],
    settings: Annotated[list[str] | None, typer.Argument(help="Settings, such as port=8080 feedback.url=postgresql://...")] = None,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="Run the code that comes with the model.")] = False,
    send_variable: Annotated[str | None, typer.Option("--send-variable", help=SEND_HELP)] = None,
) -> None:
    """Serve a trained policy: it recommends, hears back and remembers, at an address of its own."""
    with user_errors_as_messages():
        from recframe.server.run import require_libraries, run_server
        from recframe.server.settings import read_settings

        config = read_settings(settings or [], folder)
        require_libraries()
        log_to(sys.stderr)
        run_server(folder, config, trust_remote_code=trust_remote_code, send_variable=send_variable)
