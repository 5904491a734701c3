"""The rules of the source tree hold, and the guards that check them fail where they should."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("recframe", "plugins/recframe_plugins")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS, INDEPENDENT_CORE, PLUGIN_IMPORTS = (contract["name"] for contract in CONTRACTS)
# what plugins may import; computed, errors, feedback, files and references are for the built-in ones only, deprecations is behind
# components, lean_imports behind interfaces, and lazy_imports behind item_codes
ALLOWED = {
    "feedback",
    "logs",
    "log_settings",
    "agent_options",
    "components",
    "computed",
    "deprecations",
    "errors",
    "files",
    "hookspecs",
    "interfaces",
    "item_agents",
    "item_codes",
    "endpoints",
    "language_models",
    "lazy_imports",
    "lean_imports",
    "llm",
    "references",
    "report_cards",
}
SAME_NAME_ALLOWED = {
    "evaluate",
    "pretrain",
    "fetch",
    "describe",
    "direct_method",
    "doubly_robust",
    "run",
    "resume",
    "build",
    "export",
    "pull",
    "push",
}
"""A command, and a function of the Python API, has the name of the function that it calls, or of what it does. An off-policy estimator of
sessions has the name of that of single items, and both are written with the name of their module."""


@pytest.fixture
def source_copy(tmp_path) -> Path:
    for name in SOURCES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken_contracts(folder: Path) -> set[str]:
    """The names of the import-linter contracts that the sources in the folder break."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "plugins")]), "COLUMNS": "200"}
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    broken = {contract["name"] for contract in CONTRACTS if f"{contract['name']} BROKEN" in done.stdout}
    kept = {contract["name"] for contract in CONTRACTS if f"{contract['name']} KEPT" in done.stdout}
    assert len(broken) + len(kept) == len(CONTRACTS), done.stdout + done.stderr
    return broken


def test_the_sources_keep_every_import_contract(source_copy):
    assert broken_contracts(source_copy) == set()


@pytest.mark.parametrize(
    ("module", "source", "contract"),
    [
        ("recframe/evaluation/probe.py", "import recframe.runner\n", LAYERS),
        ("recframe/stray.py", "", LAYERS),
        ("recframe/experience/probe.py", "import recframe_plugins.agents\n", INDEPENDENT_CORE),
        ("plugins/recframe_plugins/agents/probe.py", "import recframe.runner\n", PLUGIN_IMPORTS),
    ],
    ids=["an import of a higher layer", "a module outside the layers", "the core imports a plugin", "a plugin imports the runner"],
)
def test_a_planted_violation_breaks_its_import_contract(source_copy, module, source, contract):
    (source_copy / module).write_text(source)
    assert broken_contracts(source_copy) == {contract}


def test_every_submodule_is_either_allowed_or_forbidden_to_plugins():
    submodules = {path.stem for path in (ROOT / "recframe").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    (forbidden,) = (contract["forbidden_modules"] for contract in CONTRACTS if contract["name"] == PLUGIN_IMPORTS)
    parts = {name.removeprefix("recframe.") for name in forbidden}
    # of an allowed package, a part may be forbidden
    whole = {name for name in parts if "." not in name}
    assert ALLOWED.isdisjoint(whole)
    assert {name.partition(".")[0] for name in parts - whole} <= ALLOWED
    assert ALLOWED | whole == submodules - {"__init__"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """The path of each module below the project's root, and its syntax tree."""
    for name in SOURCES:
        for path in sorted((ROOT / name).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def test_no_two_public_classes_or_functions_have_the_same_name():
    places = defaultdict(list)
    for path, tree in modules():
        for node in tree.body:
            # hook implementations have the names of their hooks
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith(("_", "recframe_")):
                places[node.name].append(path)
    repeated = {name: paths for name, paths in places.items() if len(paths) > 1 and name not in SAME_NAME_ALLOWED}
    assert repeated == {}


def test_no_named_tuple_has_a_field_that_hides_a_method_of_tuples():
    fields = [
        f"{path}: {cls.name}.{statement.target.id}"
        for path, tree in modules()
        for cls in ast.walk(tree)
        if isinstance(cls, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in cls.bases)
        for statement in cls.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.target.id in ("count", "index")
    ]
    assert fields == []


def test_nothing_that_git_ignores_is_in_the_repository():
    if not (ROOT / ".git").exists():
        pytest.skip("these are the sources of a release, which are in no repository")
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed.stdout.splitlines() == []
