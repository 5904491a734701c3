"""A pytest plugin: one test for each component of an installed plugin (`check_component`), and for each of its presets and experiments.

`pytest --recframe DISTRIBUTION` adds the tests to those that pytest finds. A plugin's own suite asks for them in pyproject.toml:

    [tool.pytest.ini_options]
    recframe_plugins = ["recframe-patience"]

Such tests are added where pytest is called without files. Every pytest session of an environment with recframe imports this module, so it
imports nothing but pytest; the rest is imported where tests were asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from recframe.components import Component

OPTION, INI = "--recframe", "recframe_plugins"
DISTRIBUTIONS = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the setting."""
    group = parser.getgroup("recframe", "recframe plugins")
    group.addoption(
        OPTION,
        action="append",
        default=[],
        metavar="DISTRIBUTION",
        help="test the components, presets and experiments of this installed plugin; may be given several times",
    )
    parser.addini(INI, "plugins of recframe to test so where no files are given", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Find the distributions that were asked for, or refuse what is not installed, before any test is collected."""
    chosen = config.args_source is pytest.Config.ArgsSource.ARGS
    asked = [(OPTION, name) for name in config.getoption(OPTION)]
    asked += [] if chosen else [(INI, name) for name in config.getini(INI)]
    config.stash[DISTRIBUTIONS] = list(dict.fromkeys(_installed(name, source) for source, name in asked))


@pytest.hookimpl(tryfirst=True)  # so that -k and --last-failed choose among these tests, too
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the tests of each distribution that was asked for."""
    for name in config.stash[DISTRIBUTIONS]:
        tests = PluginTests.from_parent(session, name=name, nodeid=name)
        # as pytest collects files, so that they are counted and errors are reported
        report = config.hook.pytest_make_collect_report(collector=tests)
        config.hook.pytest_collectreport(report=report)
        items.extend(report.result if report.passed else [])


def _installed(name: str, source: str) -> str:
    """The name of an installed distribution with plugins, as it writes itself.

    Raises
    ------
    pytest.UsageError: there is none.
    """
    from importlib.metadata import entry_points

    from packaging.utils import canonicalize_name

    from recframe.hookspecs import ENTRY_POINT_GROUP

    owners = {canonicalize_name(point.dist.name): point.dist.name for point in entry_points(group=ENTRY_POINT_GROUP) if point.dist}
    if canonicalize_name(name) not in owners:
        others = ", ".join(sorted(owners)) or "none"
        raise pytest.UsageError(
            f"{source}: no plugin {name!r} is installed; pip install -e . installs that of a folder. There are: {others}"
        )
    return owners[canonicalize_name(name)]


class PluginTests(pytest.Collector):
    """The tests of one distribution, which is the collector's name."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test for loading, for each component, and for each YAML file."""
        from recframe.plugin_kit.components import called, components_of
        from recframe.plugin_kit.configs import folders_of
        from recframe.plugin_loader import registry

        found = registry()
        yield LoadingTest.from_parent(self, name="loads")
        for registered in components_of(self.name, found):
            yield ComponentTest.from_parent(self, name=called(registered.component), component=registered.component)
        for folder in folders_of(self.name, found):
            for group, name in sorted(folder.files):
                yield ConfigTest.from_parent(self, name=f"{group}={name}" if group else name, group=group, config_name=name)


class PluginTest(pytest.Item):
    """A test of a part of a plugin. Its failure is reported in one line, without the traceback of the check."""

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The message of a check; the traceback of any other error."""
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[str, None, str]:
        """The name in the summary."""
        return str(self.path), None, self.nodeid


class LoadingTest(PluginTest):
    """The plugins of the distribution load, and nothing of them is left out."""

    def runtest(self) -> None:
        """Raise an error with everything that was left out."""
        from recframe.plugin_loader import registry

        assert self.parent is not None
        found, name = registry(), self.parent.name
        failures = [str(failure) for failure in found.failures if failure.distribution == name]
        if failures:
            raise AssertionError("\n".join(failures))
        if name not in found.versions:
            raise AssertionError(f"{name} was not loaded, because RECFRAME_PLUGINS leaves it out: unset RECFRAME_PLUGINS")


class ComponentTest(PluginTest):
    """A component conforms to its kind's contract."""

    def __init__(self, *, component: Component, **others: Any) -> None:
        super().__init__(**others)
        self.component = component

    def runtest(self) -> None:
        """Check the component; skip one that only its author can build."""
        from recframe.plugin_kit.components import mandatory_options
        from recframe.testing import DataNeeded, check_component

        if mandatory := mandatory_options(self.component):
            pytest.skip(f"its option {mandatory[0]!r} is mandatory: test it with check_component(component, config)")
        try:
            check_component(self.component)
        except DataNeeded as error:
            pytest.skip(str(error))


class ConfigTest(PluginTest):
    """A preset or an experiment composes."""

    def __init__(self, *, group: str, config_name: str, **others: Any) -> None:
        super().__init__(**others)
        self.group = group
        self.config_name = config_name

    def runtest(self) -> None:
        """Compose the file; skip one that is only part of others."""
        from recframe.plugin_kit.configs import config_finding
        from recframe.plugin_kit.findings import Status

        finding = config_finding(self.group, self.config_name)
        if finding.status is Status.NOTE:
            pytest.skip(finding.message)
        if finding.status is Status.FAILED:
            raise AssertionError(finding.message)
