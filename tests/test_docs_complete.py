"""The documents are complete: each component, option, hook, preset and experiment has its place, and the reference is up to date."""

import dataclasses
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from recframe import hookspecs
from recframe.built_in_loggers import BUILT_IN_LOGGERS
from recframe.components import Component, Kind, options_of
from recframe.plugin_loader import registry

PROJECT = Path(__file__).resolve().parents[1]
NUMBERS = {11: "eleven", 12: "twelve", 13: "thirteen", 14: "fourteen", 15: "fifteen"}


def built_in(kind: Kind) -> list[Component]:
    return [found.component for found in registry().components(kind) if found.distribution == "recframe"]


def test_the_readme_counts_the_rewards_right():
    assert f"{NUMBERS[len(built_in(Kind.REWARD))]} rewards" in (PROJECT / "README.md").read_text()


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (Kind.AGENT, "agents"),
        (Kind.ENCODER, "encoders"),
        (Kind.ENVIRONMENT, "simulators"),
        (Kind.REWARD, "simulators"),
        (Kind.STATE_TRACKER, "state_trackers"),
    ],
)
def test_the_guide_lists_every_component(kind, page):
    text = (PROJECT / "docs" / "guide" / f"{page}.md").read_text()
    table = text.partition(f"| `{kind.value}=` |")[2].partition("\n\n")[0]
    first_cells = " ".join(line.split("|")[1] for line in table.splitlines()[2:])
    assert set(re.findall(r"`(\w+)`", first_cells)) == {component.name for component in built_in(kind)}


def test_the_guide_lists_every_hook_with_its_arguments():
    guide = (PROJECT / "docs" / "guide" / "plugins.md").read_text()
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("recframe_")}
    for name, hook in hooks.items():
        assert f"| `{name}({', '.join(inspect.signature(hook).parameters)})` |" in guide, name


def test_the_design_has_the_layers_that_are_checked_and_every_part_of_the_core():
    design = (PROJECT / "docs" / "design.md").read_text()
    contract = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    assert "\n".join(["```", *contract["layers"], "```"]) in design
    parts = [path for path in (PROJECT / "recframe").iterdir() if not path.name.startswith("_")]
    names = [f"{path.name}/" if path.is_dir() else path.name for path in parts if path.is_dir() or path.suffix == ".py"]
    assert [name for name in names if f"\n  {name} " not in design] == []


@pytest.fixture(scope="module")
def reference() -> dict[str, str]:
    return {path.stem: path.read_text() for path in (PROJECT / "docs" / "reference").glob("*.md")}


def test_the_reference_and_the_contracts_are_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(str(PROJECT / "docs"))
    import generate_reference

    docs = PROJECT / "docs"
    present = {path.relative_to(docs).as_posix(): path.read_text() for path in docs.glob("reference/*.md")}
    present |= {f"kinds/{kind.value}.md": (docs / "kinds" / f"{kind.value}.md").read_text() for kind in Kind}
    generated = generate_reference.pages()
    stale = sorted(name for name in {*present, *generated} if present.get(name) != generated.get(name))
    assert stale == [], "run `python docs/generate_reference.py`"


def test_the_page_of_a_kind_has_the_sentences_of_its_check_and_no_other():
    pages = {kind: (PROJECT / "docs" / "kinds" / f"{kind.value}.md").read_text() for kind in Kind}
    for kind, page in pages.items():
        subclass = f"must subclass recframe.interfaces.{''.join(word.title() for word in kind.value.split('_'))};"
        assert [other for other, text in pages.items() if subclass in text] == [kind]
        # of checks that others import, and that the check of the kind calls
        assert "has no description: declare it with option" in page
    fingerprint = "under the same fingerprint"
    assert [kind for kind, page in pages.items() if fingerprint in page.partition("What its check says")[2]] == [Kind.ENCODER]


@pytest.mark.parametrize("kind", Kind)
def test_the_reference_has_every_component_and_every_option(reference, kind):
    page = reference[f"{kind.value}s"]
    for component in built_in(kind):
        assert f"\n## {component.name}\n" in page
        section = page.partition(f"\n## {component.name}\n")[2].partition("\n## ")[0]
        prefix = f"reward.{component.name}" if kind is Kind.REWARD else kind.value
        for field in dataclasses.fields(component.config):
            assert f"| `{prefix}.{field.name}` |" in section, (component.name, field.name)
            assert field.metadata["help"], (component.name, field.name)


def keys_of(schema: type, prefix: str = "") -> Iterator[str]:
    """The keys of a config's documented settings, nested ones included."""
    for field in dataclasses.fields(schema):
        nested = field.default_factory if dataclasses.is_dataclass(field.default_factory) else None
        if nested is not None:
            yield from keys_of(nested, f"{prefix}{field.name}.")
        elif field.metadata.get("help"):
            yield f"{prefix}{field.name}"


@pytest.mark.parametrize("app", ["train", "pretrain"])
def test_the_reference_has_every_setting_of_a_config(reference, app):
    from recframe.config import APPS

    keys = list(keys_of(APPS[app].schema))
    assert len(keys) > 10
    page = reference["run" if app == "train" else "pretraining"]
    assert [key for key in keys if f"| `{key}` |" not in page] == []


@pytest.mark.parametrize("logger", BUILT_IN_LOGGERS, ids=lambda logger: logger.name)
def test_the_reference_and_the_guide_have_every_logger_and_its_options(reference, logger):
    assert f"`{logger.name}`" in (PROJECT / "docs" / "guide" / "loggers.md").read_text()
    for page in (reference["run"], reference["pretraining"]):
        section = page.partition(f"\n## logger.{logger.name}\n")[2].partition("\n## ")[0]
        assert section
        assert [option.name for option in options_of(logger.config) if f"| `logger.{logger.name}.{option.name}` |" not in section] == []


def test_the_reference_has_every_hook_preset_and_experiment(reference):
    hooks = [name for name in vars(hookspecs) if name.startswith("recframe_")]
    assert [name for name in hooks if f"\n## {name}\n" not in reference["hooks"]] == []
    conf = PROJECT / "conf"
    files = [path for path in conf.glob("*/*.yaml") if not path.name.startswith("_")]
    for path in files:
        if path.parent.name == "experiment":
            assert f"\n## {path.stem}\n" in reference["experiments"], path
        elif path.parent.name == "bench":
            assert f"\n| `{path.stem}` | " in (PROJECT / "docs" / "guide" / "bench.md").read_text(), path
        else:
            assert f"\n### {path.parent.name}={path.stem}\n" in reference["presets"], path
    assert len(files) > 20


def test_the_reference_has_every_public_interface(reference):
    from recframe import interfaces

    assert [
        name
        for name in interfaces.__all__
        if name not in ("PAD", "NO_LIST", "Role", "Experience", "Split", "StageName") and f"\n### {name}\n" not in reference["interfaces"]
    ] == []
