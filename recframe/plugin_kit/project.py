"""A plugin's project folder, checked before it is installed: what its pyproject.toml says, as metadata that Python finds."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from recframe.errors import UserError
from recframe.hookspecs import ENTRY_POINT_GROUP
from recframe.plugin_kit.findings import Finding, Status
from recframe.plugin_kit.tables import wrong_types
from recframe.plugin_loader import OWN_DISTRIBUTION

PYPROJECT = "pyproject.toml"


class ProjectError(UserError, ValueError):
    """A project folder that cannot be checked; the message names the file and what would be right."""


@dataclass(frozen=True)
class Project:
    """A project: its folder, and the tables of its pyproject.toml.

    Raises
    ------
    ProjectError: there is no pyproject.toml that names a distribution.
    """

    folder: Path
    tables: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Project:
        """The project in a folder."""
        path = folder / PYPROJECT
        try:
            tables = tomllib.loads(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise ProjectError(f"{folder} is no project of a plugin: it has no {PYPROJECT}") from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ProjectError(f"{path}: not TOML: {error}") from None
        if wrong := next(wrong_types(tables), None):
            raise ProjectError(f"{path}: {wrong}")
        try:
            canonicalize_name(str(tables.get("project", {}).get("name", "")), validate=True)
        except InvalidName:
            raise ProjectError(f'{path}: [project] needs a name for the distribution, such as name = "recframe-patience"') from None
        return cls(folder.resolve(), tables)

    @property
    def name(self) -> str:
        """The name of the distribution."""
        return str(self.tables["project"]["name"])

    @property
    def version(self) -> str:
        """The version; "0" if it is not written in pyproject.toml."""
        return str(self.tables["project"].get("version", "0"))

    @property
    def entry_points(self) -> Mapping[str, str]:
        """The entry points of recframe: name and module."""
        points: Mapping[str, str] = self.tables["project"].get("entry-points", {}).get(ENTRY_POINT_GROUP, {})
        return points

    @property
    def paths(self) -> list[Path]:
        """The folders from which the project's packages are imported."""
        setuptools = self.tables.get("tool", {}).get("setuptools", {})
        packages = setuptools.get("packages", {})
        where = packages.get("find", {}).get("where", []) if isinstance(packages, dict) else []
        named = ["src", *where, setuptools.get("package-dir", {}).get("", ""), ""]
        return [self.folder / name for name in dict.fromkeys(named) if (self.folder / name).is_dir()]

    def findings(self) -> Iterator[Finding]:
        """What is wrong in pyproject.toml itself."""
        project = self.tables["project"]
        problems = list(self._problems(project))
        yield from (Finding(Status.FAILED, "project", PYPROJECT, problem) for problem in problems)
        if not problems:
            yield Finding(Status.OK, "project", PYPROJECT, f"{self.name} {self.version}, entry points: {', '.join(self.entry_points)}")

    def _problems(self, project: Mapping[str, Any]) -> Iterator[str]:
        if not self.entry_points:
            example = f'{canonicalize_name(self.name).replace("-", "_")} = "PACKAGE.plugin"'
            yield f"no entry point of recframe, so it is not found: add a table [project.entry-points.{ENTRY_POINT_GROUP}] with {example}"
        if "version" not in project and "version" not in project.get("dynamic", []):
            yield '[project] needs a version, such as version = "0.1.0"'
        if not _is_version(self.version):
            yield f"version {self.version!r} is none; numbers with dots are right, as in 0.1.0"
        names = []
        for text in project.get("dependencies", []):
            try:
                names.append(canonicalize_name(Requirement(text).name))
            except InvalidRequirement as error:
                yield f"dependency {text!r} cannot be read: {str(error).splitlines()[0]}"
        if OWN_DISTRIBUTION not in [*names, *project.get("dynamic", [])] and "dependencies" not in project.get("dynamic", []):
            yield f'dependencies lack recframe: add "{OWN_DISTRIBUTION}"'

    def write_metadata(self, folder: Path) -> None:
        """Write a `.dist-info` into a folder, so that Python finds the project as if it were installed from that folder."""
        name = canonicalize_name(self.name).replace("-", "_")
        # what is no version, which is a finding of its own, may not be the name of a folder either
        version = self.version if _is_version(self.version) else "0"
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        requires = "".join(f"Requires-Dist: {text}\n" for text in self.tables["project"].get("dependencies", []))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {version}\n{requires}", "utf-8")
        points = "".join(f"{point} = {module}\n" for point, module in self.entry_points.items())
        (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{points}", "utf-8")


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
