"""What plugin authors see of recframe.interfaces: complete exports, and help() that begins with what to implement."""

import ast
import importlib
import inspect
import pkgutil
import pydoc
import re
from itertools import takewhile

import pytest

from recframe import interfaces, item_agents, testing
from recframe.interfaces import Agent, Dataset, Encoder, Environment, LanguageModel, Reward, StateTracker, Tunable


def modules(package):
    return [importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]


def test_every_public_class_and_function_is_exported():
    public = {
        name
        for module in modules(interfaces)
        for name, value in vars(module).items()
        if not name.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__
    }
    assert public - set(interfaces.__all__) == set()


INTERFACES = [Dataset, Encoder, StateTracker, Agent, Environment, Reward, LanguageModel, Tunable]


def own_abstract(interface) -> set[str]:
    return {name for name in interface.__abstractmethods__ if name in vars(interface)}


@pytest.mark.parametrize("interface", INTERFACES)
def test_help_begins_with_what_an_author_must_implement(interface):
    _, _, heading, _, *lines = inspect.getdoc(interface).splitlines()
    assert heading.startswith("Implement")
    listed = {match.group(1) for line in takewhile(bool, lines) if (match := re.match(r"- `(\w+)", line))}
    assert own_abstract(interface) <= listed
    # help() shows the docstring below the class's name and constructor
    assert any(heading in line for line in pydoc.plain(pydoc.render_doc(interface)).splitlines()[:9])


@pytest.mark.parametrize("interface", INTERFACES)
def test_abstract_members_come_first_in_the_class_body(interface):
    body = [name for name, value in vars(interface).items() if callable(value) or isinstance(value, (property, classmethod))]
    members = [name for name in body if not name.startswith("__") or name in ("__init__", "__call__")]
    abstract = own_abstract(interface)
    assert set(members[: len(abstract)]) == abstract


def messages(module):
    """The strings in the module's source: messages, the parts of f-strings, docstrings."""
    constants = (node.value for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Constant))
    return [value for value in constants if isinstance(value, str)]


@pytest.mark.parametrize("module", modules(testing), ids=lambda module: module.__name__)
def test_every_name_that_a_checks_message_advises_exists(module):
    for text in messages(module):
        for path in re.findall(r"\brecframe(?:\.\w+)+", text):
            parent, _, name = path.rpartition(".")
            assert hasattr(importlib.import_module(parent), name), path
        # a name of two or more words in capitals, such as FrozenTable, is a class of the interfaces, the building blocks or the checks
        for name in re.findall(r"(?<![\w.])(?:[A-Z][a-z]+){2,}\b", text):
            assert any(hasattr(place, name) for place in (interfaces, item_agents, testing, module)), name
