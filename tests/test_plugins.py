"""Discovery: built-in and third-party plugins use the same path, and a broken plugin never stops the others."""

import json
import textwrap
from dataclasses import dataclass

import pytest

from recframe.cli.plugins import app as plugins_app
from recframe.components import Component, ComponentError, Kind, option, options_of
from recframe.plugin_loader import UnknownComponent, discover

GOOD = """
    from dataclasses import dataclass
    from recframe.components import Component, option
    from recframe.hookspecs import hookimpl

    @dataclass
    class Config:
        '''Recommends by the stars.'''
        sign: str = option("aries", "whose stars")

    @hookimpl
    def recframe_register_components(register):
        register(Component("agent", "{name}", Config, "nowhere:Agent"))
"""
CONFIG_PATHS = """
    @hookimpl
    def recframe_config_paths():
        ...
"""


def good(name: str = "astrologer") -> str:
    return GOOD.replace("{name}", name)


def test_a_plugin_registers_its_components_with_their_origin(plugin_site):
    plugin_site.install("stars", good(), version="2.5")
    found = discover(plugin_site.entry_points())
    (registered,) = found.components(Kind.AGENT)
    assert (registered.component.name, registered.distribution, registered.version) == ("astrologer", "stars", "2.5")
    assert registered.component.description == "Recommends by the stars."
    assert found.failures == []


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import module_that_is_not_there", "needs the module 'module_that_is_not_there'"),
        ("import broken.parts", "it imports its own module 'broken.parts', which was not found"),
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("def broken(:", "SyntaxError"),
        ("x = 1", "implements no hook"),
        ("def recframe_register_components(register): pass", "lacks the decorator @hookimpl"),
        (
            "from recframe.hookspecs import hookimpl\n@hookimpl\ndef recframe_register_component(register): pass",
            "Did you mean 'recframe_register_components'",
        ),
        (
            "from recframe.hookspecs import hookimpl\n@hookimpl\ndef recframe_register_components(registry): pass",
            "Argument(s) {'registry'} are declared in the hookimpl but can not be found in the hookspec",
        ),
        (
            "from recframe.hookspecs import hookimpl\n@hookimpl\ndef recframe_register_components(register): register('dqn')",
            "takes a recframe.components.Component, not str",
        ),
        (good().replace('"agent"', '"wizard"'), "unknown kind 'wizard'"),
        (good().replace("sign: str", "sign: complex"), "cannot be a config: Unexpected type annotation: complex"),
        (good().replace("@dataclass", "@dataclass(frozen=True)"), "Config must not be frozen"),
        (good().replace("sign: str", "sign: int"), "cannot be a config: Value 'aries' of type 'str' could not be converted to Integer"),
        (good().replace('"agent"', '"environment"'), "needs a field 'num_users: int', which the core reads"),
        (good().replace('"agent"', '"state_tracker"'), "needs a field 'history_length: int', which the core reads"),
        (good() + CONFIG_PATHS.replace("...", "1 / 0"), "ZeroDivisionError"),
        (good() + CONFIG_PATHS.replace("...", "return 'one string'"), "returns a list of folders, not 'one string'"),
        (good() + CONFIG_PATHS.replace("...", "return [3]"), "returns a list of folders, not [3]"),
        (good() + CONFIG_PATHS.replace("...", "return ['/no/such/folder']"), "'/no/such/folder', which is not a folder"),
        (good() + CONFIG_PATHS.replace("...", "return ['pkg://nowhere.at_all']"), "'pkg://nowhere.at_all', and no such package was found"),
        (good() + CONFIG_PATHS.replace("...", "return ['file:///no/such']"), "a folder or pkg://package.module is right"),
    ],
)
def test_a_broken_plugin_is_reported_and_the_others_stay_usable(plugin_site, source, cause):
    plugin_site.install("sound", good())
    plugin_site.install("broken", source)
    found = discover(plugin_site.entry_points())
    assert found.names(Kind.AGENT) == ["astrologer"]
    (failure,) = found.failures
    assert failure.distribution == "broken"
    assert cause in failure.cause
    assert failure.fix
    assert "broken" in str(failure)


def test_a_plugin_that_breaks_halfway_registers_nothing(plugin_site):
    plugin_site.install("half", good() + "        register('nonsense')\n")
    found = discover(plugin_site.entry_points())
    assert found.components() == []
    assert len(found.failures) == 1


def test_two_claims_on_a_name_raise_an_error_that_names_both(plugin_site):
    plugin_site.install("first", good())
    plugin_site.install("second", good())
    plugin_site.install("third", good("other"))
    found = discover(plugin_site.entry_points())
    with pytest.raises(UnknownComponent, match=r"agent 'astrologer' is claimed by first 1\.0 .* and second 1\.0"):
        found.get("agent", "astrologer")
    assert "astrologer" in found.failures[0].cause
    assert found.get("agent", "other").name == "other"


def test_the_environment_variable_narrows_what_is_loaded(plugin_site):
    plugin_site.install("first", good("one"))
    plugin_site.install("second", good("two"))
    plugin_site.install("recframe", good("own"), module="built_in_module")
    points = plugin_site.entry_points()
    assert discover(points).names(Kind.AGENT) == ["one", "own", "two"]
    assert discover(points, only="second").names(Kind.AGENT) == ["own", "two"]
    assert discover(points, only="").names(Kind.AGENT) == ["own"]
    assert discover(points, only="-second").names(Kind.AGENT) == ["one", "own"]
    assert discover(points, only="first,second,-second").names(Kind.AGENT) == ["one", "own"]
    assert [failure.plugin for failure in discover(points, only="-secnd").failures] == ["secnd"]
    partly_missing = discover(points, only="first, thirt")
    assert partly_missing.names(Kind.AGENT) == ["one", "own"]
    (failure,) = partly_missing.failures
    assert str(failure) == (
        "plugin 'thirt' was left out: RECFRAME_PLUGINS names it and it is not installed. Install it, or correct RECFRAME_PLUGINS"
    )


@pytest.mark.parametrize(
    ("names", "chosen", "problems"),
    [
        ("-stars-and-moons", ["own"], []),
        ("Stars_And.Moons", ["astrologer", "own"], []),
        ("-point", ["own"], []),
        ("point,-point", ["own"], []),
        (" , ", ["own"], []),
        ("-recframe", ["astrologer", "own"], ["the minus before 'recframe' was left out: built-in plugins are always loaded"]),
        ("-own_point", ["astrologer", "own"], ["the minus before 'own_point' was left out: built-in plugins are always loaded"]),
        ("-a,-b", ["astrologer", "own"], ["plugin 'a' was left out: RECFRAME_PLUGINS names", "plugin 'b' was left out"]),
    ],
)
def test_plugins_are_chosen_by_entry_point_or_distribution_as_pip_spells_it(plugin_site, names, chosen, problems):
    for distribution, point, component in (("stars_and_moons", "point", "astrologer"), ("recframe", "own_point", "own")):
        plugin_site.install(distribution, good(component), module=f"module_of_{point}")
        (plugin_site.folder / f"{distribution}-1.0.dist-info" / "entry_points.txt").write_text(f"[recframe]\n{point} = module_of_{point}\n")
    found = discover(plugin_site.entry_points(), only=names)
    assert found.names(Kind.AGENT) == chosen
    assert [str(failure).startswith(problem) for failure, problem in zip(found.failures, problems, strict=True)] == [True] * len(problems)
    assert found.not_chosen == ([] if "astrologer" in chosen else ["point"])
    if found.not_chosen:
        with pytest.raises(UnknownComponent, match="RECFRAME_PLUGINS leaves out point"):
            found.get("agent", "astrologer")


def test_a_third_party_plugin_with_the_name_of_the_project_can_be_left_out(plugin_site):
    plugin_site.install("stars", good())
    (plugin_site.folder / "stars-1.0.dist-info" / "entry_points.txt").write_text("[recframe]\nrecframe = stars\n")
    assert discover(plugin_site.entry_points(), only="").names(Kind.AGENT) == []


@pytest.mark.parametrize(
    ("requirement", "problem"),
    [
        ("recframe>=9", "it requires recframe>=9, and this is recframe"),
        ("recframe", ""),
        ('recframe>=9; extra == "gpu"', ""),
        ("rec frame", ""),
    ],
)
def test_a_plugin_that_requires_another_recframe_is_left_out(plugin_site, requirement, problem):
    plugin_site.install("stars", good())
    metadata = plugin_site.folder / "stars-1.0.dist-info" / "METADATA"
    metadata.write_text(f"{metadata.read_text()}Requires-Dist: {requirement}\n")
    found = discover(plugin_site.entry_points())
    assert [problem in failure.cause for failure in found.failures] == ([True] if problem else [])
    assert found.names(Kind.AGENT) == ([] if problem else ["astrologer"])


def test_what_a_plugin_prints_when_it_is_loaded_is_not_on_standard_output(plugin_site, capsys):
    paths = CONFIG_PATHS.replace("...", "print('paths'); return []")
    plugin_site.install("talker", "print('hello')\n" + textwrap.dedent(good() + "        print('registering')\n" + paths))
    assert discover(plugin_site.entry_points()).failures == []
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\nregistering\npaths\n")


def test_the_json_of_a_command_is_all_of_its_standard_output(plugin_site, warm_recframe):
    commands = """
    @hookimpl
    def recframe_register_commands(app):
        print("commands")
    """
    plugin_site.install("talker", "print('hello')\n" + textwrap.dedent(good() + "        print('registering')\n" + commands))
    done = warm_recframe("plugins", "--json", site=plugin_site.folder, check=True)
    assert "astrologer" in [component["name"] for component in json.loads(done.stdout)["components"]]
    assert {"hello", "registering", "commands"} <= set(done.stderr.split())


def test_an_option_that_must_exist_says_so():
    @dataclass
    class Reading:
        path: str = option("here", "where it is", exists=True)
        level: int = option(1, "how far", ge=0)

    assert [described.bounds for described in options_of(Reading)] == ["must exist", ">= 0"]


TYPED = """
    from dataclasses import dataclass
    from recframe.components import Component, Kind

    @dataclass
    class Config:
        "A component of a typed package."

    own = {"slates"}
    fixed: frozenset[str] = frozenset({"ranks"})
    one = Component(Kind.AGENT, "one", Config, "a:B", provides={"slates"}, requires={"actions:items"})
    two = Component("agent", "two", Config, "a:B", provides=own, requires=fixed)
    tags: frozenset[str] = one.provides
    wrong = Component(Kind.AGENT, "three", Config, "a:B", provides=3)
"""


def test_tags_may_be_written_as_any_set_for_a_type_checker(tmp_path, project_root, monkeypatch):
    mypy = pytest.importorskip("mypy.api")
    source = tmp_path / "typed_plugin.py"
    source.write_text(textwrap.dedent(TYPED).lstrip())
    # recframe is read, and not the packages that it imports, such as torch: that takes minutes, and no declaration depends on them
    monkeypatch.setenv("MYPYPATH", str(project_root))
    alone = ["--no-site-packages", "--ignore-missing-imports", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache")]
    shown, _, _ = mypy.run(["--strict", *alone, str(source)])
    (error,) = [line for line in shown.splitlines() if ": error:" in line]
    assert ':13: error: Argument "provides" to "Component"' in error


def test_the_error_for_an_unknown_component_lists_the_known_ones(plugin_site):
    plugin_site.install("stars", good())
    with pytest.raises(UnknownComponent, match=r"no agent is called 'astrologist'. Did you mean 'astrologer'\? There are: astrologer"):
        discover(plugin_site.entry_points()).get("agent", "astrologist")


def test_built_in_plugins_are_discovered_like_third_party_ones():
    from recframe.plugin_loader import registry

    found = registry()
    assert found.failures == []
    assert {registered.distribution for registered in found.components()} == {"recframe"}
    for kind in Kind:
        assert found.names(kind), f"no built-in {kind}"


def config(**fields):
    from dataclasses import make_dataclass

    return make_dataclass("Config", [(name, type(value), value) for name, value in fields.items()])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "My Agent"}, "lower-case Python identifier"),
        ({"config": dict}, "must be a dataclass type"),
        ({"config": config(name="x")}, "'name' of Config is reserved: it holds the component's name"),
        ({"kind": "reward", "config": config(weight=0.3)}, "'weight' of Config is reserved: it holds the term's factor"),
        ({"config": dataclass(frozen=True)(type("Frozen", (), {}))}, "Frozen must not be frozen"),
        ({"factory": "module.Class"}, "must read 'package.module:Class'"),
        ({"requires": "signal:click"}, "a set of tags"),
        ({"state_tracker": "gru"}, "only an environment names the state_tracker that suits it"),
        ({"kind": "environment", "config": config(num_users=1), "state_tracker": 5}, "state_tracker is the name of a state tracker"),
    ],
)
def test_a_wrong_declaration_is_refused_with_the_fix(changes, complaint):
    right = {"kind": "agent", "name": "mine", "config": config(gamma=0.9), "factory": "my.module:Class"}
    assert Component(**right).kind is Kind.AGENT
    with pytest.raises(ComponentError, match=complaint):
        Component(**{**right, **changes})


def test_options_have_a_description_and_bounds():
    @dataclass
    class Config:
        """One."""

        rate: float = option(0.5, "how fast", gt=0, le=1)
        mode: str = option("a", "which way", choices=["a", "b"])

    rate, mode = options_of(Config)
    assert (rate.name, rate.type, rate.default, rate.help, rate.bounds) == ("rate", "float", 0.5, "how fast", "> 0 and <= 1")
    assert mode.bounds == "one of a, b"


def test_every_hook_is_documented_and_every_built_in_option_has_a_description():
    from recframe import hookspecs
    from recframe.plugin_loader import registry

    hooks = [value for name, value in vars(hookspecs).items() if name.startswith("recframe_")]
    assert len(hooks) == 11
    assert all(hook.__doc__ for hook in hooks)
    undescribed = [
        f"{r.component.kind}={r.component.name}: {o.name}"
        for r in registry().components()
        for o in options_of(r.component.config)
        if not o.help
    ]
    assert undescribed == []
    assert all(registered.component.description for registered in registry().components())


def test_an_environment_with_the_field_num_users_is_accepted(plugin_site):
    sized = good().replace('"agent"', '"environment"').replace("sign: str", 'num_users: int = option(4, "users")\n        sign: str')
    plugin_site.install("sized", sized)
    found = discover(plugin_site.entry_points())
    assert found.failures == []
    assert found.names(Kind.ENVIRONMENT) == ["astrologer"]


def test_config_folders_become_hydra_addresses(plugin_site):
    plugin_site.install(
        "folders",
        good() + CONFIG_PATHS.replace("...", "return [r'FOLDER', 'pkg://configs_of_folders']").replace("FOLDER", str(plugin_site.folder)),
        files={"configs_of_folders/__init__.py": "", "configs_of_folders/experiment/theirs.yaml": "seed: 1"},
    )
    found = discover(plugin_site.entry_points())
    # the first folder holds the second, so the names differ by their group
    assert found.config_paths == [f"file://{plugin_site.folder.resolve()}", "pkg://configs_of_folders"]
    assert ("experiment", "theirs") in found.config_folders[1].files


BUILT_IN = good("dqn")


def built_in(plugin_site) -> None:
    plugin_site.install("recframe", BUILT_IN, module="built_in_module")


def test_a_built_in_component_keeps_its_name_and_the_claimant_is_left_out(plugin_site):
    built_in(plugin_site)
    plugin_site.install("grabber", good("dqn").replace("nowhere:Agent", "elsewhere:Agent"))
    found = discover(plugin_site.entry_points())
    assert found.get("agent", "dqn").factory == "nowhere:Agent"
    (failure,) = found.refused_claims("agent", "dqn")
    assert str(failure) == (
        "agent 'dqn' of plugin 'grabber' of grabber was left out: agent 'dqn' is claimed by recframe 1.0 (plugin 'recframe') "
        "and grabber 1.0 (plugin 'grabber'), and a built-in component keeps its name. Rename it"
    )
    assert found.failures == [failure]


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        ("experiment/cartpole.yaml", "a config of recframe"),
        ("config.yaml", "a config of recframe"),
        ("agent/dqn.yaml", "the agent of recframe (plugin 'recframe')"),
        ("agent/astrologer.yaml", "the agent of first (plugin 'first')"),
        ("experiment/baseline.yaml", "a config of first (plugin 'first')"),
    ],
)
def test_a_config_with_a_taken_name_leaves_the_folder_of_its_plugin_out(plugin_site, tmp_path, file, owner):
    def configs(plugin: str, *names: str) -> str:
        for name in names:
            path = tmp_path / plugin / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("seed: 1")
        return CONFIG_PATHS.replace("...", f"return [{str(tmp_path / plugin)!r}]")

    built_in(plugin_site)
    plugin_site.install("first", good("astrologer") + configs("first", "experiment/baseline.yaml", "experiment/own.yaml"))
    plugin_site.install("second", good("other") + configs("second", file, "experiment/free.yaml"))
    found = discover(plugin_site.entry_points())
    assert [folder.plugin for folder in found.config_folders] == ["first"]
    (failure,) = found.failures
    assert f"config folder of plugin 'second' of second was left out: its file {file} has the name of {owner}, which keeps it" in str(
        failure
    )
    group, _, name = file.removesuffix(".yaml").rpartition("/")
    assert found.refused_claims(group, name) == [failure]
    # the rest of the plugin is used
    assert found.get("agent", "other")


def test_a_plugin_may_complete_the_config_of_its_own_component(plugin_site, tmp_path):
    (tmp_path / "configs" / "agent").mkdir(parents=True)
    (tmp_path / "configs" / "agent" / "astrologer.yaml").write_text("sign: leo")
    plugin_site.install("stars", good() + CONFIG_PATHS.replace("...", f"return [{str(tmp_path / 'configs')!r}]"))
    found = discover(plugin_site.entry_points())
    assert found.failures == []
    assert len(found.config_folders) == 1


def test_the_table_shows_square_brackets_of_descriptions(capsys):
    with pytest.raises(SystemExit, match="0"):
        plugins_app([])
    assert "recframe[implicit]" in "".join(capsys.readouterr().out.split())
