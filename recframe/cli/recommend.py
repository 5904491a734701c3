"""`recframe recommend`: ask a trained policy, for one person or for many as JSON lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.console import output_console
from recframe.errors import UserError


def recommend(
    folder: Annotated[Path, typer.Argument(help="The folder of a run, or of an artefact (recframe export).")],
    history: Annotated[list[str] | None, typer.Option(help="The id of an item that the person clicked; repeat it, oldest first.")] = None,
    user: Annotated[str | None, typer.Option(help="The id of a user of the data.")] = None,
    profile: Annotated[str | None, typer.Option(help="A text about a person who is not in the data.")] = None,
    say: Annotated[str | None, typer.Option(help="What the person says now.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="The number of items.")] = 10,
    candidate: Annotated[list[str] | None, typer.Option(help="The id of an item that may be shown; repeat it [default: all].")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="The id of an item that may not be shown; repeat it.")] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="A file with a question in each line, as JSON, or - for the standard input.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option("--answers", help="The file for the answers, as JSON lines; one that exists is continued [default: the terminal]."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="Run the code that comes with the model.")] = False,
) -> None:
    """Recommend items with a trained policy: to one person, or for every line of a file of questions."""
    with user_errors_as_messages():
        person = {"history": history, "user": user, "profile": profile, "context": say, "candidates": candidate, "exclude": exclude}
        given: dict[str, Any] = {key: value for key, value in person.items() if value is not None}
        if questions is not None and given:
            raise UserError(f"--questions: its lines say who asks; leave out {', '.join(_option(key) for key in given)}")
        if answers is not None and questions is None:
            raise UserError("--answers: it is for --questions; one answer is printed")
        from recframe.serving.batches import Answers, answer_line, answered, questions_in
        from recframe.serving.load import load_policy

        lines = None if questions is None else questions_in(questions, sys.stdin)
        with Answers(answers, sys.stdout) as out:
            policy = load_policy(folder, trust_remote_code=trust_remote_code)
            if lines is None:
                _show(policy.recommend(**given, k=k), as_json, answer_line)
                return
            for line in answered(policy, lines, k, skip=out.finished):
                out.write(line)
        if out.refused:
            print(f"recframe: {out.refused} of the questions could not be answered; their lines say why", file=sys.stderr)
            raise typer.Exit(UserError.exit_code)


def _show(items: Any, as_json: bool, answer_line: Any) -> None:
    if as_json:
        print(answer_line({}, items))
    else:
        output_console().print(str(items) or "nothing may be recommended", highlight=False, markup=False, soft_wrap=True)


def _option(key: str) -> str:
    return {"context": "--say", "candidates": "--candidate"}.get(key, f"--{key}")
