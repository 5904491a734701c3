"""`recframe recommend`: ask a trained policy, for one person or for many as JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.run_folder import SEND_HELP
from recframe.console import output_console
from recframe.errors import UserError

if TYPE_CHECKING:
    from recframe.explanations import Explanation
    from recframe.serving.items import RankedItems
    from recframe.serving.policy import LoadedPolicy
    from recframe.serving.question import Question


def recommend(
    folder: Annotated[Path, typer.Argument(help="The folder of a run, or of an artefact (recframe export).")],
    history: Annotated[list[str] | None, typer.Option(help="The id of an item that the person clicked; repeat it, oldest first.")] = None,
    user: Annotated[str | None, typer.Option(help="The id of a user of the data.")] = None,
    profile: Annotated[str | None, typer.Option(help="A text about a person who is not in the data.")] = None,
    say: Annotated[str | None, typer.Option(help="What the person says now.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="The number of items.")] = 10,
    candidate: Annotated[list[str] | None, typer.Option(help="The id of an item that may be shown; repeat it [default: all].")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="The id of an item that may not be shown; repeat it.")] = None,
    must_include: Annotated[list[str] | None, typer.Option(help="The id of an item that must be shown; repeat it.")] = None,
    at_most: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=N: show at most N items with the same value of an attribute, as in genre=2; repeat it."),
    ] = None,
    add_items: Annotated[
        Path | None, typer.Option("--add-items", help="A file with a further item in each line, as JSON: id, text, and attributes.")
    ] = None,
    explore: Annotated[
        str | None,
        typer.Option(help="Explore: epsilon=PROBABILITY, boltzmann=TEMPERATURE or thompson=DRAWS; propensities are then told."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed of --explore [default: 0].")] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="A file with a question in each line, as JSON, or - for the standard input.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", help="The file for the answers, as JSON lines; if it was begun so, it is continued [default: the terminal]."
        ),
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Say of each item why it is recommended.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="Run the code that comes with the model.")] = False,
    send_variable: Annotated[str | None, typer.Option("--send-variable", help=SEND_HELP)] = None,
) -> None:
    """Recommend items with a trained policy: to one person, or for every line of a file of questions."""
    with user_errors_as_messages():
        person = {"history": history, "user": user, "profile": profile, "context": say, "candidates": candidate, "exclude": exclude}
        rules = {"must_include": must_include, "at_most": None if at_most is None else dict(map(_at_most, at_most))}
        given: dict[str, Any] = {key: value for key, value in (person | rules).items() if value is not None}
        if questions is not None and given:
            raise UserError(f"--questions: its lines say who asks; leave out {', '.join(_option(key) for key in given)}")
        if answers is not None and questions is None:
            raise UserError("--answers: it is for --questions; one answer is printed")
        if seed is not None and explore is None:
            raise UserError("--seed: it is for --explore; without it nothing is drawn at random")
        from recframe.serving.answers_file import Answers, with_first_question
        from recframe.serving.batches import answer_line, answered
        from recframe.serving.exploration import explorer_of
        from recframe.serving.item_lines import read_item_lines
        from recframe.serving.lines import batches_of_lines
        from recframe.serving.load import load_policy
        from recframe.serving.policy import BATCH
        from recframe.serving.question import Question

        new = None if add_items is None else read_item_lines(add_items, "--add-items")
        explorer = None if explore is None else explorer_of(explore, seed or 0)
        lines: Iterator[Sequence[str]] | None
        lines = None if questions is None else batches_of_lines(questions, sys.stdin, BATCH, "--questions")
        with Answers(answers, sys.stdout) as out:
            policy = load_policy(folder, trust_remote_code=trust_remote_code, send_variable=send_variable)
            if new is not None:
                policy.add_items(new.entries, new.places)
            if lines is None:
                items = policy.recommend(**given, k=k, explorer=explorer)
                reasons = _reasons(policy, Question(**given, k=k), items) if why else None
                if as_json:
                    print(answer_line({}, items, explorer is not None, None if reasons is None else [one.as_dict() for one in reasons]))
                else:
                    text = "\n\n".join(map(str, [items, *(reasons or ())])) if items else "nothing may be recommended"
                    output_console().print(text, highlight=False, markup=False, soft_wrap=True)
                return
            told = partial(_reasons_as_json, policy) if why else None
            if answers is not None:
                asked, lines = with_first_question(lines)
                drawn = {"--explore": explore, "--seed": None if explore is None else seed or 0}
                out.begin({"version": policy.version, "-k": k, **drawn, "--why": why, **asked})
            if out.finished:
                print(f"recframe: --answers: {answers}: {out.finished} answers are there; continued", file=sys.stderr)
            for line in answered(policy, lines, k, out.finished, explorer, told):
                out.write(line)
        if out.refused:
            print(f"recframe: {out.refused} of the questions could not be answered; their lines say why", file=sys.stderr)
            raise typer.Exit(UserError.exit_code)


def _reasons(policy: LoadedPolicy, question: Question, items: RankedItems) -> list[Explanation]:
    from recframe.explanations import explain_all

    return explain_all(policy, question, items)


def _reasons_as_json(policy: LoadedPolicy, question: Question, items: RankedItems) -> list[dict[str, Any]]:
    return [reason.as_dict() for reason in _reasons(policy, question, items)]


def _at_most(setting: str) -> tuple[str, int]:
    column, separator, most = setting.rpartition("=")
    if not column or not separator or not most.isdecimal():
        raise UserError(f"--at-most: {setting!r} is not allowed; a column and a number are right, as in genre=2")
    return column, int(most)


def _option(key: str) -> str:
    return {"context": "--say", "candidates": "--candidate"}.get(key, f"--{key.replace('_', '-')}")
