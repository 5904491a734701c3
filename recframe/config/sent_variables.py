"""Settings by which the value of an environment variable, which may be a secret, leaves this machine. Imports nothing of Hydra's.

A component that sends requests declares the option with the address (`recframe.components.option(address=True)`). What its section names as
an environment variable, such as a key's, is then sent there; and what `${oc.env:NAME}` fills in anywhere may be part of what is sent. A
logger's store is sent the run's name, folder and config, in which such values stay as they are written where this can be seen; a database
the settings of its own section. Both are sent what their clients read from the environment by themselves, such as a password.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from recframe.config.addresses import EMPTY, Address, Key, address_at, declares
from recframe.config.recorded import REFERENCE, leads_to_environment

NOT_OF_A_RUN = ("sweep", "hydra", "defaults")
FOLDERS = (("hydra", "run", "dir"), ("hydra", "sweep", "dir"), ("hydra", "sweep", "subdir"))
"""Hydra's settings that give a run its folder, which loggers note."""
ONLY_RECORDED = ("name", "logger", "embeddings", *NOT_OF_A_RUN)
"""Keys of a config that no endpoint is sent. Settings that refer to them are looked at where they are."""

ENVIRONMENT_VALUE = re.compile(r"\$\{\s*oc\.env\s*:\s*['\"]?([A-Za-z_]\w*)['\"]?\s*(?:,[^${}]*)?\}", re.ASCII)
TIME = re.compile(r"\$\{\s*now\s*:[^${}]*\}")
HYDRAS = re.compile(r"\$\{\s*hydra\s*:\s*([\w.]+)\s*\}", re.ASCII)
VARIABLE_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class SentVariable(NamedTuple):
    """An environment variable and an address that its value is sent to, each with the setting that names it."""

    key: str
    variable: str
    address_key: str
    address: str

    @property
    def consent(self) -> str:
        """How a person allows it."""
        return f"{self.variable}={self.address}"


def sent_variables(values: Any) -> list[SentVariable]:
    """What the settings of a config would send. `values`: plain, with interpolations that are not filled in, and Hydra's own or not."""
    # addresses and names of variables are texts; looking up where a setting is declared takes most of the time
    leaves = [(key, value) for key, value in _leaves(values, ()) if isinstance(value, str) and value not in EMPTY]
    addresses = [address for key, value in leaves if (address := address_at(key, value)) is not None]
    if not addresses:
        return []
    sent = [_sent(one.key, name, one) for one in addresses for name in one.unnamed if name in os.environ]
    for key, value in leaves:
        if declares(key, "variable"):
            beside = [one for one in addresses if one.key[:-1] == key[:-1] and one.kind != "database"]
            sent += [_sent(key, value, one) for one in beside if _may_be_set(value)]
        elif reached := [one for one in addresses if _reaches(key, value, one, values)]:
            named = dict.fromkeys(_variables_in(value, key, values))
            sent += [_sent(key, variable, one) for variable in named for one in reached]
    return sent


def _reaches(key: Key, text: str, address: Address, values: Any) -> bool:
    """Whether what is filled into a setting may be sent to an address."""
    if address.kind == "database":
        return key[:-1] == address.key[:-1]
    if address.kind == "endpoint":
        return key[0] not in ONLY_RECORDED
    if key[0] in NOT_OF_A_RUN:
        return key in FOLDERS
    # used by the logger itself, or recorded with what is filled in
    used = key[0] == "name" or (key[0] == "logger" and "tags" not in key[2:]) or declares(key, "path") or declares(key, "exists")
    return used or not leads_to_environment(text, values)


def unallowed(values: Any, allowed: str | None, how: str) -> list[str]:
    """One line for each environment variable that settings of somebody else's would send without consent.

    Parameters
    ----------
    allowed: `VARIABLE=ADDRESS`, or several with commas between.   how: to give consent, with "{}" in place of such a text.
    """
    # an address may have commas itself, as one of several hosts
    given = {part.strip().rstrip("/") for part in [*(allowed or "").split(","), *re.split(r",(?=\s*[A-Za-z_]\w*=)", allowed or "")]}
    refused = [one for one in sent_variables(values) if one.consent.rstrip("/") not in given]
    return [f"{one.key}: {_would_be_sent(one)}; allow it with {how.format(one.consent)}" for one in refused]


def chosen_by_files(values: Any, by_files: Mapping[str, str]) -> list[str]:
    """One line for each environment variable that would be sent because of what a file says, to be allowed on the command line.

    values: the whole config, plain and not filled in.   by_files: where files have set keys that the command line has not.
    """
    lines = []
    for one in sent_variables(values):
        if of_files := [key for key in dict.fromkeys((one.key, one.address_key)) if key in by_files]:
            typed = " and ".join(of_files)
            where = f"{by_files[of_files[0]]}: {of_files[0]}"
            lines.append(f"{where}: {_would_be_sent(one)}, which no file may decide; to allow it, set {typed} on the command line")
    return list(dict.fromkeys(lines))


def _would_be_sent(one: SentVariable) -> str:
    return f"the value of the environment variable {one.variable} would be sent to {one.address}"


def _variables_in(text: str, key: Key, values: Any, seen: frozenset[Key] = frozenset()) -> Iterator[str]:
    """The names of the variables that are set and that interpolations in a text may fill in; the text itself, where that cannot be told.

    key: that of the text, to which references such as `${.other}` are relative.
    """
    yield from filter(_may_be_set, ENVIRONMENT_VALUE.findall(text))
    rest = HYDRAS.sub(r"${hydra.\1}", TIME.sub("", ENVIRONMENT_VALUE.sub("", text)))
    for place in sorted({_place(name, key) for name in REFERENCE.findall(rest)} - seen):
        found: Any = values
        for part in place:
            found = found.get(part, _NOWHERE) if isinstance(found, Mapping) else _NOWHERE
        if found is _NOWHERE:
            # such as an entry of a list
            yield text
        for inner, leaf in _leaves(found, place):
            yield from _variables_in(str(leaf), inner, values, seen | {place})
    if "${" in REFERENCE.sub("", rest):
        # another resolver, whose result may come from anywhere
        yield text


_NOWHERE = object()


def _place(name: str, key: Key) -> Key:
    """The key that a reference names: with dots before it, it is relative, one dot for the section of the setting itself."""
    path = name.lstrip(".")
    dots = len(name) - len(path)
    return (*(key[: max(len(key) - dots, 0)] if dots else ()), *path.split("."))


def _may_be_set(variable: str) -> bool:
    """Whether there may be a variable of that name: a name that is filled in later is not known."""
    return VARIABLE_NAME.fullmatch(variable) is None or variable in os.environ


def _sent(key: Key, variable: str, address: Address) -> SentVariable:
    return SentVariable(".".join(key), variable, ".".join(address.key), address.text)


def _leaves(value: Any, key: Key) -> Iterator[tuple[Key, Any]]:
    """Every value that is no mapping or list, with its key; a list's are under the list's key."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, (*key, str(name)))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(inner, key)
    else:
        yield key, value
