"""The documented commands that train and that no other test tries, by how they are started here."""

from __future__ import annotations

from functools import cache

from recframe.cli.main import HYDRA_COMMANDS
from tests.documented_commands.collected import Documented, documented, run_elsewhere
from tests.documented_commands.not_run import reason


@cache
def started() -> tuple[Documented, ...]:
    """All of them."""
    return tuple(one for one in documented() if one.words[0] in HYDRA_COMMANDS and not run_elsewhere(one) and reason(one.words) is None)


def is_started(command: Documented) -> bool:
    return command in started()


def searches() -> list[Documented]:
    """Searches of settings, but for those that go on."""
    return [one for one in started() if one.searches]


def going_on() -> list[Documented]:
    """Runs and sweeps that go on."""
    return [one for one in started() if one.goes_on]


def launched() -> list[Documented]:
    """Sweeps whose jobs another launcher runs."""
    return [one for one in started() if one.launched and not one.searches and not one.goes_on]


def plain() -> list[Documented]:
    """What is left: runs and grids, most of them on the reader's data."""
    others = {*searches(), *going_on(), *launched()}
    return [one for one in started() if one not in others]
