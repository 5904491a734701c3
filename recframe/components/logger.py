"""`LoggerComponent`: what a plugin registers to offer a logger, which `logger=[csv,NAME]` chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from recframe.components.component import check_config, check_factory, first_line


@dataclass(frozen=True, init=False)
class LoggerComponent:
    """A logger of runs, by name.

    Parameters
    ----------
    name: the name in configs (`logger=[csv,name]`, `logger.name.option=value`); a lower-case Python identifier.
    config: a dataclass *type* whose fields all have defaults and are declared with `option`.
    factory: `"package.module:Class"`, imported only when a run uses the logger. It is called as `factory(config, run)`, with a
        `recframe.interfaces.RunDescription`, and returns a `recframe.interfaces.RunLogger`: any Lightning logger, which may have two
        methods more.
    install: the command that installs the packages that the factory imports, for the message if one is missing.
    essential: if true, an error while metrics are logged ends the run; otherwise it is reported once, and the run goes on without the
        logger.
    description: one line for `recframe plugins`; by default the first line of the config's docstring.

    Raises
    ------
    ComponentError: if the declaration cannot work; the message names the logger and the fix.
    """

    kind: ClassVar[str] = "logger"
    name: str
    config: type
    factory: str
    install: str
    essential: bool
    description: str

    def __init__(self, name: str, config: type, factory: str, install: str = "", essential: bool = False, description: str = "") -> None:
        check_config(self.kind, name, config)
        check_factory(self.kind, name, factory)
        values: dict[str, Any] = {"name": name, "config": config, "factory": factory, "install": install, "essential": essential}
        for field, value in {**values, "description": description or first_line(config)}.items():
            object.__setattr__(self, field, value)
