"""A renamed name still works, and warns once a process and user, with the new name."""

import re
import sys
import types
import warnings
from dataclasses import dataclass

import pytest

import recframe
from recframe import deprecations
from recframe.components import Component, option, renamed_option, renamed_options, tags
from recframe.config import ConfigError, validate
from recframe.deprecations import RecframeDeprecationWarning, Renamed, renamed_attributes
from recframe.plugin_loader import discover, interface_version

OLD_HOOK = """
    from recframe.hookspecs import hookimpl

    @hookimpl
    def recframe_loggers_of_old(register):
        from lines import logger
        register(logger)
"""


@pytest.fixture(autouse=True)
def nothing_warned(monkeypatch):
    monkeypatch.setattr(deprecations, "_warned", set())


@pytest.fixture
def public_module(monkeypatch):
    module = types.ModuleType("public_module")
    module.WorkingSet = object()
    module.__getattr__ = renamed_attributes("public_module", {"ActiveItems": Renamed("WorkingSet", until=3)})
    monkeypatch.setitem(sys.modules, "public_module", module)
    return module


def test_an_old_name_of_a_public_module_is_the_new_one_and_warns_once_a_user(public_module):
    source = "from public_module import ActiveItems\nimport public_module\nagain = public_module.ActiveItems\n"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for user in ("patience.agent", "patience.other", "haste.agent"):
            names = {"__name__": user}
            exec(compile(source, f"{user}.py", "exec"), names)
            assert names["ActiveItems"] is names["again"] is public_module.WorkingSet
    said = "uses public_module.ActiveItems, which is public_module.WorkingSet now; interface 3 will not have the old name"
    assert [str(warning.message) for warning in caught] == [f"patience {said}", f"haste {said}"]
    assert {warning.category for warning in caught} == {RecframeDeprecationWarning}


def test_a_name_that_never_was_is_an_attribute_error(public_module):
    with pytest.raises(AttributeError, match="module 'public_module' has no attribute 'Nothing'"):
        _ = public_module.Nothing


def test_a_renamed_hook_is_called_and_warns_once(plugin_site, monkeypatch):
    renamed = {"recframe_loggers_of_old": Renamed("recframe_register_loggers", until=2)}
    monkeypatch.setattr(interface_version, "RENAMED_HOOKS", renamed)
    monkeypatch.setattr("recframe.plugin_loader.checks.RENAMED_HOOKS", renamed)
    lines = """
        from recframe.built_in_loggers import CsvLoggerConfig
        from recframe.components import LoggerComponent
        logger = LoggerComponent("lines", CsvLoggerConfig, "nowhere:Lines")
    """
    plugin_site.install("patience", OLD_HOOK)
    (plugin_site.folder / "lines.py").write_text("\n".join(line.strip() for line in lines.splitlines()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = discover(plugin_site.entry_points())
        discover(plugin_site.entry_points())
    assert found.failures == []
    assert found.logger("lines").plugin == "patience"
    assert found.plugins[0].hooks == ("recframe_register_loggers",)
    said = "plugin 'patience' uses the hook recframe_loggers_of_old, which is recframe_register_loggers now"
    assert [str(warning.message) for warning in caught] == [f"{said}; interface 2 will not have the old name"]


@dataclass
class HabitConfig:
    """Minus a cost for each item that was shown before."""

    cost: float = option(0.1, "what a repeated item costs", ge=0)
    price: float | None = renamed_option("cost", until=2)


HABIT = Component("reward", "habit", HabitConfig, "recframe_plugins.rewards.repetition:Repetition")


def test_a_setting_under_its_old_name_is_used_under_the_new_one_and_warns_once():
    with recframe.registered(HABIT), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cfg = recframe.compose(["reward=[click,habit]", "reward.habit.price=0.5"])
        for _ in range(2):
            habit = validate(cfg).reward.habit
            assert (habit.cost, habit.price) == (0.5, None)
    said = "the config uses reward.habit.price, which is reward.habit.cost now; interface 2 will not have the old name"
    assert [str(warning.message) for warning in caught] == [said]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["reward.habit.price=-1"], "reward.habit.cost: -1.0 is not allowed; it must be >= 0"),
        (
            ["reward.habit.price=1", "reward.habit.cost=2"],
            "reward.habit.price: it is called reward.habit.cost now, which is set, too; leave reward.habit.price out",
        ),
    ],
)
def test_a_setting_under_its_old_name_is_checked_as_the_new_one(settings, problem):
    with recframe.registered(HABIT), pytest.raises(ConfigError) as refused:
        recframe.compose(["reward=[click,habit]", *settings])
    assert refused.value.problems == [problem]


def test_the_old_option_of_the_guide_is_declared_as_printed(project_root):
    guide = (project_root / "docs" / "guide" / "interface_versions.md").read_text()
    names: dict = {"__name__": "towers"}
    for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL):
        exec(block, names)
    assert names["recframe_interface"] == 1
    assert renamed_options(names["TowerConfig"]) == {"depth": Renamed("layers", until=2)}


def test_an_old_name_of_a_tag_is_the_new_one_and_warns_once(monkeypatch):
    monkeypatch.setattr(tags, "RENAMED_TAGS", {"signal:tap": Renamed("signal:click", until=2)})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            habit = Component("reward", "habit", HabitConfig, "nowhere:Habit", {"itemwise"}, {"signal:tap|signal:rating?cost"})
            assert (habit.provides, habit.requires) == ({"itemwise"}, {"signal:click|signal:rating?cost"})
    said = "reward 'habit' uses the tag 'signal:tap', which is 'signal:click' now; interface 2 will not have the old name"
    assert [str(warning.message) for warning in caught] == [said]
