"""`recframe evaluate`: evaluate a trained run again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.run_folder import SEND_HELP, check_run, log_to
from recframe.cli.uncollected import uncollected
from recframe.console import output_console


def evaluate(
    run_folder: Annotated[Path, typer.Argument(help="The folder of a run.")],
    seed: Annotated[int | None, typer.Option(help="Seed of the evaluation's users and random draws [default: the run's].")] = None,
    num_users: Annotated[int | None, typer.Option(help="Number of users [default: the run's].")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 or auto [default: the run's].")] = None,
    other_data: Annotated[bool, typer.Option("--other-data", help="Accept data that differs from the run's.")] = False,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="Run the code that comes with the run's model.")] = False,
    send_variable: Annotated[str | None, typer.Option("--send-variable", help=SEND_HELP)] = None,
    other_config: Annotated[bool, typer.Option("--other-config", help="Accept a config.yaml that was edited after the run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as in result.json.")] = False,
) -> None:
    """Evaluate a run's trained policy again, together with the reference policies; the run's files stay as they are."""
    with user_errors_as_messages():
        from recframe.config import Consent

        consent = Consent(trust_remote_code, send_variable)
        edits = None if other_config else f"accept it: recframe evaluate {run_folder} --other-config"
        check_run(run_folder, device, use_cpu=f"recframe evaluate {run_folder} --device cpu", consent=consent, accept_edits=edits)
        with uncollected(keeps=True):
            from recframe import runner

        log_to(sys.stderr if as_json else sys.stdout)
        accepted = {"other_data": other_data, "trust_remote_code": trust_remote_code, "other_config": other_config}
        result = runner.evaluate(run_folder, seed, num_users, device, send_variable=send_variable, **accepted)
        if as_json:
            print(json.dumps(result, indent=2))
        else:
            from recframe.evaluation.table import results_page

            output_console().print(results_page(result))
