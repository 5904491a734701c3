"""Tab completion: the commands of recframe first, then the groups and keys of a Hydra app."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

PREFIX = "query="
SHELLS = ("bash", "zsh", "fish")


def asked_shell(arguments: Sequence[str]) -> str | None:
    """The shell that asks for completions, as the script of `recframe train -sc install=SHELL` does; None for any other call."""
    if len(arguments) == 2 and arguments[0] == "-sc" and arguments[1].removeprefix(PREFIX) in SHELLS:
        return arguments[1].removeprefix(PREFIX)
    return None


def complete(shell: str, commands: Sequence[str], hydra_commands: Sequence[str], run: Callable[[Sequence[str]], None]) -> None:
    """Print the completions of the shell's current line, `COMP_LINE`.

    Parameters
    ----------
    commands: the names of all commands.     hydra_commands: those that run a Hydra app.
    run: runs recframe with some arguments.
    """
    words = os.environ.get("COMP_LINE", "").split(" ")
    if len(words) <= 2:
        print("\n".join(name for name in sorted(commands) if name.startswith(words[-1])))
    elif words[1] in hydra_commands:
        os.environ["COMP_LINE"] = " ".join([words[0], *words[2:]])  # Hydra reads the line and must not see the command
        run([words[1], "-sc", f"{PREFIX}{shell}"])
