"""What becomes of a broken plugin, tried in this process with the built-in plugins around it."""

import contextlib
import copy
import logging
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import typer
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf
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
SOUND_ONES = """
from tests.broken_plugins.case import CONFIGS, HEAD, SOUND
exec(HEAD)
TAGS = {
    "dataset": {"users", "interactions", "attribute:topics", "attribute:topic_weights"},
    "environment": {"actions:items", "signal:click", "signal:rating", "truth"},
}

@hookimpl
def recframe_register_components(register):
    for kind, factory in SOUND.items():
        config, tags = globals()[CONFIGS.get(kind, "Config")], TAGS.get(kind, set())
        register(Component(kind, f"broken_{kind}", config, f"tests.broken_plugins.sound:{factory}", provides=tags))
"""
QUICK = (
    *("debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent=random", "logger=[csv]", "embeddings.cache=null"),
    *(
        "evaluation.references=false",
        "trainer.env_steps=512",
        "trainer.evaluate_every=512",
        "environment.num_users=16",
        "evaluation.num_users=8",
    ),
)

SMALL = ("dataset.num_items=80", "dataset.num_users=80")


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
    Plugins.instance()  # Hydra's own plugins are stored with the first use
    store, modules = ConfigStore.instance(), set(sys.modules)
    repo = copy.deepcopy(store.repo)
    registry.cache_clear()
    sys.path.insert(0, str(site.folder))
    try:
        with mock.patch.object(discovery, "entry_points", return_value=points):
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


@cache
def composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    """The plain config of a small run. The broken component is left as it is if it is sound, whatever its plugin registers."""
    small = [] if any(override.startswith("dataset=") for override in overrides) else SMALL
    with tempfile.TemporaryDirectory() as folder:
        site = PluginSite(Path(folder))
        site.install("broken", SOUND_ONES)
        with installed(site):
            return OmegaConf.to_container(compose_config([*QUICK, *small, *overrides]))


def run(site: PluginSite, overrides: Sequence[str]) -> list[str]:
    """What a small run says: its error, and what it logs as a warning or worse.

    After "?", overrides are composed with the broken plugin: their composition is what fails.
    """
    from recframe.runner import run as start

    logged: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: logged.append(record.getMessage())
    logger = logging.getLogger("recframe")
    with installed(site):
        logger.addHandler(handler)
        try:
            if overrides[:1] == ("?",):
                compose_config([*QUICK, *overrides[1:]])
            else:
                start(OmegaConf.create(composed(overrides)), site.folder / "run")
        except Exception as error:
            return [str(error) or type(error).__name__, *logged]
        finally:
            logger.removeHandler(handler)
        return logged


def message_of(case: Case, said: Sequence[str]) -> str:
    """The message that the case expects, or all that was said; paths and what changes with each release are shortened."""
    found = next((text for text in said if re.search(case.message, text)), " / ".join(said))
    line = found.partition("\n")[0]
    line = re.sub(r"(?:/[\w.+-]+)+/([\w.+-]+\.(?:py|yaml|log|json))", r"\1", line)
    line = re.sub(r"\((?!broken)\w+\.py:\d+\)", "(FILE:LINE)", line)
    line = re.sub(r"(There are|It has): [^.;]*", r"\1: ...", line)
    line = re.sub(r"the hooks are [\w, ]*", "the hooks are ...", line)
    line = re.sub(r"recframe \d+(?:\.\w+)*", "recframe VERSION", line)
    line = re.sub(r" at 0x[0-9a-f]+", "", line)
    return line.replace("|", "\\|").replace("`", "'")
