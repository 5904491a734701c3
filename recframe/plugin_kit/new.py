"""A new plugin from the template: a package that installs, is found, and passes its own tests."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from packaging.version import Version

from recframe import __version__
from recframe.components import Kind
from recframe.errors import UserError
from recframe.plugin_kit.names import PluginNames
from recframe.plugin_loader import registry

TEMPLATE = Path(__file__).with_name("template")

# what the template's components give and need; see `Component`
PROVIDES: dict[Kind, set[str]] = {
    Kind.DATASET: {"interactions", "attribute:topics"},
    Kind.AGENT: {"slates", "ranks"},
    Kind.ENVIRONMENT: {"actions:items", "slates", "truth", "signal:click"},
    Kind.REWARD: {"itemwise"},
}
REQUIRES: dict[Kind, set[str]] = {
    Kind.STATE_TRACKER: {"actions:items"},
    Kind.AGENT: {"actions:items", "experience:replay"},
    Kind.REWARD: {"actions:items", "signal:click"},
}
ONLY_OF: dict[Kind, list[str]] = {Kind.AGENT: ["agent_scores.py"], Kind.DATASET: ["sample"]}
"""Files of a kind besides those that every kind has."""


class KitMissing(UserError, ImportError):
    """The packages of the extra `kit` are not installed."""


def new_plugin(name: str, kinds: Collection[Kind], folder: Path) -> Path:
    """Write a new plugin into a folder that does not exist yet, or is empty; completely or not at all.

    Parameters
    ----------
    name: the name of its distribution, such as "recframe-patience".
    kinds: the kinds of components that it has, one component each.

    Returns
    -------
    The folder.

    Raises
    ------
    NameRefused: the name cannot be used, or is taken.   KitMissing: copier is not installed.
    UserError: the folder has files, or cannot be one.   OSError: it cannot be written.
    """
    ordered = [kind for kind in Kind if kind in kinds]
    names = PluginNames(name)
    names.require_free(ordered, registry())
    if folder.is_symlink() and not folder.exists():
        raise UserError(f"{folder} is a link to {folder.readlink()}, which does not exist; choose another with --output")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists already, and is not an empty folder; choose another with --output")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{folder.parent} is not a folder; choose another with --output") from None
    # beside or in it, within one file system: what is rendered is moved there at once
    with tempfile.TemporaryDirectory(prefix=f".{names.package}-", dir=folder if folder.exists() else folder.parent) as scratch:
        rendered = Path(scratch) / "new"
        _render(names, ordered, rendered)
        if folder.exists():
            # not replaced: it may be the current folder, or a link
            for path in rendered.iterdir():
                path.replace(folder / path.name)
        else:
            rendered.replace(folder)
    return folder


def _render(names: PluginNames, kinds: Sequence[Kind], folder: Path) -> None:
    try:
        from copier import run_copy
    except ModuleNotFoundError as error:
        raise KitMissing("recframe plugins new needs copier: pip install 'recframe[kit]'") from error
    run_copy(
        str(TEMPLATE),
        folder,
        data=_answers(names, kinds),
        exclude=[pattern for kind in Kind if kind not in kinds for pattern in _files_of(kind)],
        defaults=True,
        quiet=True,
        unsafe=False,
        skip_tasks=True,
    )


def _files_of(kind: Kind) -> list[str]:
    """Patterns of the template's files for one kind."""
    return [f"{kind}.py", f"{kind}_config.py", f"test_{kind}.py", f"**/conf/{kind}", *ONLY_OF.get(kind, [])]


def _answers(names: PluginNames, kinds: Sequence[Kind]) -> dict[str, Any]:
    return {
        "name": names.distribution,
        "package": names.package,
        "short": names.short,
        "prefix": names.prefix,
        "kinds": [kind.value for kind in kinds],
        "classes": {kind.value: kind.value.title().replace("_", "") for kind in Kind},
        "provides": {kind.value: _as_code(PROVIDES.get(kind, set())) for kind in Kind},
        "requires": {kind.value: _as_code(REQUIRES.get(kind, set())) for kind in Kind},
        "recframe_version": Version(__version__).public,
        "requires_python": ">=3.11,<3.14",
    }


def _as_code(tags: set[str]) -> str:
    """A set of tags as Python code; empty without tags."""
    return "{" + ", ".join(f'"{tag}"' for tag in sorted(tags)) + "}" if tags else ""
