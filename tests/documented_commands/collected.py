"""The commands of recframe that stand in the documents' code, each once, with the documents in which they stand."""

from __future__ import annotations

import re
import shlex
from functools import cache
from textwrap import indent
from typing import NamedTuple

from recframe.cli.main import HYDRA_COMMANDS
from tests.test_docs import DOCUMENTS, EXAMPLES, KIT_GUIDE, name_of
from tests.test_docs_commands import READERS
from tests.test_readme_recommender import commands as commands_of_recommender

CODE = re.compile(r"^```\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINE = re.compile(r"^ {4,}(?:\$ )?(?:[A-Z_]+=\S+ +)*recframe ((?:-|[a-z]).*?)(?: {3,}[^ #].*)?$", re.MULTILINE)
MISTAKEN = ("agent=dqm",)
"""What only commands have that show how mistakes are answered: tests/test_docs.py compares the answers."""


class Documented(NamedTuple):
    """A command.

    words: without `recframe`.   documents: where it stands.
    """

    words: tuple[str, ...]
    documents: tuple[str, ...]

    @property
    def line(self) -> str:
        """The words as one would type them."""
        return shlex.join(self.words)

    @property
    def settings(self) -> tuple[str, ...]:
        """The words after the subcommand and `-m`."""
        return tuple(word for word in self.words[1:] if word != "-m")

    @property
    def searches(self) -> bool:
        return any(word.startswith(("hydra/sweeper=optuna", "study=")) for word in self.words)

    @property
    def goes_on(self) -> bool:
        return any(word.startswith(("sweep.resume=", "resume=")) for word in self.words)

    @property
    def launched(self) -> bool:
        return any(word.startswith("hydra/launcher=") for word in self.words)


@cache
def documented() -> tuple[Documented, ...]:
    """All commands, in the order of the documents. In the reference, which is generated, only those that train have settings."""
    found: dict[tuple[str, ...], dict[str, None]] = {}
    for path in DOCUMENTS:
        text = re.sub(r" *\\\n *", " ", CODE.sub(lambda block: indent(block[1], "    "), path.read_text()))
        for line in LINE.findall(text):
            words = tuple(shlex.split(line, comments=True))
            if path.parent.name != "reference" or (words[0] == "train" and len(words) > 1):
                found.setdefault(words, {})[name_of(path)] = None
    return tuple(Documented(words, tuple(documents)) for words, documents in found.items())


def is_tried_on_toy_data(command: Documented) -> bool:
    """Whether tests/test_docs_commands.py tries its parts: it trains, needs nothing of the reader's, and neither searches nor goes on."""
    own = not set(command.words) & EXAMPLES and not READERS.search(command.line.replace("'", ""))
    special = command.searches or command.goes_on or command.launched or any(word.startswith("init=") for word in command.words)
    return command.words[0] == "train" and own and not special


@cache
def _of_recommender() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words) for one in commands_of_recommender().values() for words in one)


def run_elsewhere(command: Documented) -> bool:
    """Whether another test runs the command: the one of the README's recommender, of the kit's guide, of mistakes, or the toy trials."""
    return (
        command.words in _of_recommender()
        or set(command.documents) <= {name_of(KIT_GUIDE)}
        or bool(set(MISTAKEN) & set(command.words))
        or is_tried_on_toy_data(command)
    )


def others(*subcommands: str) -> list[Documented]:
    """The commands with these subcommands, or all but Hydra's, which no other test runs."""
    return [
        one
        for one in documented()
        if (one.words[0] in subcommands if subcommands else one.words[0] not in HYDRA_COMMANDS) and not run_elsewhere(one)
    ]
