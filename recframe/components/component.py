"""`Component`: what a plugin registers, and the config section that stands for it in a run."""

from __future__ import annotations

import copyreg
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from recframe.components.kind import Kind
from recframe.components.options import option
from recframe.components.tags import active_tags, filled_in, settings_of, with_new_names
from recframe.errors import UserError


class ComponentError(UserError, ValueError):
    """A component that is declared wrongly; the message says what is wrong and how to fix it."""


@dataclass(frozen=True, init=False)
class Component:
    """One thing that a plugin offers: a named implementation of a kind.

    Parameters
    ----------
    kind: a `Kind` or its string.
    name: the name in configs (`agent=dqn`); a lower-case Python identifier.
    config: a dataclass *type* whose fields all have defaults and are declared with `option`. It has no field `name`, and a reward's has no
        field `weight`: the core adds these. An environment's has a field `num_users: int` and a state tracker's a field
        `history_length: int`: the core reads them, and a plugin without them is not loaded.
    factory: `"package.module:Class"`, imported only when a run builds the component. Its arguments are documented at the kind's
        interface in `recframe.interfaces`. For `recframe.registered`, which needs no plugin, it may be the class itself.
    provides: tags for what it gives to the others in a run. `"features?observe_interests"` is given if its own setting
        `observe_interests` is true.
        An environment that has either kind of actions, depending on its settings, provides both `actions:` tags, and its config may have a
        method `action_kind()` that returns "items", "continuous" or None (unknown before it is built).
    requires: tags that some other part of the run must provide. `"a|b"` is satisfied by either, `"attribute:{column}"` is filled in from
        the component's own setting `column` (null: no such requirement), and `"utterances?says"` is required if its setting `says` is true.
    description: one line for `recframe plugins`; by default the first line of the config's docstring.
    state_tracker: of an environment, the name of the state tracker of its runs, unless they, their agent or their experiment choose one.

    Raises
    ------
    ComponentError: if the declaration cannot work; the message names the component and the fix.
    """

    kind: Kind
    name: str
    config: type
    factory: str
    provides: frozenset[str]
    requires: frozenset[str]
    description: str
    state_tracker: str | None = None
    implementation: Callable[..., Any] | None = field(default=None, repr=False)
    """The class itself, if `factory` was one; it is then not imported."""

    def __init__(
        self,
        kind: Kind | str,
        name: str,
        config: type,
        factory: str | Callable[..., Any],
        provides: Iterable[str] = (),
        requires: Iterable[str] = (),
        description: str = "",
        implementation: Callable[..., Any] | None = None,
        state_tracker: str | None = None,
    ) -> None:
        try:
            kind = Kind(kind)
        except ValueError:
            kinds = ", ".join(known.value for known in Kind)
            raise ComponentError(f"component {name!r}: unknown kind {kind!r}; the kinds are {kinds}") from None
        check_config(kind, name, config)
        if callable(factory):
            if not hasattr(factory, "__qualname__"):
                called = type(factory).__name__
                raise ComponentError(
                    f"{kind} {name!r}: factory must be a class or a function, not an instance of {called}; give {called} itself"
                )
            implementation = factory
            factory = f"{implementation.__module__}:{implementation.__qualname__}"
        if implementation is None:
            check_factory(kind, name, factory)
        where = f"{kind} {name!r}"
        if state_tracker is not None and kind is not Kind.ENVIRONMENT:
            raise ComponentError(f"{where}: only an environment names the state_tracker that suits it; leave state_tracker out")
        if not (state_tracker is None or (isinstance(state_tracker, str) and state_tracker.isidentifier())):
            raise ComponentError(f"{where}: state_tracker is the name of a state tracker, such as 'gru', not {state_tracker!r}")
        for given, tags in (("provides", provides), ("requires", requires)):
            if isinstance(tags, str) or not isinstance(tags, Iterable):
                raise ComponentError(f"{where}: {given} is a set of tags, not {'one string' if isinstance(tags, str) else repr(tags)}")
        values = {"kind": kind, "name": name, "config": config, "factory": factory, "description": description or first_line(config)}
        values |= {"provides": with_new_names(set(provides), where), "requires": with_new_names(set(requires), where)}
        values |= {"implementation": implementation, "state_tracker": state_tracker}
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    def given(self, settings: Mapping[str, Any]) -> set[str]:
        """The tags that it provides under its settings."""
        return set(active_tags(self.provides, settings))

    def required(self, settings: Mapping[str, Any]) -> set[str]:
        """The tags that it requires under its settings, filled in."""
        return filled_in(active_tags(self.requires, settings), settings)

    @property
    def deciding_settings(self) -> set[str]:
        """The settings that its tags depend on."""
        return settings_of(self.provides | self.requires)


_nodes: WeakKeyDictionary[Component, type] = WeakKeyDictionary()

# A node has no module to be imported from, so launchers send it to other processes, and back with the config of a job, by its contents;
# its fields must still have the one sentinel that dataclasses compare with.
copyreg.pickle(type(dataclasses.MISSING), lambda missing: "MISSING")


def node(component: Component) -> type:
    """The dataclass of a component's config section: its own fields, its `name`, and a reward's `weight`. It is made once."""
    if component not in _nodes:
        _nodes[component] = _made_node(component)
    return _nodes[component]


def _made_node(component: Component) -> type:
    fields: list[tuple[str, type, dataclasses.Field[object]]] = [("name", str, option(component.name, "which component this is"))]
    if component.kind is Kind.REWARD:
        fields.append(("weight", float, option(1.0, "factor of this term in the reward")))
    return dataclasses.make_dataclass(component.config.__name__, fields, bases=(component.config,))


def nested_sections(config: type, settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The sections of other components in a component's `settings`, each with its key below the component's own."""
    fields = [f.name for f in dataclasses.fields(config) if f.metadata.get("components")]
    return [(f"{field}.{name}", section) for field in fields for name, section in (settings.get(field) or {}).items()]


def check_config(kind: str, name: str, config: Any) -> None:
    """Refuse what cannot be the name or the config of a component or logger."""
    where = f"{kind} {name!r}"
    if not (isinstance(name, str) and name.isidentifier() and name == name.lower()):
        raise ComponentError(f"{where}: a name is a lower-case Python identifier, such as 'my_{kind}'")
    if not (isinstance(config, type) and dataclasses.is_dataclass(config)):
        advice = ": decorate it with @dataclass" if isinstance(config, type) and config.__module__ != "builtins" else ""
        raise ComponentError(f"{where}: config must be a dataclass type, not {config!r}{advice}")
    own_name = {"name": "the component's name"} if kind in list(Kind) else {}
    reserved = own_name | ({"weight": "the term's factor in the reward"} if kind == Kind.REWARD else {})
    for f in dataclasses.fields(config):
        if f.name in reserved:
            raise ComponentError(f"{where}: the field {f.name!r} of {config.__name__} is reserved: it holds {reserved[f.name]}; rename it")
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise ComponentError(f"{where}: field {f.name!r} of {config.__name__} needs a default ('???' makes it mandatory)")
        if f.metadata.get("components") and f.default_factory is dataclasses.MISSING:
            raise ComponentError(f"{where}: field {f.name!r} of {config.__name__} holds components: its default is a dict, {{}}")
    if getattr(config, "__dataclass_params__").frozen:  # noqa: B009  # unknown to type checkers
        raise ComponentError(f"{where}: {config.__name__} must not be frozen: its settings could not be overridden")


def check_factory(kind: str, name: str, factory: Any) -> None:
    """Refuse what cannot name a class or function of a module."""
    module, _, attribute = factory.partition(":") if isinstance(factory, str) else ("", "", "")
    if not (module and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise ComponentError(f"{kind} {name!r}: factory must read 'package.module:Class', not {factory!r}")


def first_line(config: type) -> str:
    """The first line of a config's docstring."""
    doc = (config.__doc__ or "").strip()
    # a dataclass without a docstring gets its signature as one, which describes nothing
    return "" if doc.startswith(f"{config.__name__}(") else doc.partition("\n")[0]
