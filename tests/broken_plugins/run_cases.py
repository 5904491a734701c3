"""Plugins whose fault is noticed in a run."""

# ruff: noqa: E501  # the source of a plugin and its message are read best on one line

from tests.broken_plugins.case import CHOSEN, Case, plugin
from tests.broken_plugins.check_simulation_cases import acting, calling, losing, stepping
from tests.broken_plugins.load_cases import folder, hook

LEARNER = ("agent=dqn", "agent.learning_starts=100")
DATA_TAGS = {"users", "interactions", "attribute:topics", "attribute:topic_weights"}


def run(what: str, kind: str, body: str, error: str, **more) -> Case:
    """A component that fails: the message names the component and the plugin."""
    if kind == "dataset":
        more = {"provides": DATA_TAGS, **more}
    message = rf"(?s)(?=.*{kind}=broken_{kind})(?=.*plugin 'broken')(?=.*{error})"
    # an agent that learns reads states, rewards and observations
    learner = LEARNER if kind == "state_tracker" or "NaN" in what else ()
    return Case(f"in a run, {what}", "run", plugin(kind, body, **more), message, overrides=(CHOSEN[kind], *learner))


def refused(what: str, body: str, error: str, **more) -> Case:
    """A reward that refuses its config, or is not there: a mistake in the config, whose key the message names."""
    return Case(f"in a run, {what}", "run", plugin("reward", body, **more), f"reward=broken_reward.*{error}", overrides=(CHOSEN["reward"],))


def raising(method: str) -> str:
    """A method that looks up what is not there."""
    return f"def {method}(self, *arguments, **options): return [][3]"


ERROR = "IndexError: list index out of range"
FAILURES = [
    run("a constructor that raises a KeyError", "reward", "def __init__(self, config): {}['missing']", "KeyError: 'missing'"),
    refused("a constructor that raises a ValueError", "def __init__(self, config): raise ValueError('no level')", "no level"),
    run("an agent's constructor that raises an error", "agent", raising("__init__"), ERROR),
    run("a tracker's constructor that raises an error", "state_tracker", raising("__init__"), ERROR),
    run("an environment's constructor that raises an error", "environment", raising("__init__"), ERROR),
    run("a dataset's constructor that raises an error", "dataset", raising("__init__"), ERROR),
    run("an encoder's constructor that raises an error", "encoder", raising("__init__"), ERROR),
    run("an error in load", "dataset", raising("load"), ERROR),
    run("an error in encode", "encoder", raising("encode"), ERROR),
    run("an error in forward", "state_tracker", raising("forward"), ERROR),
    run("an error in act", "agent", raising("act"), ERROR),
    run("an error in losses", "agent", raising("losses"), ERROR),
    run("an error in optimizers", "agent", raising("optimizers"), ERROR),
    run("an error in reset", "environment", raising("reset"), ERROR),
    run("an error in step", "environment", raising("step"), ERROR),
    run("an error in a reward", "reward", raising("__call__"), ERROR),
    run("an error in prepare", "reward", raising("prepare"), ERROR),
    run("a reward without __call__", "reward", "class Broken(Reward):\n    def __init__(self, config): pass", "__call__"),
    refused("a factory that is missing", "", "its implementation broken:Missing could not be imported", factory="Missing"),
    run("another signature of the factory", "reward", "def __init__(self, config, catalog): pass", "catalog"),
    run(
        "an agent without super().__init__",
        "agent",
        "def __init__(self, config, spec, state_tracker, seed): self.tracker = state_tracker",
        "__init__",
    ),
    run(
        "an environment without spec",
        "environment",
        "def __init__(self, config, data, **parts):\n    super().__init__(config, data, **parts)\n    del self.spec",
        "spec",
    ),
]
SHAPES = [
    run("load returns nothing", "dataset", "def load(self): pass", "load"),
    run("vectors of another length than dim", "encoder", "dim = 25", "25"),
    run("a reward for each user", "reward", calling("return clicks.sum(dim=1)"), "shape"),
    run("a reward that is a number", "reward", calling("return 1.0"), "tensor"),
    run("a slate of another shape", "agent", acting("return Decision(decision.slate.squeeze(1))"), "shape"),
    run("items that do not exist", "agent", acting("return Decision(decision.slate + 100_000)"), "item"),
    run("act returns a tensor", "agent", acting("return decision.slate"), "Decision"),
    run("losses returns a dict", "agent", "def losses(self, batch): return {'main': self.query.weight.sum()}", "losses"),
    run("the name of no optimizer", "agent", losing("yield 'actor', loss"), "actor"),
    run("optimizers as a list", "agent", "def optimizers(self): return [torch.optim.Adam(self.parameters())]", "optimizers"),
    run(
        "states of another length",
        "state_tracker",
        "def forward(self, observation, items): return super().forward(observation, items)[:, :5]",
        "shape",
    ),
    run("step returns nothing", "environment", stepping("pass"), "Step|step"),
    run("a signal that is missing", "environment", stepping("del step.response.signals['click']\nreturn step"), "click"),
]
NUMBERS = [
    run("a reward that is NaN", "reward", calling("return clicks * torch.nan"), "NaN"),
    run("an observation that is NaN", "environment", stepping("step.observation.history_feedback.fill_(torch.nan)\nreturn step"), "NaN"),
    run(
        "a state that is NaN",
        "state_tracker",
        "def forward(self, observation, items): return super().forward(observation, items) * torch.nan",
        "NaN",
    ),
    run("a vector that is NaN", "encoder", "def encode(self, texts, role): return super().encode(texts, role) * np.float32(np.nan)", "NaN"),
]


def hooked(what: str, signature: str, body: str, message: str) -> Case:
    return Case(what, "run", hook(signature, body), message, overrides=LEARNER if "Callback" in body else ())


CALLBACKS = "callbacks(cfg)"
BROKEN_CALLBACKS = r"the hook recframe_callbacks of plugin '?broken'? \(broken.*\) "
HOOKS = [
    hooked("callbacks that raise an error", CALLBACKS, "1 / 0", BROKEN_CALLBACKS + "failed: ZeroDivisionError"),
    hooked("callbacks that end the process", CALLBACKS, "raise SystemExit(3)", BROKEN_CALLBACKS + "failed: SystemExit: 3"),
    hooked("callbacks with None in the list", CALLBACKS, "return [None]", BROKEN_CALLBACKS + r"returned \[None\]"),
    hooked("callbacks in place of a list", CALLBACKS, "return 'early stopping'", BROKEN_CALLBACKS + "returned 'early stopping'"),
    hooked(
        "a callback that raises an error",
        CALLBACKS,
        "from pytorch_lightning import Callback\n    class Mine(Callback):\n        def on_fit_start(self, *arguments): 1 / 0\n    return [Mine()]",
        r"plugin 'broken' \(broken.*\).*ZeroDivisionError",
    ),
    hooked(
        "a hook that fails at the start",
        "run_started(cfg, run)",
        "1 / 0",
        r"the hook recframe_run_started of plugin '?broken'? .*the run goes on",
    ),
    hooked(
        "a hook that ends the process at the start",
        "run_started(cfg, run)",
        "raise SystemExit(3)",
        r"recframe_run_started of plugin '?broken'? ",
    ),
    hooked("a hook that fails at the end", "run_finished(result)", "1 / 0", r"the hook recframe_run_finished of plugin '?broken'? "),
]


def asked(what: str, source: str, override: str, message: str, **more) -> Case:
    """What a run is told that asks for something of a broken plugin."""
    return Case(what, "run", source, message, overrides=("?", override), **more)


CONFIGS = hook("config_paths()", "return ['pkg://broken_conf']")


def preset(what: str, content: str, message: str) -> Case:
    return asked(what, CONFIGS, "agent=broken_preset", message, files=folder("agent/broken_preset.yaml", content))


ASKED = [
    asked(
        "a component of a plugin that was left out",
        "1 / 0",
        "reward=[lost]",
        "reward has no choice 'lost'.*plugin 'broken' of broken was left out",
    ),
    asked(
        "a component that two plugins claim",
        plugin("reward").replace("broken_reward", "claimed"),
        "reward=[claimed]",
        "reward 'claimed' is claimed by another 1.0 .* and broken 1.0",
        beside={"another": plugin("reward").replace("broken_reward", "claimed")},
    ),
    asked(
        "an experiment of a folder that was left out",
        CONFIGS,
        "experiment=mine",
        "experiment has no choice 'mine'.*config folder of plugin 'broken' of broken was left out",
        files=folder("experiment/cartpole.yaml") | folder("experiment/mine.yaml"),
    ),
    preset("a preset that is no YAML", "defaults: [dqn, _self_\n", "broken_preset.yaml, line 2: not YAML"),
    preset("a preset with an unknown setting", "defaults: [dqn, _self_]\ngama: 0.9\n", "broken_preset.yaml.*gama"),
    preset("a preset with a wrong type", "defaults: [dqn, _self_]\ngamma: high\n", "broken_preset.yaml.*gamma|gamma.*high"),
    preset("a preset of an agent that does not exist", "defaults: [dqm, _self_]\n", "broken_preset.yaml.*dqm|dqm"),
    asked(
        "an experiment with an unknown group",
        CONFIGS,
        "experiment=mine",
        "mine.yaml.*agnet|agnet",
        files=folder("experiment/mine.yaml", "# @package _global_\ndefaults:\n  - override /agnet: dqn\n"),
    ),
]

CASES = [*FAILURES, *SHAPES, *NUMBERS, *HOOKS, *ASKED]
