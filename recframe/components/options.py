"""The options of a component: config fields with a default, a meaning and the values that are allowed."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from recframe.deprecations import Renamed

# a bound's name, its sign in messages, and the comparison that must hold
BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "ge": (">=", operator.ge),
    "gt": (">", operator.gt),
    "le": ("<=", operator.le),
    "lt": ("<", operator.lt),
}


def option(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    default_factory: Any = dataclasses.MISSING,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Sequence[Any] | None = None,
    exists: bool = False,
    path: Literal["any", "folder", "policy"] | None = None,
    components: bool = False,
    runs_code: bool = False,
    variable: bool = False,
    address: bool | Mapping[str, str] = False,
    sends: Sequence[str] = (),
    database: bool = False,
    moment: bool = False,
    determines: bool = True,
) -> Any:
    """Declare a field of a component's config: its default, its meaning, and the values it may take.

    All restrictions are checked before a run starts, and shown by `recframe plugins show`. For a list field they hold for each entry.
    `None` is allowed where the field's type allows it. A mandatory field has its usual type and `default=omegaconf.MISSING` ("???").

    Parameters
    ----------
    ge, gt, le, lt: bounds of a number, inclusive (`ge`, `le`) or exclusive (`gt`, `lt`).
    choices: the allowed values.
    exists: the value is a path that must exist.
    path: "any": the value is a path that need not exist. "folder": it is the path of a folder if there is one, and else a name of
        something, such as of a model. "policy": it is the folder of an artefact or of a finished run, needed only where a run starts.
        A run's config holds all paths in absolute form.
    components: the field is a `dict[str, Any]` of other components of the same kind, by names that the user chooses. Each is a
        section like the component's own and is checked like it; the factory receives the built component in its place.
    runs_code: if true, the option runs code that comes with data or with a model. Only a command line can set it, no config file, and
        `evaluate` and `resume` ask again for consent.
    variable: the value is the name of an environment variable, which must be set when a run starts.
    address: the value is an address to which requests are sent, with the values of the environment variables that the same section names
        by options with `variable`. No config file may decide where such a value goes: the command line must set both options, and
        `evaluate` and `resume` ask again for consent. For a logger's option that is no address itself: what its values stand for.
    sends: environment variables whose values are sent to the address although no setting names them, such as a password that the library
        reads by itself. The address of a logger's store that is not on this machine is then refused from a file, if one is set.
    database: the value is the address of a database. A run's config holds that of an SQLite file with the absolute path. One that is not
        on this machine counts as an address to which PGPASSWORD is sent.
    moment: the value is a date and time (ISO), and None stands for the moment at which a run starts, less `MOMENT_MARGIN` seconds. A run's
        config holds the moment, so that the run reads the same data again.
    determines: whether a run's result depends on the value. With false, as for a budget or a rate of requests, runs that differ in it are
        the same run, and one that was stopped goes on with another value.
    """
    metadata: dict[str, Any] = {"help": help, "ge": ge, "gt": gt, "le": le, "lt": lt, "exists": exists, "path": path}
    metadata["components"], metadata["runs_code"], metadata["variable"] = components, runs_code, variable
    metadata["address"], metadata["sends"], metadata["determines"] = address, tuple(sends), determines
    metadata["database"], metadata["moment"] = database, moment
    metadata["choices"] = tuple(choices) if choices else None
    if default_factory is not dataclasses.MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    if isinstance(default, (list, dict, set)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


MOMENT_MARGIN = 5.0
"""What is written down in these seconds before a run starts may not be complete yet, and is not read."""


def renamed_option(new: str, until: int) -> Any:
    """Declare a field that keeps the old name of an option: a value under it is used under the new name, with a warning.

    `depth: int | None = renamed_option("layers", until=2)`; the factory finds the value in `layers`.

    Parameters
    ----------
    new: the option of the same config that took its place, which has a default.
    until: the version of the plugin interface that will not have the old name.
    """
    return field(default=None, metadata={"help": f"the old name of {new}", "renamed": Renamed(new, until)})


def renamed_options(config: type) -> dict[str, Renamed]:
    """The old names among the fields of a config."""
    return {f.name: f.metadata["renamed"] for f in dataclasses.fields(config) if "renamed" in f.metadata}


LARGEST_INTEGER = 2**63 - 1
"""The largest whole number that tensors hold, and every format that a run is recorded in."""
LARGEST_FLOAT = 3.4e38
"""The largest number of 32 bits, in which losses and weights are computed."""
LARGEST_SEED = LARGEST_INTEGER


def seed_option(default: int, help: str) -> Any:
    """Declare a field that holds a seed: 0 to `LARGEST_SEED`."""
    return option(default, help, ge=0, le=LARGEST_SEED)


@dataclass(frozen=True)
class Option:
    """One documented field of a component's config, as `recframe plugins show` prints it."""

    name: str
    type: str
    default: Any
    help: str
    bounds: str


def options_of(config: type) -> list[Option]:
    """The fields of a config dataclass without old names, in order of declaration."""
    return [
        Option(
            name=f.name,
            type=f.type if isinstance(f.type, str) else getattr(f.type, "__name__", str(f.type)),
            default=f.default if f.default_factory is dataclasses.MISSING else f.default_factory(),
            help=f.metadata.get("help", ""),
            bounds=" and ".join(filter(None, [describe_bounds(f.metadata), "must exist" if f.metadata.get("exists") else ""])),
        )
        for f in dataclasses.fields(config)
        if "renamed" not in f.metadata
    ]


def describe_bounds(metadata: Mapping[str, Any]) -> str:
    """The allowed values of an option in words: `">= 0 and < 1"`, `"one of mean, sum"`, or `""`."""
    if metadata.get("choices"):
        return "one of " + ", ".join(str(choice) for choice in metadata["choices"])
    return " and ".join(f"{sign} {metadata[name]}" for name, (sign, _) in BOUNDS.items() if metadata.get(name) is not None)


def bounds_problems(value: Any, metadata: Mapping[str, Any]) -> Iterator[str]:
    """The problems of an option's value, or of the entries of a list: not finite, too large, out of bounds, or none of the choices."""
    choices = metadata.get("choices")
    for entry in value if isinstance(value, list) else [value]:
        if entry is None:
            continue
        if isinstance(entry, float) and not math.isfinite(entry):
            yield f"{entry} is not allowed; it must be a finite number"
            continue
        within = all(holds(entry, metadata[name]) for name, (_, holds) in BOUNDS.items() if metadata.get(name) is not None)
        if not within or (choices and entry not in choices):
            yield f"{entry!r} is not allowed; it must be {describe_bounds(metadata)}"
        elif isinstance(entry, int) and abs(entry) > LARGEST_INTEGER:
            yield f"{entry!r} is not allowed; a whole number must have 64 bits at most: {LARGEST_INTEGER} is the largest"
        elif isinstance(entry, float) and abs(entry) > LARGEST_FLOAT:
            yield f"{entry!r} is not allowed; a number must have 32 bits at most: {LARGEST_FLOAT:g} is the largest"
