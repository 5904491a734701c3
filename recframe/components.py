"""What a plugin registers: a `Component` of one of six `Kind`s, and the `option`s its config dataclass is made of.

This module is imported by every plugin's registration module, so it must stay light: standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from string import Formatter
from typing import Any

from recframe.errors import UserError

__all__ = ["TAGS", "Component", "ComponentError", "Kind", "Option", "contradictions", "node", "option", "options_of", "require_consistent"]


class Kind(StrEnum):
    """The six kinds of component a run is composed of."""

    DATASET = "dataset"
    ENCODER = "encoder"
    STATE_TRACKER = "state_tracker"
    AGENT = "agent"
    ENVIRONMENT = "environment"
    REWARD = "reward"


class ComponentError(UserError, ValueError):
    """A component that was declared wrongly; the message says what and how to mend it."""


# The tags that components give and need, and how an error message puts each into words. `Component.requires` may also name
# alternatives ("actions:items|actions:continuous": either will do). A plugin may invent tags of its own;
# these are the ones the built-in components and the core use. Prefixes ending in ":" stand for a family.
TAGS: Mapping[str, str] = {
    "interactions": "logged interactions of users with items",
    "rating_matrix": "a rating of every item by every user",
    "catalog": "items of the environment's own, in place of the dataset's",
    "features": "observations with raw numbers",
    "users": "users with text profiles",
    "utterances": "texts that users may say, each with its intent and sentiment",
    "context": "observations with a text of what the user says",
    "label:": "a label of that name",
    "attribute:": "a catalogue attribute of that name",
    "signal:": "a response signal of that name",
    "actions:items": "actions that are item numbers",
    "actions:continuous": "actions that are real vectors",
    "slates": "slates of more than one item",
    "experience:replay": "transitions sampled from a replay memory",
    "experience:rollout": "fresh on-policy rollouts",
    "no_texts": "vectors of length 0, because no text is read",
    "pretraining": "a language model that `recframe pretrain` can train",
    "truth": "the true expected response to every item (for the oracle)",
}


# Settings that the core itself reads, whichever component of the kind is chosen: all of them integers.
CORE_SETTINGS: Mapping[Kind, str] = {Kind.ENVIRONMENT: "num_users", Kind.STATE_TRACKER: "history_length"}


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
    components: bool = False,
) -> Any:
    """A field of a component's config: its default, its meaning, and the values it may take.

    `ge`, `gt`, `le`, `lt` bound a number (inclusive and exclusive); `choices` lists the allowed values; `exists` marks a path
    that must be there. All of them are
    checked before a run starts, and shown by `recframe plugins show`. For a list field the bounds hold for each entry;
    `components` marks a `dict[str, Any]` of other components of the same kind, by names that the user chooses: each is a section like
    the component's own, checked like it, and the factory finds in its place the component that the core has built of it.
    `None` passes where the field's type allows it. A field declared without a default is a mandatory one: its type is written
    as usual and `default=omegaconf.MISSING` ("???") marks it.
    """
    metadata: dict[str, Any] = {"help": help, "ge": ge, "gt": gt, "le": le, "lt": lt, "exists": exists, "components": components}
    metadata["choices"] = tuple(choices) if choices else None
    if default_factory is not dataclasses.MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    if isinstance(default, (list, dict, set)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def contradictions(config: object) -> list[str]:
    """What is wrong with the settings of a component's config taken together, one line each, with full keys.

    Each class that the config inherits from may have a method `contradictions()` that yields such lines. They are asked before a
    run starts; a constructor that wants to be used without one may call `require_consistent`.
    """
    return [line for cls in reversed(type(config).__mro__) if "contradictions" in vars(cls) for line in vars(cls)["contradictions"](config)]


def require_consistent(config: object) -> None:
    """Raise `ValueError` with the config's contradictions, if it has any."""
    lines = contradictions(config)
    if lines:
        raise ValueError("; ".join(lines))


def nested_sections(config: type, settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The sections of other components that a component's `settings` hold: their keys below the component's own, and the sections."""
    fields = [f.name for f in dataclasses.fields(config) if f.metadata.get("components")]
    return [(f"{field}.{name}", section) for field in fields for name, section in (settings.get(field) or {}).items()]


@dataclass(frozen=True)
class Option:
    """One documented field of a component's config, as `recframe plugins show` prints it."""

    name: str
    type: str
    default: Any
    help: str
    bounds: str


def options_of(config: type) -> list[Option]:
    """The fields of a config dataclass, in order of declaration."""
    return [
        Option(
            name=f.name,
            type=f.type if isinstance(f.type, str) else getattr(f.type, "__name__", str(f.type)),
            default=f.default if f.default_factory is dataclasses.MISSING else f.default_factory(),
            help=f.metadata.get("help", ""),
            bounds=describe_bounds(f.metadata),
        )
        for f in dataclasses.fields(config)
    ]


def describe_bounds(metadata: Mapping[str, Any]) -> str:
    """The allowed values of an option in words: `">= 0 and < 1"`, `"one of mean, sum"`, or `""`."""
    if metadata.get("choices"):
        return "one of " + ", ".join(str(choice) for choice in metadata["choices"])
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return " and ".join(f"{sign} {metadata[key]}" for key, sign in signs.items() if metadata.get(key) is not None)


@dataclass(frozen=True)
class Component:
    """One thing a plugin offers: a named implementation of a kind.

    Parameters
    ----------
    kind: what it is; a `Kind` or its string.
    name: what configs call it (`agent=dqn`); a lower-case Python identifier.
    config: a dataclass *type* whose fields all have defaults and are declared with `option`. An environment's has a field
        `num_users: int`, a state tracker's a field `history_length: int`: the core reads them, so a plugin without them is left out.
    factory: `"package.module:Class"`, imported only when a run builds the component. What it is called with is
        documented at the kind's interface in `recframe.interfaces`.
    provides: tags for what it gives to the others in a run; `"features?observe_interests"` is given if that setting of its own is true.
        An environment that has either kind of actions, depending on its settings, provides both `actions:` tags, and its config may have a
        method `action_kind()` that returns "items", "continuous" or None (unknown before it is built).
    requires: tags that some other part of the run must provide; `"a|b"` is satisfied by either, `"attribute:{column}"` is filled in from
        the component's own setting `column` (null: no such requirement), and `"utterances?says"` is required if its setting `says` is true.
    description: one line for `recframe plugins`; by default the first line of the config's docstring.

    Raises
    ------
    ComponentError: if the declaration cannot work; the message names the component and the mend.
    """

    kind: Kind
    name: str
    config: type
    factory: str
    provides: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    description: str = ""

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "kind", Kind(self.kind))
        except ValueError:
            kinds = ", ".join(kind.value for kind in Kind)
            raise ComponentError(f"component {self.name!r}: unknown kind {self.kind!r}; the kinds are {kinds}") from None
        where = f"{self.kind} {self.name!r}"
        if not (isinstance(self.name, str) and self.name.isidentifier() and self.name == self.name.lower()):
            raise ComponentError(f"{where}: a name is a lower-case Python identifier, such as 'my_{self.kind}'")
        if not (isinstance(self.config, type) and dataclasses.is_dataclass(self.config)):
            raise ComponentError(f"{where}: config must be a dataclass type, not {self.config!r}")
        for f in dataclasses.fields(self.config):
            if f.name == "name":
                raise ComponentError(f"{where}: the field 'name' of {self.config.__name__} is taken: it holds the component's name")
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
                raise ComponentError(f"{where}: field {f.name!r} of {self.config.__name__} needs a default ('???' makes it mandatory)")
            if f.metadata.get("components") and f.default_factory is dataclasses.MISSING:
                raise ComponentError(f"{where}: field {f.name!r} of {self.config.__name__} holds components: its default is a dict, {{}}")
        if getattr(self.config, "__dataclass_params__").frozen:  # noqa: B009  # unknown to type checkers
            raise ComponentError(f"{where}: {self.config.__name__} must not be frozen, or no setting of it could be overridden")
        module, _, attribute = self.factory.partition(":")
        if not (module and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))):
            raise ComponentError(f"{where}: factory must read 'package.module:Class', not {self.factory!r}")
        for tags in ("provides", "requires"):
            if isinstance(getattr(self, tags), str):
                raise ComponentError(f"{where}: {tags} is a set of tags, not one string")
            object.__setattr__(self, tags, frozenset(getattr(self, tags)))
        if not self.description:
            doc = (self.config.__doc__ or "").strip()
            # a dataclass without a docstring gets its signature as one, which describes nothing
            first = "" if doc.startswith(f"{self.config.__name__}(") else doc.partition("\n")[0]
            object.__setattr__(self, "description", first)

    def given(self, settings: Mapping[str, Any]) -> set[str]:
        """The tags that it provides under its settings."""
        return set(_applying(self.provides, settings))

    def required(self, settings: Mapping[str, Any]) -> set[str]:
        """The tags that it requires under its settings, filled in."""
        tags = [tag for tag in _applying(self.requires, settings) if all(settings.get(name) is not None for name in _named(tag))]
        return {tag.format_map(settings) for tag in tags}

    @property
    def deciding_settings(self) -> set[str]:
        """The settings that its tags depend on."""
        tags = self.provides | self.requires
        return {name for tag in tags for name in (*_named(tag), tag.partition("?")[2]) if name}


def _applying(tags: frozenset[str], settings: Mapping[str, Any]) -> Iterator[str]:
    """Of "tag?setting" those whose setting is true, or, if it is a number, not zero."""
    for tag, _, setting in (tag.partition("?") for tag in tags):
        if not setting or settings.get(setting):
            yield tag


def _named(tag: str) -> list[str]:
    """The settings that a tag is filled in from."""
    return [name for _, name, _, _ in Formatter().parse(tag) if name]


@cache
def node(component: Component) -> type:
    """The dataclass that stands in a config for a component: its own fields, its `name`, and a reward's `weight`."""
    fields: list[tuple[str, type, dataclasses.Field[object]]] = [("name", str, option(component.name, "which component this is"))]
    if component.kind is Kind.REWARD:
        fields.append(("weight", float, option(1.0, "factor of this term in the reward")))
    return dataclasses.make_dataclass(component.config.__name__, fields, bases=(component.config,))
