"""A renamed name still works, and warns once a process and user, with the new name."""

import sys
import types
import warnings

import pytest

from recframe import deprecations
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
