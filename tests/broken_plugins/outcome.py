"""What becomes of a broken plugin, tried in this process with the built-in plugins around it."""

import contextlib
import copy
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import typer
from hydra.core.config_store import ConfigStore
from typer.testing import CliRunner

from recframe.cli import main, plugins
from recframe.cli.plugin_commands import add_plugin_commands
from recframe.config import compose_config
from recframe.plugin_loader import Registry, discovery, registry
from recframe.testing import ConformanceError, check_component
from tests.broken_plugins.case import Case
from tests.conftest import PluginSite

SOUND = """
from tests.broken_plugins.case import HEAD
exec(HEAD)

@hookimpl
def recframe_register_components(register):
    register(Component("reward", "sound", Config, "tests.broken_plugins.sound:SoundReward", requires={"signal:click"}))
"""
QUICK = (
    *("debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent=random", "logger=[csv]", "evaluation.references=false"),
    *("trainer.env_steps=512", "trainer.evaluate_every=512", "environment.num_users=16", "evaluation.num_users=8"),
)


def install(case: Case, folder: Path) -> PluginSite:
    """A folder of plugins with the broken one, one that is sound, and those that belong to the case."""
    site = PluginSite(folder)
    site.install("sound_plugin", SOUND)
    for name, source in case.beside.items():
        same = source.startswith("@")
        site.install(name, case.source if same else source, module=source[1:] if same else name)
    site.install("broken", case.source)
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    info = folder / "broken-1.0.dist-info"
    (info / "entry_points.txt").write_text(f"[recframe]\nbroken = {case.entry}\n")
    if case.needs:
        with (info / "METADATA").open("a") as metadata:
            metadata.write(f"Requires-Dist: {case.needs}\n")
    return site


@contextlib.contextmanager
def installed(site: PluginSite, built_in: bool = True) -> Iterator[Registry]:
    """The process's registry with the plugins of a folder beside the built-in ones; afterwards everything is as before."""
    points = [*(entry_points(group="recframe") if built_in else ()), *site.entry_points()]
    store, modules = ConfigStore.instance(), set(sys.modules)
    repo = copy.deepcopy(store.repo)
    registry.cache_clear()
    sys.path.insert(0, str(site.folder))
    try:
        with mock.patch.object(discovery, "entry_points", lambda group: points):
            yield registry()
    finally:
        sys.path.remove(str(site.folder))
        registry.cache_clear()
        store.repo = repo
        for name in set(sys.modules) - modules:
            if str(site.folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


class Loaded(NamedTuple):
    """The registry, what was left out, and what `recframe plugins --json` prints."""

    registry: Registry
    failures: list[str]
    listed: str


def load(site: PluginSite) -> Loaded:
    """Load the plugins, let them add their commands, and list them."""
    with installed(site) as found:
        add_plugin_commands(commands())
        listed = CliRunner().invoke(plugins.app, ["--json"])
        assert listed.exit_code == 0
        return Loaded(found, [str(failure) for failure in found.failures], listed.stdout)


def commands() -> typer.Typer:
    """A copy of the command line, for plugins to add to."""
    app = typer.Typer()
    app.registered_commands = list(main.app.registered_commands)
    app.registered_groups = list(main.app.registered_groups)
    return app


def check(site: PluginSite) -> list[str]:
    """What `check_component` says of the only component of the plugin `broken`."""
    with installed(site, built_in=False) as found:
        assert found.failures == []
        (component,) = [one.component for one in found.components() if one.plugin == "broken"]
        try:
            check_component(component)
        except ConformanceError as error:
            return [str(error)]
        return []


def run(site: PluginSite, overrides: Sequence[str]) -> list[str]:
    """What a small run says: its error, and what it logs as a warning or worse."""
    from recframe.runner import run as start

    logged: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: logged.append(logging.Formatter().format(record))
    logger = logging.getLogger("recframe")
    with installed(site):
        logger.addHandler(handler)
        try:
            start(compose_config([*QUICK, *overrides]), site.folder / "run")
        except Exception as error:
            return [str(error) or type(error).__name__, *logged]
        finally:
            logger.removeHandler(handler)
        return logged


def message_of(case: Case, said: Sequence[str]) -> str:
    """The message that the case expects, or all that was said; paths and what changes with each release are shortened."""
    found = next((text for text in said if re.search(case.message, text)), " / ".join(said))
    line = found.partition("\n")[0]
    line = re.sub(r"(?:file:/)?(?:/[\w.+-]+)+/([\w.+-]+)", r"\1", line)
    line = re.sub(r"There are: [^.;]*", "There are: ...", line)
    line = re.sub(r"the hooks are [\w, ]*", "the hooks are ...", line)
    line = re.sub(r"recframe \d[\w.]*", "recframe VERSION", line)
    line = re.sub(r" at 0x[0-9a-f]+", "", line)
    return line.replace("|", "\\|").replace("`", "'")
