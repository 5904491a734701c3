"""YAML that people write, read with text settings as they are written: `name: 1e5` is the text "1e5", `dataset.path: 2024_01` a path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml
from omegaconf._utils import get_yaml_loader

from recframe.config.app import App
from recframe.config.apps import APPS
from recframe.config.problems import ConfigError
from recframe.config.schema.declared import Declared, declared_at, has_text_keys, holds_integer, holds_text

MAX_VALUES = 100_000
"""The largest number of values that aliases may add to a file."""

DEEPEST = 300
"""The largest number of brackets within one another."""
BRACKETS = re.compile(r"[\[\]{}]")
NESTED = "its values are nested without end, or hundreds of levels deep; write them out"

TEXT_TAG, INTEGER_TAG, FLOAT_TAG, MERGE_TAG = (f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "merge"))
NOTHING = ("null", "~", "")
"""How YAML's null is written where text is expected; other spellings, such as NULL, are text there, as on the command line."""

HYDRA_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")


def read_yaml(text: str, name: str, prefix: str = "", apps: Sequence[App] = tuple(APPS.values())) -> Any:
    """The content of a YAML file.

    Parameters
    ----------
    name: of the file, for errors.     prefix: the key under which its values are merged into the config.
    apps: those whose settings the file may hold.

    Raises
    ------
    ConfigError: if its aliases repeat values without end.     yaml.YAMLError: if it is not YAML.
    """
    tree, loader = read_tree(text, name, prefix, apps)
    return None if tree is None else loader.construct_document(tree)


def read_tree(text: str, name: str, prefix: str = "", apps: Sequence[App] = tuple(APPS.values())) -> tuple[yaml.Node | None, Any]:
    """The nodes of a YAML file, in which text settings have the tag of text, and the loader that constructs their values."""
    require_shallow(text, name)
    loader = get_yaml_loader()(text)
    loader.name = name
    try:
        tree = loader.get_single_node()
    except RecursionError:
        raise ConfigError([f"{name}: {NESTED}"]) from None
    if tree is None:
        return None, loader
    require_written_out(tree, name)
    return _as_written(tree, tuple(part for part in prefix.split(".") if part), apps), loader


def require_shallow(text: str, name: str) -> None:
    """Raise `ConfigError` for a file with brackets in brackets in brackets, whose time to read grows with the square of their number."""
    depth = 0
    for bracket in BRACKETS.findall(text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > DEEPEST:
            raise ConfigError([f"{name}: {NESTED}"])


def require_written_out(tree: yaml.Node, name: str) -> None:
    """Raise `ConfigError` for a file in which aliases repeat values without end, or so often that reading it would not end."""
    written: dict[int, int] = {}
    try:
        count = _count(tree, written, set())
    except RecursionError:
        raise ConfigError([f"{name}: {NESTED}"]) from None
    # a long file without aliases is fine
    if count - len(written) > MAX_VALUES:
        raise ConfigError([f"{name}: aliases (*name) repeat its values without end, or more than {MAX_VALUES:,} times; write them out"])


def places_at(key: Sequence[str], apps: Sequence[App]) -> list[Declared]:
    """What the apps declare at a key."""
    if ".".join(key) in HYDRA_FOLDERS:
        return [Declared(str)]
    return [place for app in apps for place in declared_at(key, app.schema, app.sections)]


def _count(tree: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """The number of values, if each alias is written out. An alias of a node that contains it has no end."""
    if id(tree) in known:
        return known[id(tree)]
    if id(tree) in above:
        return 10**9
    children: list[yaml.Node] = []
    if isinstance(tree, yaml.MappingNode):
        children = [node for pair in tree.value for node in pair]
    elif isinstance(tree, yaml.SequenceNode):
        children = tree.value
    above.add(id(tree))
    known[id(tree)] = 1 + sum(_count(child, known, above) for child in children)
    above.discard(id(tree))
    return known[id(tree)]


def _as_written(tree: yaml.Node, key: tuple[str, ...], apps: Sequence[App]) -> yaml.Node:
    """A copy of the node at a key. It is a copy, because an alias may repeat the node where another type is expected."""
    if isinstance(tree, yaml.SequenceNode):
        inner = [_as_written(child, (*key, str(index)), apps) for index, child in enumerate(tree.value)]
        return yaml.SequenceNode(tree.tag, inner, tree.start_mark, tree.end_mark)
    if isinstance(tree, yaml.MappingNode):
        named = has_text_keys(places_at(key, apps))
        pairs = []
        for name, value in tree.value:
            below = key if name.tag == MERGE_TAG else (*key, str(name.value))
            spelt = _text(name) if named and isinstance(name, yaml.ScalarNode) and name.tag != MERGE_TAG else name
            pairs.append((spelt, _text_of_all(value) if below == ("defaults",) else _as_written(value, below, apps)))
        return yaml.MappingNode(tree.tag, pairs, tree.start_mark, tree.end_mark)
    if not isinstance(tree, yaml.ScalarNode) or tree.style is not None or not tree.tag.startswith("tag:yaml.org"):
        return tree
    return tree if tree.tag == TEXT_TAG or tree.value in NOTHING else _scalar_as_written(tree, places_at(key, apps))


def _scalar_as_written(node: yaml.ScalarNode, places: Sequence[Declared]) -> yaml.ScalarNode:
    if holds_text(places):
        return _text(node)
    if node.tag == FLOAT_TAG and holds_integer(places) and (whole := whole_number(node.value)) is not None:
        return yaml.ScalarNode(INTEGER_TAG, str(whole), node.start_mark, node.end_mark)
    return node


def whole_number(text: str) -> int | None:
    """The integer that text such as `1e3` stands for, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else None


def _text(node: yaml.ScalarNode) -> yaml.ScalarNode:
    return yaml.ScalarNode(TEXT_TAG, node.value, node.start_mark, node.end_mark, node.style)


def _text_of_all(tree: yaml.Node) -> yaml.Node:
    """The nodes of a defaults list, which holds names."""
    if isinstance(tree, yaml.SequenceNode):
        return yaml.SequenceNode(tree.tag, [_text_of_all(child) for child in tree.value], tree.start_mark, tree.end_mark)
    if isinstance(tree, yaml.MappingNode):
        pairs = [(_text_of_all(name), _text_of_all(value)) for name, value in tree.value]
        return yaml.MappingNode(tree.tag, pairs, tree.start_mark, tree.end_mark)
    return _text(tree) if isinstance(tree, yaml.ScalarNode) and tree.value not in NOTHING else tree
