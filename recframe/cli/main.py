"""The command line: thin, and importing nothing heavy until a run starts.

`recframe train` and `recframe pretrain` are Hydra apps under typer commands; everything after that word is Hydra's, so `-m`, `--cfg`,
`--help`, `--config-dir` and tab completion are what Hydra users know.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.table import Table

from recframe import __version__
from recframe.cli.apps import JOBS, run_app
from recframe.cli.failures import mistakes_in_one_line
from recframe.components import Kind, Option, options_of
from recframe.plugin_loader import PluginFailure, UnknownComponent, raised, registry

app = typer.Typer(name="recframe", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
plugins_app = typer.Typer(invoke_without_command=True, help="List the plugins, or show one component's settings.")
app.add_typer(plugins_app, name="plugins")
PRETRAIN_HELP = """\
recframe pretrain: train a language model on the texts of a dataset, and save it into a folder that any encoder config can name.

encoder: {encoders}
dataset: {datasets}
logger: csv, wandb (as logger=[csv,wandb])

Examples
  recframe pretrain dataset=movielens_format dataset.path=...   go on with the packaged model, masked
  recframe pretrain encoder=gpt encoder.model=FOLDER            go on with a causal model
  recframe pretrain encoder=gpt pretrain.from_scratch=true pretrain.new.layers=2 pretrain.folder=models/mine
  recframe train encoder=gpt encoder.model=models/mine          use it

`recframe plugins show encoder NAME` and `recframe plugins show dataset NAME` list their settings; seed, device and name are as for train.
`recframe pretrain --cfg job` prints the config composed here.
"""
HYDRA_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def _version(wanted: bool) -> None:
    if wanted:
        print(f"recframe {__version__}")
        raise typer.Exit


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Recommenders that read text and decide over time."""


@app.command(context_settings=HYDRA_ARGUMENTS, help="Train and evaluate: recframe train [group=choice] [key=value] [-m].")
def train(context: typer.Context) -> None:
    """Run the Hydra app, or go on with a stopped run."""
    arguments = list(context.args)
    resumed = [argument.partition("=")[2] for argument in arguments if argument.startswith("resume=")]
    with mistakes_in_one_line():
        if resumed:
            others = [argument for argument in arguments if not argument.startswith("resume=")]
            _resume(resumed, others)
        else:
            run_app("train", arguments)


@app.command(context_settings=HYDRA_ARGUMENTS, help="Train a language model on a dataset's texts: recframe pretrain [key=value].")
def pretrain(context: typer.Context) -> None:
    """Run the Hydra app that trains a language model on a dataset's texts."""
    if {"--help", "-h"} & set(context.args):
        _pretrain_help()
        return
    with mistakes_in_one_line():
        run_app("pretrain", list(context.args))


@app.command()
def evaluate(
    run_folder: Annotated[Path, typer.Argument(help="The folder of a run.")],
    seed: Annotated[int | None, typer.Option(help="Seed of the evaluation's people and luck [default: the run's].")] = None,
    num_users: Annotated[int | None, typer.Option(help="People to meet [default: the run's].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as in result.json.")] = False,
) -> None:
    """Evaluate a run's trained policy again, beside the reference policies; the run's files stay as they are."""
    with mistakes_in_one_line():
        _check_run(run_folder)
        from recframe import runner

        _logging_to_terminal(sys.stderr if as_json else sys.stdout)
        result = runner.evaluate(run_folder, seed=seed, num_users=num_users)
        if as_json:
            print(json.dumps(result, indent=2))
        else:
            from recframe.evaluation.table import result_tables

            _console().print(*result_tables(result))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A folder of runs, such as one sweep's.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Summarize many runs: one row a setting and policy, averaged over seeds with 95 % intervals."""
    with mistakes_in_one_line():
        from recframe import sweeps

        if markdown:
            print(sweeps.sweep_markdown(folder))
        else:
            _console().print(sweeps.sweep_table(folder))


@plugins_app.callback()
def plugins(context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the components, who brought them, and the plugins that could not be loaded."""
    if context.invoked_subcommand is not None:
        return
    found = registry()
    rows = [
        {
            "kind": r.component.kind.value,
            "name": r.component.name,
            "distribution": r.distribution,
            "version": r.version,
            "description": r.component.description,
        }
        for r in found.components()
    ]
    failures = [{"plugin": f.plugin, "distribution": f.distribution, "cause": f.cause, "fix": f.fix} for f in found.failures]
    if as_json:
        print(json.dumps({"components": rows, "failures": failures}, indent=2))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("kind", "name", "distribution", "version"):
        table.add_column(column, no_wrap=True)
    table.add_column("description")
    for row in rows:
        table.add_row(*row.values())
    _console().print(table)
    for failure in found.failures:
        Console(stderr=True).print(f"[bold red]left out[/] {failure}", highlight=False, soft_wrap=True)


@plugins_app.command()
def show(kind: str, name: str, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every setting of a component: type, default, meaning."""
    with mistakes_in_one_line():
        if kind not in list(Kind):
            raise UnknownComponent(f"{kind!r} is no kind of component. The kinds are: {', '.join(Kind)}")
        component = registry().get(kind, name)
        options = options_of(component.config)
        if as_json:
            rows = [{"name": o.name, "type": o.type, "default": o.default, "meaning": o.help, "allowed": o.bounds} for o in options]
            tags = {"provides": sorted(component.provides), "requires": sorted(component.requires)}
            print(json.dumps({"kind": kind, "name": name, "description": component.description, **tags, "options": rows}, indent=2))
            return
        prefix = f"reward.{name}" if component.kind is Kind.REWARD else kind
        print(f"{kind}={name}: {component.description}")
        print(f"provides: {', '.join(sorted(component.provides)) or '-'}    requires: {', '.join(sorted(component.requires)) or '-'}\n")
        _console().print(_settings_table([(prefix, o) for o in options]))


def _settings_table(options: Sequence[tuple[str, Option]]) -> Table:
    """Settings with the prefixes of their keys."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("setting", "type", "default"):
        table.add_column(column, no_wrap=True)
    table.add_column("meaning")
    for prefix, o in options:
        default = "(required)" if o.default == "???" else "null" if o.default is None else str(o.default)
        table.add_row(f"{prefix}.{o.name}", o.type, default, f"{o.help} ({o.bounds})" if o.bounds else o.help)
    return table


def _pretrain_help() -> None:
    """In place of Hydra's help, which would list what only `recframe train` chooses from."""
    from recframe.config.schema.pretraining import NewModelConfig, PretrainConfig

    able = [name for name in registry().names(Kind.ENCODER) if "pretraining" in registry().get(Kind.ENCODER, name).provides]
    print(PRETRAIN_HELP.format(encoders=", ".join(able), datasets=", ".join(registry().names(Kind.DATASET))))
    own = [("pretrain", o) for o in options_of(PretrainConfig) if o.name != "new"]
    _console().print(_settings_table(own + [("pretrain.new", o) for o in options_of(NewModelConfig)]))


def _console() -> Console:
    """Standard output; wide where it is no terminal, so that a file or a pipe gets whole lines."""
    return Console(width=None if sys.stdout.isatty() else 160)


def _resume(folders: list[str], others: list[str]) -> None:
    from recframe.config import ConfigError

    if others or len(folders) > 1:
        beside = " ".join(others) or "a second resume="
        raise ConfigError([f"resume= goes alone: a run is resumed with the config it was started with, so not beside {beside}"])
    _check_run(Path(folders[0]))
    from recframe import runner

    _logging_to_terminal(sys.stdout)
    runner.resume(Path(folders[0]))


def _check_run(folder: Path) -> None:
    """Refuse what is no run, or a run that this installation cannot build, before anything heavy is imported."""
    from recframe.config import validate
    from recframe.tracking import RunFolder

    with RunFolder.open(folder) as claimed:
        validate(claimed.read_config(), registry())


def _logging_to_terminal(stream: TextIO) -> None:
    import logging

    # as Hydra does it for `train`
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=stream)


def _complete(shell: str) -> None:
    """Answer the shell's tab completion: commands first, then Hydra's groups and keys after `train`."""
    words = os.environ.get("COMP_LINE", "").split(" ")
    names = sorted({command.name or command.callback.__name__ for command in app.registered_commands if command.callback} | {"plugins"})
    if len(words) <= 2:
        print("\n".join(name for name in names if name.startswith(words[-1])))
    elif words[1] in JOBS:
        os.environ["COMP_LINE"] = " ".join([words[0], *words[2:]])  # Hydra reads the line itself: take our command out of it
        run_app(words[1], ["-sc", f"query={shell}"])


def _add_plugin_commands() -> None:
    """Let each plugin add its commands; one that cannot is reported, and leaves none behind."""
    found = registry()
    for plugin, distribution, add in found.callers("recframe_register_commands"):
        commands, groups = list(app.registered_commands), list(app.registered_groups)
        try:
            add(app=app)
            typer.main.get_command(app)  # typer looks at a command's parameters only here
        except (Exception, SystemExit) as error:
            app.registered_commands, app.registered_groups = commands, groups
            failure = PluginFailure(plugin, distribution, raised(error), "Report it to its authors", part="every command of plugin")
            found.failures.append(failure)


def main() -> None:
    """Entry point of the `recframe` command."""
    _add_plugin_commands()
    if sys.argv[1:2] == ["-sc"] and sys.argv[2:] in (["query=bash"], ["query=zsh"], ["query=fish"]):
        return _complete(sys.argv[2].removeprefix("query="))
    return app()


if __name__ == "__main__":
    main()
