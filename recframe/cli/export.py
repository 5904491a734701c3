"""`recframe export`: a trained policy as a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.run_folder import SEND_HELP, check_run
from recframe.console import output_console


def export(
    run_folder: Annotated[Path, typer.Argument(help="The folder of a run.")],
    folder: Annotated[Path, typer.Argument(help="The new folder of the artefact.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="Also write the scoring part as policy.onnx, checked against torch.")] = False,
    other_data: Annotated[bool, typer.Option("--other-data", help="Accept data that differs from the run's.")] = False,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="Run the code that comes with the run's model.")] = False,
    send_variable: Annotated[str | None, typer.Option("--send-variable", help=SEND_HELP)] = None,
    other_config: Annotated[bool, typer.Option("--other-config", help="Accept a config.yaml that was edited.")] = False,
) -> None:
    """Write the trained policy of a run into a new folder, which needs neither the run nor its data, with a model card and checksums."""
    with user_errors_as_messages():
        from recframe.config import Consent

        consent = Consent(trust_remote_code, send_variable)
        edits = None if other_config else "accept it: recframe export --other-config"
        check_run(run_folder, "cpu", use_cpu="recframe export uses the CPU", consent=consent, accept_edits=edits)
        from recframe.serving.artefact.write import export as write

        accepted = {"other_data": other_data, "trust_remote_code": trust_remote_code, "other_config": other_config}
        manifest = write(run_folder, folder, onnx=onnx, send_variable=send_variable, **accepted)
        size = sum(path.stat().st_size for path in folder.expanduser().iterdir())
        line = (
            f"{folder}: version {manifest.version}, {manifest.sizes['items']:,} items, {size / 1e6:.1f} MB; its card is {folder}/README.md"
        )
        output_console().print(line, highlight=False, soft_wrap=True)
