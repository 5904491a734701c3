"""The reference of the hooks and of the public modules, from their source text: importing them would import torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reference_markdown import WIDTH, cell, escaped, prose, wrapped

from recframe.components import TAGS

PROJECT = Path(__file__).resolve().parents[1]

# modules that plugins and scripts may import: the page, its title, and how the module is meant to be used
MODULES: Mapping[str, tuple[str, str, str]] = {
    "recframe": ("python_api", "recframe", "The Python API: runs, components and trained policies, as attributes of `recframe`."),
    "recframe.components": ("components", "recframe.components", "How a plugin declares its components and their options."),
    "recframe.interfaces": ("interfaces", "recframe.interfaces", "The base class of each kind of component, and the types they exchange."),
    "recframe.item_agents": ("item_agents", "recframe.item_agents", "Building blocks for agents that choose items."),
    "recframe.agent_options": ("agent_options", "recframe.agent_options", "Options that several agents share; imports no torch."),
    "recframe.testing": ("testing", "recframe.testing", "Conformance checks for a plugin's own tests."),
    "recframe.runner": ("runner", "recframe.runner", "A run from Python: train, resume, evaluate."),
    "recframe.config": ("config", "recframe.config", "Composing a run's config from Python."),
    "recframe.gym": ("gym", "recframe.gym", "The simulators as Gymnasium environments."),
}

# packages of which only these names are public
ONLY: Mapping[str, set[str]] = {"recframe.config": {"compose_config"}}


def hooks_page() -> str:
    """Every hook with its signature."""
    intro = (
        "A plugin implements a hook by a function of its name and arguments, decorated with `recframe.hookspecs.hookimpl`. "
        "Arguments may be left out, not renamed or added."
    )
    parts = ["# Hooks", wrapped(intro)]
    tree = ast.parse((PROJECT / "recframe" / "hookspecs.py").read_text())
    for node in (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("recframe_")):
        parts += [f"## {node.name}", f"```python\n{signature(node)}\n```", prose(ast.get_docstring(node) or "")]
    return "\n\n".join(parts)


def module_page(module: str, title: str, use: str) -> str:
    """What a public module or package offers: its exported names, or, of a package that exports none, all public names of its modules."""
    parts = [f"# {title}", wrapped(use)]
    if module == "recframe.components":
        rows = [f"| `{tag}` | {cell(meaning)} |" for tag, meaning in TAGS.items()]
        parts += ["## Tags", "\n".join(["| tag | meaning |", "|---|---|", *rows])]
    path = PROJECT / module.replace(".", "/")
    if not path.is_dir():
        return "\n\n".join(parts + list(definitions(path.with_suffix(".py"), None)))
    package = ast.parse((path / "__init__.py").read_text())
    parts.append(prose("\n".join((ast.get_docstring(package) or "").splitlines()[1:])))
    exports: dict[str, set[str]] = {}
    # lazy names are imported for type checkers only
    for node in (node for node in ast.walk(package) if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(module)):
        exports.setdefault(str(node.module), set()).update(
            alias.name for alias in node.names if alias.name in ONLY.get(module, {alias.name})
        )
    for file in sorted(path.rglob("*.py")):
        name = ".".join([module, *file.relative_to(path).with_suffix("").parts])
        if file.stem == "__init__" or (exports and name not in exports):
            continue
        found = list(definitions(file, exports.get(name), level=3))
        doc = ast.get_docstring(ast.parse(file.read_text())) or ""
        heading = f"## {file.name}" if exports else f"## {name}"
        parts += [heading, "" if module in ONLY else prose(doc), *found] if found else []
    return "\n\n".join(part for part in parts if part)


def definitions(file: Path, names: set[str] | None, level: int = 2) -> Iterator[str]:
    """The public classes and functions of a module (of `names`, or of its `__all__`), in order."""
    tree = ast.parse(file.read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and code(node.targets[0]) == "__all__" and names is None:
            names = set(ast.literal_eval(node.value))
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_") and (names is None or node.name in names):
            document: Callable[[Any], Iterator[str]] = document_class if isinstance(node, ast.ClassDef) else document_function
            yield "\n\n".join(["#" * level + f" {node.name}", *filter(None, document(node))])


def document_function(node: ast.FunctionDef) -> Iterator[str]:
    """Signature and docstring."""
    yield f"```python\n{signature(node)}\n```"
    yield prose(ast.get_docstring(node) or "")


def document_class(node: ast.ClassDef) -> Iterator[str]:
    """Bases and fields, docstring, then the public methods: first those that a subclass has to implement."""
    declared = [line for line in node.body if isinstance(line, ast.AnnAssign)]
    fields = [f"    {code(line.target)}: {code(line.annotation)}{default_of(line)}" for line in declared]
    methods = [line for line in node.body if isinstance(line, ast.FunctionDef)]
    constructor = [f"    {signature(method)}" for method in methods if method.name == "__init__"]
    bases = f"({', '.join(code(base) for base in node.bases)})" if node.bases else ""
    dataclass = any("dataclass" in code(line) for line in node.decorator_list)
    body = [*fields, *constructor]
    yield (
        "```python\n"
        + "\n".join([*(["@dataclass"] if dataclass else []), f"class {node.name}{bases}{':' if body else ''}", *body])
        + "\n```"
    )
    yield prose(ast.get_docstring(node) or "")
    helps = [(code(line.target), help_of(line)) for line in declared]
    yield "\n".join(wrapped(f"`{name}`: {escaped(text)}", "  ", "- ") for name, text in helps if text)
    public = [m for m in methods if (not m.name.startswith("_") or m.name == "__call__") and ast.get_docstring(m)]
    for method in sorted(public, key=lambda m: not is_abstract(m)):
        kinds = [
            kind for kind, holds in (("must be implemented", is_abstract(method)), ("property", decorated(method, "property"))) if holds
        ]
        yield wrapped(f"**`{method.name}`**" + (f" ({', '.join(kinds)})" if kinds else ""))
        yield f"```python\n{signature(method)}\n```"
        yield prose(ast.get_docstring(method) or "")


def is_option(value: ast.expr | None) -> bool:
    """Whether a field's value is a call of `recframe.components.option`."""
    return isinstance(value, ast.Call) and code(value.func) == "option"


def default_of(line: ast.AnnAssign) -> str:
    """The default of a field, with the sign of equality, or ''."""
    value = line.value.args[0] if isinstance(line.value, ast.Call) and is_option(line.value) else line.value
    return f" = {code(value)}" if value is not None else ""


def help_of(line: ast.AnnAssign) -> str:
    """The meaning of a field that is an option, or ''."""
    return str(ast.literal_eval(line.value.args[1])) if isinstance(line.value, ast.Call) and is_option(line.value) else ""


def is_abstract(method: ast.FunctionDef) -> bool:
    """Whether subclasses have to implement it."""
    return decorated(method, "abstractmethod")


def decorated(method: ast.FunctionDef, decorator: str) -> bool:
    """Whether it carries a decorator of that name."""
    return any(code(line) == decorator for line in method.decorator_list)


def signature(node: ast.FunctionDef) -> str:
    """The `def` line, its arguments on lines of their own where one line would be too long."""
    returns = f" -> {code(node.returns)}" if node.returns else ""
    line = f"def {node.name}({code(node.args)}){returns}"
    if len(line) <= WIDTH:
        return line
    arguments = re.split(r", (?![^\[(]*[\])])", code(node.args))
    return "\n".join([f"def {node.name}(", *(f"    {argument}," for argument in arguments), f"){returns}"])


def code(node: ast.AST) -> str:
    """A part of the source as one line, with double quotes."""
    text = ast.unparse(node)
    return text if '"' in text else text.replace("'", '"')
