"""Components whose fault `check_component` finds."""

# ruff: noqa: E501  # the source of a plugin and its message are read best on one line

from tests.broken_plugins.case import Case, plugin


def check(what: str, kind: str, body: str, message: str, **more) -> Case:
    return Case(what, "check", plugin(kind, body, **more), message)


def config(field: str) -> str:
    sizes = 'num_users: int = option(6, "users", ge=1)\n    history_length: int = option(5, "items", ge=1)'
    return f'@dataclass\nclass Settings:\n    "Settings of this test."\n    {sizes}\n    {field}\n'


# --- what is declared, and how the component is built

DECLARED = [
    check(
        "no description of a component", "reward", "", "has no description", config=config("").replace('    "Settings of this test."\n', "")
    ),
    check("no description of an option", "reward", "", "the option 'size' has no description", config=config("size: int = 3")),
    check(
        "a default out of its own bounds",
        "reward",
        "",
        "default of 'size': 0 is not allowed",
        config=config("size: int = option(0, 'x', ge=1)"),
    ),
    check(
        "a default that is no choice",
        "reward",
        "",
        "must be one of a, b",
        config=config("mode: str = option('c', 'x', choices=['a', 'b'])"),
    ),
    check("a mandatory option without a value", "reward", "", "'path' is mandatory: pass", config=config("path: str = option('???', 'x')")),
    check(
        "defaults that contradict each other",
        "reward",
        "",
        "a run refuses its config: reward.low is above reward.high",
        config=config("low: int = option(3, 'x')\n    def contradictions(self): yield 'reward.low is above reward.high'"),
    ),
    check(
        "a path that must exist and does not",
        "reward",
        "",
        "a run refuses its config: reward.path: '/no/such/file' does not exist",
        config=config("path: str = option('/no/such/file', 'x', exists=True)"),
    ),
    check("a factory that is missing", "reward", "", "its factory 'broken:Missing' cannot be imported", factory="Missing"),
    Case(
        "a factory that is no function or class",
        "check",
        plugin("reward", factory="NUMBER") + "\nNUMBER = 3\n",
        "its factory 'broken:NUMBER' is not callable",
    ),
    Case(
        "the factory's module is missing",
        "check",
        plugin("reward").replace('"broken:Broken"', '"broken.parts:Broken"'),
        "its factory 'broken.parts:Broken' cannot be imported: No module named 'broken.parts'",
    ),
    check(
        "a tuple that arrives as a list",
        "reward",
        "def __init__(self, config): hash(config.sizes)",
        "its constructor raised TypeError: unhashable type: 'list'",
        config=config("sizes: tuple[int, ...] = option((1, 2), 'x')"),
    ),
    check(
        "a constructor that reads the name",
        "reward",
        "def __init__(self, config): config.name",
        "AttributeError: 'Settings' object has no attribute 'name'",
        config=config(""),
    ),
    check(
        "a constructor that reads the weight",
        "reward",
        "def __init__(self, config): config.weight",
        "no attribute 'weight'",
        config=config(""),
    ),
    check(
        "a constructor with a KeyError",
        "reward",
        "def __init__(self, config): {}['missing']",
        r"its constructor raised KeyError: 'missing' \(broken.py:\d+\)",
    ),
    check(
        "prepare with a KeyError",
        "reward",
        "def prepare(self, data): {}['missing']",
        r"prepare\(\) raised KeyError: 'missing' \(broken.py:\d+\)",
    ),
    check(
        "a constructor with other arguments",
        "reward",
        "def __init__(self, config, catalog): pass",
        r"must be callable as factory\(config\): missing a required argument: 'catalog'",
    ),
    check(
        "a tag that depends on an option that is missing",
        "reward",
        "",
        "depends on the option 'shade', which Config lacks",
        requires={"attribute:{shade}"},
    ),
    check(
        "an attribute that the data lack",
        "reward",
        "",
        "requires 'attribute:colour', which the toy data lacks",
        requires={"attribute:colour"},
    ),
    check("another kind's class", "agent", "Broken = SoundReward", r"must be callable as factory\(config, spec=, state_tracker=, seed=\)"),
    check(
        "a factory that returns nothing",
        "reward",
        "def Broken(config): pass",
        "a reward must subclass recframe.interfaces.Reward; NoneType does not",
    ),
]

# --- datasets

DATASETS = [
    check(
        "a dataset without load",
        "dataset",
        "class Broken(Dataset):\n    def __init__(self, config): pass",
        "does not implement load, which the interface Dataset requires",
    ),
    check(
        "a dataset that subclasses nothing",
        "dataset",
        "class Broken:\n    def __init__(self, config): pass",
        "must subclass recframe.interfaces.Dataset",
    ),
    check(
        "load returns a tuple",
        "dataset",
        "def load(self): return tuple(toy_data())",
        r"load\(\) must return recframe.interfaces.Data, not tuple",
    ),
    check("load returns nothing", "dataset", "def load(self): pass", r"load\(\) must return recframe.interfaces.Data, not NoneType"),
    check(
        "a dataset that draws anew at each load",
        "dataset",
        "def load(self): return toy_data(seed=int(torch.randint(9999, ())))",
        "two loads differ in catalog",
    ),
    check(
        "a dataset that draws in its constructor",
        "dataset",
        "def __init__(self, config): self.draw = int(torch.randint(9999, ()))\n\ndef load(self): return toy_data(seed=self.draw)",
        "two loads differ in catalog",
    ),
    check(
        "a dataset that keeps what it drew",
        "dataset",
        "def load(self):\n    self.data = getattr(self, 'data', None) or toy_data(seed=int(torch.randint(9999, ())))\n    return self.data",
        "two loads differ in catalog",
    ),
    check(
        "interactions without users",
        "dataset",
        "def load(self): return toy_data()._replace(users=None)",
        "interactions refer to rows of Data.users, which is None",
    ),
    check(
        "ratings of another shape",
        "dataset",
        "def load(self): return toy_data()._replace(ratings=torch.zeros(3, 3))",
        r"ratings must have the shape \[60, 40\]",
    ),
    check(
        "a tag of data that are not loaded",
        "dataset",
        "def load(self): return toy_data()._replace(interactions=None)",
        "provides 'interactions', but does not load it",
        provides={"interactions"},
    ),
    check(
        "negative popularity",
        "dataset",
        "def load(self):\n    data = toy_data()\n    data.catalog.popularity[0] = -1\n    return data",
        "catalog.popularity has a negative value",
    ),
    check(
        "nobody held out",
        "dataset",
        "def load(self): return toy_data()._replace(held_out=torch.zeros(60, dtype=torch.bool))",
        "held_out holds out no user",
    ),
]

# --- encoders

ENCODERS = [
    check(
        "an encoder without a fingerprint",
        "encoder",
        "class Broken(Encoder):\n    dim = 3\n    def __init__(self, config, device): pass\n    def encode(self, texts, role): return np.zeros((len(texts), 3))",
        "does not implement fingerprint, which the interface Encoder requires",
    ),
    check(
        "vectors in double precision",
        "encoder",
        "def encode(self, texts, role): return super().encode(texts, role).astype(float)",
        r"encode\(\) must return float32, not float64",
    ),
    check(
        "vectors as a tensor",
        "encoder",
        "def encode(self, texts, role): return torch.tensor(super().encode(texts, role))",
        "must return a numpy array, not Tensor",
    ),
    check("vectors of another length than dim", "encoder", "dim = 25", r"must have the shape \[n, dim\] = \(5, 25\)"),
    check(
        "NaN for a short text",
        "encoder",
        "def encode(self, texts, role): return super().encode(texts, role) + np.array([[np.nan if len(text) < 9 else 0] for text in texts], dtype=np.float32)",
        r"encode\(\) gave NaN or infinity",
    ),
    check(
        "vectors that depend on the other texts",
        "encoder",
        "def encode(self, texts, role):\n    x = super().encode(texts, role)\n    return x - x.mean(axis=0)",
        "a text's vector depends on the other texts",
    ),
    check(
        "vectors in another order",
        "encoder",
        "def encode(self, texts, role): return super().encode(sorted(texts), role)",
        "does not keep the order of its texts",
    ),
    check(
        "one vector for all texts",
        "encoder",
        "def encode(self, texts, role): return np.ones((len(texts), 26), dtype=np.float32)",
        "gives different texts the same vector",
    ),
    check(
        "vectors with noise",
        "encoder",
        "def encode(self, texts, role): return super().encode(texts, role) + np.random.rand(len(texts), 26).astype(np.float32)",
        "gave other vectors the second time",
    ),
    check(
        "weights that are drawn without a seed",
        "encoder",
        "def __init__(self, config, device): self.scale = torch.rand(()).item()\n\ndef encode(self, texts, role): return super().encode(texts, role) * np.float32(self.scale)",
        "two encoders of one config, fitted on the same texts, differ",
    ),
    check("an empty fingerprint", "encoder", "fingerprint = ''", "fingerprint must be a non-empty string"),
    check(
        "a fingerprint without what was fitted",
        "encoder",
        "def fit(self, texts): self.scale = len(''.join(texts))\n\ndef encode(self, texts, role): return super().encode(texts, role) / np.float32(self.scale)",
        r"fitted on other texts, it gives other vectors .*include what fit\(\) learned",
    ),
    check(
        "a fingerprint without an option",
        "encoder",
        "def encode(self, texts, role): return super().encode(texts, role) * np.float32(self.config.level)",
        "with level=.*other vectors under the same fingerprint",
    ),
]

# --- state trackers

TRACKERS = [
    check(
        "a tracker without forward",
        "state_tracker",
        "class Broken(StateTracker):\n    def __init__(self, config, spec, data): super().__init__(spec, data, 4)",
        "does not implement forward, which the interface StateTracker requires",
    ),
    check(
        "a tracker without super().__init__",
        "state_tracker",
        "class Broken(StateTracker):\n    def __init__(self, config, spec, data): self.linear = torch.nn.Linear(2, 2)\n    def forward(self, observation, items): return items",
        r"its constructor does not call super\(\).__init__\(spec, data, item_dim\) first",
    ),
    check(
        "a tracker that calls only the Module's constructor",
        "state_tracker",
        "class Broken(StateTracker):\n    def __init__(self, config, spec, data):\n        torch.nn.Module.__init__(self)\n        self.state_dim = 3\n    def forward(self, observation, items): return items",
        r"must call super\(\).__init__\(spec, data, item_dim\)",
    ),
    check(
        "a tracker without state_dim",
        "state_tracker",
        "class Broken(StateTracker):\n    def __init__(self, config, spec, data): super().__init__(spec, data, 4)\n    def forward(self, observation, items): return items[observation.user]",
        "must set self.state_dim",
    ),
    check(
        "states of another length",
        "state_tracker",
        "def __init__(self, config, spec, data):\n    super().__init__(config, spec, data)\n    self.state_dim = 9",
        r"the state must have the shape \[12, 9\]",
    ),
    check(
        "states that depend on the padding",
        "state_tracker",
        "def forward(self, observation, items): return super().forward(observation, items) + items[observation.history_items].mean(dim=1)",
        "prepending PAD to the histories changed the state",
    ),
    check(
        "states that depend on other users",
        "state_tracker",
        "def forward(self, observation, items):\n    state = super().forward(observation, items)\n    return state - state.mean(dim=0) + observation.user.unsqueeze(1)",
        "a user's state depends on the other users in the batch",
    ),
    check(
        "states without a gradient",
        "state_tracker",
        "def forward(self, observation, items): return super().forward(observation, items).detach()",
        "the parameter .* gets no gradient",
    ),
    check(
        "a parameter that is not used",
        "state_tracker",
        "def __init__(self, config, spec, data):\n    super().__init__(config, spec, data)\n    self.unused = torch.nn.Linear(2, 2)",
        "'unused.weight' gets no gradient",
    ),
    check(
        "a tracker that remembers what it was shown",
        "state_tracker",
        "largest = 0.0\n\ndef forward(self, observation, items):\n    state = super().forward(observation, items)\n    self.largest = max(self.largest, float(state.detach().abs().max()))\n    return state / max(self.largest, 1e-9) + 0 * state",
        "a state depends on what the tracker was shown before|the same observation gave another state|prepending|depends",
    ),
    check(
        "a drawn tensor that is not saved",
        "state_tracker",
        "def __init__(self, config, spec, data):\n    super().__init__(config, spec, data)\n    self.scale = torch.rand(8) + 1\n\ndef forward(self, observation, items): return super().forward(observation, items) * self.scale",
        "built again and loaded the state_dict gives other states: register all tensors",
    ),
    check(
        "a buffer that is made in the first call",
        "state_tracker",
        "def forward(self, observation, items):\n    if not hasattr(self, 'late'): self.register_buffer('late', torch.ones(8))\n    return self.late * super().forward(observation, items)",
        "built again, cannot load its own state_dict .*make all parameters and buffers in the constructor",
    ),
    check(
        "states that are random",
        "state_tracker",
        "def forward(self, observation, items): return super().forward(observation, items) + torch.rand(())",
        "draws from torch's global random state",
    ),
    check(
        "states that are random by numpy",
        "state_tracker",
        "def forward(self, observation, items): return super().forward(observation, items) + float(np.random.rand())",
        "draws from numpy's global random state",
    ),
    check(
        "project_items without rows",
        "state_tracker",
        "def project_items(self): return super().project_items()",
        r"project_items\(\) must take rows=None",
    ),
    check(
        "item numbers of the catalogue in a tracker",
        "state_tracker",
        "def forward(self, observation, items): return super().forward(observation, items) + observation.history_items.clamp(min=0).sum(dim=1, keepdim=True)",
        "the same items under other numbers gave another state",
    ),
]

CASES = [*DECLARED, *DATASETS, *ENCODERS, *TRACKERS]
