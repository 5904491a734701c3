"""Checks for mistakes in Hydra's command-line options that Hydra ignores or answers with a traceback."""

from __future__ import annotations

from argparse import Namespace
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from recframe.config.problems import ConfigError

SHELLS = ("bash", "zsh", "fish")


def parse_options(arguments: list[str], command: str) -> tuple[Namespace, list[str]]:
    """Hydra's options, and the problems that Hydra would answer with a traceback or would ignore."""

    def refuse(message: str) -> NoReturn:
        raise ConfigError([f"{message}; see recframe {command} --help"])

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]
    known, unknown = parser.parse_known_args(arguments)
    # Hydra would take an unknown option for a malformed override
    problems = [f"{option}: unknown option; see recframe {command} --help" for option in unknown]
    if known.config_path is not None:
        problems.append("--config-path: recframe's own configs cannot be replaced; --config-dir adds a folder to them")
    exclusive = ("run", "multirun", "cfg", "info", "shell_completion")
    given = [f"--{name}" for name in exclusive if getattr(known, name) not in (None, False)]
    if len(given) > 1:
        problems.append(f"{' and '.join(given)} cannot be combined: each selects a mode")
    if known.resolve and not (known.cfg or known.help):
        problems.append("--resolve can only be combined with --cfg")
    if known.shell_completion:
        verb, _, shell = known.overrides[0].partition("=") if len(known.overrides) == 1 else ("", "", "")
        if verb not in ("install", "uninstall", "query") or shell not in SHELLS:
            problems.append(f"--shell_completion takes install=SHELL or uninstall=SHELL, and the shells are {', '.join(SHELLS)}")
    return known, problems
