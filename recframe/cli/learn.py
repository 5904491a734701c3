"""`recframe learn`: learn on from feedback beside a server, in rounds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.run_folder import SEND_HELP, log_to
from recframe.errors import UserError


def learn(
    url: Annotated[str, typer.Argument(help="The store of the server's feedback: sqlite:///FILE or postgresql://...")],
    folder: Annotated[Path, typer.Argument(help="The folder of the artefact that the server watches.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="After --: settings of the runs, as for recframe train.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until stopped.")] = False,
    rounds: Annotated[int | None, typer.Option("--rounds", help="The number of rounds [default: 1].")] = None,
    feedback: Annotated[int, typer.Option(help="New feedback after which a round begins.")] = 200,
    every: Annotated[float | None, typer.Option(help="Seconds after which a round begins with less.")] = None,
    settle: Annotated[float, typer.Option(help="Seconds that feedback may come after a recommendation.")] = 60.0,
    hold_out: Annotated[float, typer.Option(help="Share of the fresh recommendations that judge, and are not learned from.")] = 0.3,
    signal: Annotated[str, typer.Option(help="The signal by which policies are judged.")] = "click",
    margin: Annotated[float, typer.Option(help="How much less of it a recommendation may earn.")] = 0.0,
    level: Annotated[float, typer.Option(help="Level of the interval of the difference.")] = 0.95,
    effective: Annotated[
        float, typer.Option(help="Least effective number of recommendations in which the policies differ and their choice was shown.")
    ] = 100.0,
    places: Annotated[int | None, typer.Option(help="Judge the first places of slates alone [default: whole slates].")] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder of the rounds [default: FOLDER.rounds].")] = None,
    poll: Annotated[float, typer.Option(help="Seconds between two looks at the store.")] = 5.0,
    keep: Annotated[int, typer.Option("--keep", help="The last rounds whose runs and artefacts stay; 0: those of all.")] = 20,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="Run the code that comes with the model.")] = False,
    send_variable: Annotated[str | None, typer.Option("--send-variable", help=SEND_HELP)] = None,
) -> None:
    """Learn on from a server's feedback, in rounds. A new policy is served only where fresh feedback says that it is not worse."""
    with user_errors_as_messages():
        if watch and rounds is not None:
            raise UserError("--watch goes on until it is stopped, and --rounds ends; give one of them")
        from recframe.rounds.learn import learn_in_rounds
        from recframe.rounds.settings import LearnSettings

        settings = LearnSettings(
            url=url,
            folder=folder,
            overrides=tuple(overrides or ()),
            home=runs,
            rounds=None if watch else 1 if rounds is None else rounds,
            feedback=feedback,
            every=every,
            poll=poll,
            settle=settle,
            hold_out=hold_out,
            signal=signal,
            margin=margin,
            level=level,
            effective=effective,
            places=places,
            keep=keep,
            trust_remote_code=trust_remote_code,
            send_variable=send_variable,
        )
        log_to(sys.stdout)
        learn_in_rounds(settings)
