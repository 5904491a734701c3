"""What `recframe plugins check` is asked to check: a project folder, an installed distribution, or all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoints, entry_points
from pathlib import Path
from urllib.parse import unquote, urlparse

from packaging.utils import canonicalize_name

from recframe.errors import UserError
from recframe.hookspecs import ENTRY_POINT_GROUP
from recframe.plugin_kit.project import PYPROJECT, Project, ProjectError
from recframe.plugin_loader import OWN_DISTRIBUTION, suggestion


class UnknownPlugin(UserError, LookupError):
    """No folder and no installed distribution has the name; the message lists those that exist."""


@dataclass(frozen=True)
class Subject:
    """A distribution to check.

    name, version: of the distribution.   installed: whether it is checked as it is installed, and not as its folder says.
    project: its project folder, if that is known: of an installed distribution, where it was installed as editable.
    """

    name: str
    version: str
    installed: bool
    project: Project | None


def subjects(what: str | None, here: Path) -> list[Subject]:
    """What to check.

    Parameters
    ----------
    what: a folder, or the name of a distribution or of an entry point. None: the project in the folder `here`, if it is one of a plugin,
        and otherwise every installed third-party plugin.

    Raises
    ------
    UnknownPlugin: there is nothing of this name.   ProjectError: the folder's pyproject.toml cannot be used.
    """
    if what is None:
        return _here(here) or [_installed(distribution) for distribution in _third_party().values()]
    folder = here / Path(what).expanduser()
    if (folder / PYPROJECT).is_file() or (folder.is_dir() and canonicalize_name(what) not in _third_party()):
        return [_of_folder(Project.read(folder))]
    for name, distribution in _third_party().items():
        if name == canonicalize_name(what) or any(point.name == what for point in _points(distribution)):
            return [_installed(distribution)]
    raise UnknownPlugin(f"{what!r} is neither a folder nor an installed plugin{suggestion(what, sorted(_third_party()))}")


def _here(folder: Path) -> list[Subject]:
    try:
        project = Project.read(folder)
    except ProjectError:
        return []
    return [_of_folder(project)] if project.entry_points and canonicalize_name(project.name) != OWN_DISTRIBUTION else []


def _of_folder(project: Project) -> Subject:
    return Subject(project.name, project.version, installed=False, project=project)


def _installed(distribution: Distribution) -> Subject:
    return Subject(distribution.name, distribution.version, installed=True, project=_editable_project(distribution))


def _points(distribution: Distribution) -> EntryPoints:
    return distribution.entry_points.select(group=ENTRY_POINT_GROUP)


def _third_party() -> dict[str, Distribution]:
    """The installed distributions with plugins, by canonical name, in alphabetical order."""
    found = {canonicalize_name(point.dist.name): point.dist for point in entry_points(group=ENTRY_POINT_GROUP) if point.dist is not None}
    return {name: found[name] for name in sorted(found) if name != OWN_DISTRIBUTION}


def _editable_project(distribution: Distribution) -> Project | None:
    """The project of a distribution that was installed by `pip install -e`."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    try:
        return Project.read(Path(unquote(urlparse(origin["url"]).path)))
    except ProjectError:
        return None
