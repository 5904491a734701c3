"""The commands in the documents run: those of training in a trial on toy data, scripts and other commands as far as their arguments."""

import argparse
import re
import runpy
import shlex
import sys

import pytest
import typer
from hydra import compose

from recframe.cli.main import HYDRA_COMMANDS, app
from recframe.components import Kind
from recframe.config import TRAIN, chosen_components, validate
from recframe.config.compose.initialize import initialized
from recframe.config.compose.overrides import without_nulls
from recframe.trial import try_components
from tests.test_docs import DOCUMENTS, EXAMPLES, KIT_GUIDE, PROJECT, commands_of, name_of, runs_of

SCRIPTS = sorted(PROJECT.glob("benchmarks/*.py"))
HEAVY = {"bert", "gpt", "sentence_transformers", "http_embeddings", "text_and_words"}
"""Encoders whose models the tests of encoders load; the trial reads toy vectors in their place."""
READERS = re.compile(r"FILE|FOLDER|\.\.\.|=mine|patien|stay|myopic|\.csv|\.jsonl|conf/|dataset\.\w+=/")
"""Words of commands that need a file or a plugin of the reader's."""


def training_commands():
    """Each run of each training command in the documents, as a list of settings, which needs nothing of the reader's."""
    for path in DOCUMENTS:
        for name, sweep, command in commands_of(path) if path != KIT_GUIDE else ():
            words = [word for word in shlex.split(command) if not word.startswith(("resume=", "hydra"))]
            # a search draws its values
            searches = "hydra/sweeper=" in command or any(word.startswith("study=") for word in words)
            if name == "train" and words and not searches and not READERS.search(command):
                yield from runs_of(words) if sweep else [words]


def parts_of(words):
    """What of a command decides which code runs."""
    kinds = ("agent", "state_tracker", "environment", "reward", "experiment", "stages", "labels", "auxiliary.weight")
    chosen = {word for word in words if word.partition("=")[0] in kinds}
    return tuple(sorted(chosen))


@pytest.mark.slow
def test_the_training_commands_in_the_documents_learn_on_toy_data():
    distinct = {parts_of(words): words for words in training_commands() if not set(words) & EXAMPLES}
    assert len(distinct) > 40
    runs = [without_nulls([word for word in words if not word.startswith("device=")]) for words in distinct.values()]
    # that these have no mistakes is tested elsewhere
    with initialized():
        composed = [compose(TRAIN.config_name, overrides=overrides) for overrides in runs]
    for cfg in map(validate, composed):
        encoders = {cfg[key].name for key in ("encoder", "world_encoder") if cfg[key] is not None}
        try_components(cfg, unused=(Kind.ENCODER,) if encoders & HEAVY else (), app=TRAIN)
        assert "agent" in chosen_components(cfg)


def other_commands():
    """The commands of recframe in the documents besides those that Hydra reads, as words."""
    for path in DOCUMENTS:
        text = re.sub(r" *\\\n *", " ", path.read_text())
        for line in re.findall(r"^ *(?:\$ )?recframe ([a-z]+ .+?|[a-z]+)(?: +#.*| {3,}.*)?$", text, re.MULTILINE):
            words = shlex.split(line) if path.parent.name != "reference" else []
            if words and words[0] not in HYDRA_COMMANDS:
                yield name_of(path), words


def test_other_commands_in_the_documents_have_the_arguments_that_are_shown():
    whole = typer.main.get_command(app)
    found = [(place, words) for place, words in other_commands() if words[0] in whole.commands]
    assert {"plugins", "data", "report", "evaluate", "bench"} <= {words[0] for _, words in found}
    for place, words in found:
        command, rest, context = whole, words, None
        while rest and hasattr(command, "resolve_command"):
            context = command.make_context(command.name, list(rest), parent=context, resilient_parsing=True)
            _, command, rest = command.resolve_command(context, list(rest))
        if rest or not hasattr(command, "resolve_command"):
            # parsed, not called
            assert command.make_context(command.name, list(rest), parent=context).command is command, place


class Parsed(Exception):
    """The arguments of a script are right."""


def script_commands():
    """The commands of scripts in benchmarks/ in documents and in the scripts' own docstrings, by script."""
    found = {}
    for path in [*DOCUMENTS, *SCRIPTS]:
        text = re.sub(r" *\\\n *", " ", path.read_text())
        for script, line in re.findall(r"python benchmarks/(\w+\.py)([^#`\n]*)", text):
            words = re.split(r" {3,}", line.rstrip())[0].replace("; done", "").replace("$side", "recframe")
            found.setdefault(script, set()).add(words.strip())
    return found


@pytest.mark.parametrize("script", sorted(script_commands()))
def test_the_scripts_take_the_arguments_that_the_documents_show(script, monkeypatch):
    parsers = {name: getattr(argparse.ArgumentParser, name) for name in ("parse_args", "parse_known_args")}

    def parsed(self, *arguments, **more):
        parsers["parse_known_args"](self, *arguments, **more)
        raise Parsed

    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    for line in script_commands()[script]:
        monkeypatch.setattr(sys, "argv", [script, *shlex.split(line)])
        try:
            with pytest.raises(Parsed):
                runpy.run_path(str(PROJECT / "benchmarks" / script), run_name="__main__")
        except ModuleNotFoundError as missing:
            pytest.skip(f"benchmarks/{script} needs a package that is not installed: {missing.name}")
