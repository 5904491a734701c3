"""Plugins whose fault is noticed when plugins are loaded."""

# ruff: noqa: E501  # the source of a plugin and its message are read best on one line

from tests.broken_plugins.case import Case, plugin

HOOK = """
from recframe.hookspecs import hookimpl
from recframe.components import Component

@hookimpl
def recframe_{signature}:
    {body}
"""
REGISTER = "register_components(register)"


def hook(signature: str, body: str) -> str:
    return HOOK.format(signature=signature, body=body)


def load(what: str, source: str, message: str, **more) -> Case:
    return Case(what, "load", source, message, **more)


def settings(fields: str, frozen: bool = False) -> str:
    """A config class with these fields; not described, which loading does not look at."""
    decorator = "@dataclass(frozen=True)" if frozen else "@dataclass"
    return f'class Odd:\n    pass\n\n{decorator}\nclass Settings:\n    "Settings."\n    {fields}\n'


def typed(what: str, field: str, message: str) -> Case:
    return load(f"a setting of type {what}", plugin("reward", config=settings(field)), f"reward 'broken_reward': Settings .*{message}")


def declared(what: str, call: str, message: str, config: str = "level: int = 1") -> Case:
    register = f"\n@hookimpl\ndef recframe_register_components(register):\n    register(Component({call}))\n"
    head = "from dataclasses import dataclass, field\nfrom recframe.components import Component\nfrom recframe.hookspecs import hookimpl\n"
    return load(what, head + settings(config) + register, message)


def configs(what: str, body: str, message: str, **more) -> Case:
    return load(what, hook("config_paths()", body), message, **more)


AGENT = '"agent", "mine", Settings, "broken:Broken"'

IMPORTS = [
    load("the entry point's module is missing", "", r"its entry point names 'nowhere_at_all', but no module", entry="nowhere_at_all"),
    load("the entry point names no module", "", "its entry point names 'my-plugin!', which is no name of a module", entry="my-plugin!"),
    load(
        "the entry point names an attribute that is missing", "x = 1", "names 'broken:plugin', and module 'broken'", entry="broken:plugin"
    ),
    load("the entry point names a class", "class Plugin: pass", "is of type type and no module", entry="broken:Plugin"),
    load("the entry point names an object", "number = 3", "is of type int and no module", entry="broken:number"),
    load(
        "two entry points name one module",
        hook(REGISTER, "pass"),
        "its entry point names 'broken', which is already the plugin 'another' of another",
        beside={"another": "@broken"},
    ),
    load("a dependency is missing", "import not_installed_at_all", "it needs the module 'not_installed_at_all', which is not installed"),
    load("a module of its own is missing", "import broken.parts", "it imports its own module 'broken.parts', which was not found"),
    load("a name to import is missing", "from recframe.components import Compnent", "ImportError: cannot import name 'Compnent'"),
    load("a syntax error", "def broken(:", r"SyntaxError: invalid syntax \(broken.py, line 1\)"),
    load("an error at import", "1 / 0", r"ZeroDivisionError: division by zero \(.*broken.py:1\)"),
    load("sys.exit at import", "import sys; sys.exit(3)", r"SystemExit: 3 \(.*broken.py:1\)"),
    load("a cancelled task at import", "import asyncio; raise asyncio.CancelledError('no GPU')", "CancelledError: no GPU"),
    load("endless recursion at import", "def f(): return f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    load("a file in another encoding", "", "SyntaxError: .*utf-8", files={"broken.py": b"x = '\xff'\n"}),
    load("it requires a newer recframe", hook(REGISTER, "pass"), "it requires recframe>=9, and this is", needs="recframe>=9"),
    load("it requires an older recframe", hook(REGISTER, "pass"), "it requires recframe<0.1, and this is", needs="recframe<0.1"),
]

HOOKS = [
    load("no hook", "x = 1", "it implements no hook; the hooks are"),
    load("a misspelt hook", hook("register_component(register)", "pass"), "Did you mean 'recframe_register_components'"),
    load("a wrong argument of a hook", hook("register_components(registry)", "pass"), r"Argument\(s\) {'registry'} are declared"),
    load("an argument too many", hook("run_finished(result, cfg)", "pass"), r"Argument\(s\) {'cfg'} are declared"),
    load("no decorator", "def recframe_callbacks(cfg): return []", "'recframe_callbacks' lacks the decorator @hookimpl"),
    load("the hook raises an error", hook(REGISTER, "1 / 0"), r"ZeroDivisionError: division by zero \(.*broken.py:7\)"),
    load("the hook ends the process", hook(REGISTER, "raise SystemExit(1)"), "SystemExit: 1"),
    load("a name is registered", hook(REGISTER, "register('dqn')"), r"register\(\) takes a recframe.components.Component, not str"),
    load("components are returned", hook(REGISTER, "return [Component]"), "must return nothing, not list: call register"),
    load("components are yielded", hook(REGISTER, "yield Component"), "must return nothing, not generator"),
    load("the hook is a coroutine", hook(REGISTER, "pass").replace("def rec", "async def rec"), "must return nothing, not coroutine"),
    load(
        "it breaks after a component",
        plugin("reward") + "    raise KeyError('second')\n",
        r"KeyError: 'second' \(.*broken.py",
    ),
    configs("the hook of configs raises an error", "1 / 0", "ZeroDivisionError: division by zero"),
    configs("a folder in place of a list", "return '/tmp'", "recframe_config_paths returns a list of folders, not '/tmp'"),
    configs("a number in the list of folders", "return [3]", r"returns a list of folders, not \[3\]"),
    configs("folders are yielded", "yield '/tmp'", "returns a list of folders, not <generator"),
    configs("a folder that does not exist", "return ['/no/such/folder']", "names '/no/such/folder', which is not a folder"),
    configs("a package of configs that does not exist", "return ['pkg://nowhere.at_all']", "and no such package was found"),
    configs("an address of an unknown kind", "return ['https://example.org']", "a folder or pkg://package.module is right"),
]

DECLARATIONS = [
    declared("an unknown kind", '"wizard", "mine", Settings, "broken:Broken"', "component 'mine': unknown kind 'wizard'"),
    declared("a name that is no identifier", '"agent", "My Agent", Settings, "broken:Broken"', "a name is a lower-case Python identifier"),
    declared("a factory without a colon", '"agent", "mine", Settings, "broken.Broken"', "factory must read 'package.module:Class'"),
    declared("a class as the factory", '"agent", "mine", Settings, Settings', "a plugin names its factory as 'broken:Settings', in quotes"),
    declared("a number in place of tags", f"{AGENT}, provides=3", "provides is a set of tags, not 3"),
    declared("tags in one string", f'{AGENT}, requires="users"', "requires is a set of tags, not one string"),
    declared(
        "a config that is no dataclass", '"agent", "mine", dict, "broken:Broken"', "config must be a dataclass type, not <class 'dict'>"
    ),
    declared("an instance as the config", '"agent", "mine", Settings(), "broken:Broken"', "config must be a dataclass type, not Settings"),
    declared("a setting without a default", AGENT, "field 'level' of Settings needs a default", "level: int"),
    declared("a setting called name", AGENT, "the field 'name' of Settings is reserved", "name: str = 'x'"),
    declared(
        "a setting called weight of a reward",
        '"reward", "mine", Settings, "broken:Broken"',
        "the field 'weight' of Settings is reserved",
        "weight: float = 1.0",
    ),
    load(
        "a frozen config",
        plugin("reward", config=settings("level: int = 1", frozen=True)),
        "Settings must not be frozen: its settings could not be overridden",
    ),
    load(
        "an environment without num_users",
        plugin("environment", config=settings("level: int = 1")),
        "environment 'broken_environment': Settings needs a field 'num_users: int', which the core reads",
    ),
    load(
        "a state tracker without history_length",
        plugin("state_tracker", config=settings("level: int = 1")),
        "state_tracker 'broken_state_tracker': Settings needs a field 'history_length: int', which the core reads",
    ),
    load(
        "an environment whose num_users is a text",
        plugin("environment", config=settings("num_users: str = '6'")),
        "needs a field 'num_users: int'",
    ),
    load(
        "one name twice in one plugin",
        plugin("reward") + '    register(Component("reward", "broken_reward", Config, "broken:Other"))\n',
        "it registers two components called 'broken_reward' of the kind reward: rename one",
    ),
    typed("set[str]", "level: set[str] = field(default_factory=set)", "Unexpected type annotation: set.*in the field 'level: set"),
    typed("frozenset", "level: frozenset = frozenset()", "in the field 'level: frozenset'; a setting is a bool, int"),
    typed("Odd, a class of the plugin", "level: Odd = field(default_factory=Odd)", "in the field 'level: Odd'"),
    typed("Odd or None", "level: Odd | None = None", "in the field 'level: .*Odd"),
    typed("set[str] or None", "level: set[str] | None = None", "in the field 'level: set"),
    typed("list[set[str]]", "level: list[set[str]] = field(default_factory=list)", "in the field 'level: list"),
    typed("dict[str, Odd]", "level: dict[str, Odd] = field(default_factory=dict)", "in the field 'level: dict"),
    typed("Any, with an object as default", "level: Any = field(default_factory=Odd)", "Value 'Odd' is not a supported primitive type"),
    typed("function", "level: type(len) = len", "in the field 'level: builtin_function_or_method'"),
    typed("int or list[int]", "level: int | list[int] = 1", "Unions of containers are not supported"),
    typed("complex", "level: complex = 1j", "Unexpected type annotation: complex"),
    typed("torch.Tensor", "level: torch.Tensor = None", "in the field 'level: Tensor'"),
    typed("int, with text as default", "level: int = 'high'", "could not be converted to Integer, in the field 'level: int'"),
    typed("int, with None as default", "level: int = None", "in the field 'level: int'"),
    typed("Missing, a name that is not imported", "level: 'Missing' = 1", "name 'Missing' is not defined, in the field 'level: Missing'"),
]


def reward(name: str) -> str:
    return plugin("reward").replace("broken_reward", name)


def folder(file: str, content: str = "seed: 1\n") -> dict[str, str]:
    return {"broken_conf/__init__.py": "", f"broken_conf/{file}": content}


OWN_CONFIGS = "return ['pkg://broken_conf']"
NAMES = [
    load(
        "the name of a built-in component",
        reward("click"),
        r"reward 'click' is claimed by recframe .* \(plugin 'builtin_rewards'\) and broken 1.0 \(plugin 'broken'\), and a built-in component keeps",
    ),
    load(
        "the name of another plugin's component",
        reward("broken_reward"),
        r"reward 'broken_reward' is claimed by another 1.0 \(plugin 'another'\) and broken 1.0 \(plugin 'broken'\)",
        beside={"another": reward("broken_reward")},
    ),
    configs(
        "the name of a built-in experiment",
        OWN_CONFIGS,
        "its file experiment/cartpole.yaml has the name of a config of recframe, which keeps it",
        files=folder("experiment/cartpole.yaml"),
    ),
    configs(
        "the name of a built-in component for a preset",
        OWN_CONFIGS,
        "its file agent/dqn.yaml has the name of the agent of recframe",
        files=folder("agent/dqn.yaml"),
    ),
    configs(
        "the name of the primary config",
        OWN_CONFIGS,
        "its file config.yaml has the name of a config of recframe",
        files=folder("config.yaml"),
    ),
    configs(
        "the name of another plugin's experiment",
        OWN_CONFIGS,
        "its file experiment/best.yaml has the name of a config of another",
        files=folder("experiment/best.yaml") | {"another_conf/__init__.py": "", "another_conf/experiment/best.yaml": "seed: 2\n"},
        beside={"another": hook("config_paths()", "return ['pkg://another_conf']")},
    ),
]


def command(what: str, body: str, message: str) -> Case:
    return load(what, hook("register_commands(app)", body), message)


COMMANDS = [
    command(
        "a command called train", "app.command('train')(lambda: print('mine'))", "the command 'train' of plugin 'broken'.*which keeps it"
    ),
    command("a group called plugins", "app.add_typer(type(app)(), name='plugins')", "'plugins' is a command of recframe, which keeps it"),
    command("a callback for all commands", "app.callback()(lambda: None)", "the callback of plugin 'broken'.*own options would be lost"),
    command("the hook of commands raises an error", "1 / 0", "every command of plugin 'broken'.*ZeroDivisionError"),
    command("the hook of commands ends the process", "raise SystemExit(2)", "every command of plugin 'broken'.*SystemExit: 2"),
    command(
        "a command whose argument has two types",
        "def mine(x: int | str): pass\n    app.command('mine')(mine)",
        "every command of plugin 'broken'.*Union types",
    ),
]

CASES = [*IMPORTS, *HOOKS, *DECLARATIONS, *NAMES, *COMMANDS]
