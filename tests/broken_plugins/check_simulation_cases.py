"""Agents, environments and rewards whose fault `check_component` finds."""

# ruff: noqa: E501  # the source of a plugin and its message are read best on one line

from tests.broken_plugins.check_cases import check

BARE_AGENT = """
class Broken(Agent):
    experience = Replay(1_000, 16, 16, 1)

    def __init__(self, config, spec, state_tracker, seed):
        {constructor}

    def act(self, observation, explore):
        return Decision(random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator))

    def losses(self, batch):
        yield from ()
    {more}
"""


def acting(body: str) -> str:
    """An agent whose `act` ends with these statements; `decision` is what it would show."""
    lines = "\n    ".join(body.split("\n"))
    return f"def act(self, observation, explore):\n    decision = super().act(observation, explore)\n    {lines}"


def losing(body: str) -> str:
    """An agent whose `losses` are these statements; `loss` is the right loss."""
    lines = "\n    ".join(body.split("\n"))
    return f"def losses(self, batch):\n    ((_, loss),) = super().losses(batch)\n    {lines}"


def agent(what: str, body: str, message: str, **more):
    return check(what, "agent", body, message, **more)


AGENTS = [
    agent(
        "an agent without optimizers",
        BARE_AGENT.format(constructor="super().__init__(spec, seed)", more=""),
        "does not implement optimizers, which the interface Agent requires",
    ),
    agent(
        "an agent without super().__init__",
        BARE_AGENT.format(constructor="self.tracker = state_tracker", more="def optimizers(self): return {}"),
        r"its constructor does not call super\(\).__init__\(spec, seed\) first",
    ),
    agent(
        "an agent without submodules and super().__init__",
        BARE_AGENT.format(constructor="self.spec = spec", more="def optimizers(self): return {}"),
        r"its constructor does not call super\(\).__init__\(spec, seed\) first",
    ),
    agent(
        "an agent that calls only the Module's constructor",
        BARE_AGENT.format(constructor="torch.nn.Module.__init__(self)", more="def optimizers(self): return {}"),
        r"no generator or no env_steps: its constructor must call super\(\).__init__\(spec, seed\)",
    ),
    agent("an experience of another type", "experience = 'replay'", "experience must be one of recframe.interfaces.Experience, not str"),
    agent("an experience that is a class", "experience = Replay", "experience must be one of recframe.interfaces.Experience, not type"),
    agent(
        "an agent that learns from sequences and does not say so",
        "experience = Sequences(8, 5)\n\ndef losses(self, batch): yield 'main', self.query.weight.pow(2).mean()",
        "learns from Sequences, which no simulator has: declare requires={'experience:sequences'}",
    ),
    agent("act returns a tensor", acting("return decision.slate"), r"act\(\) must return a recframe.interfaces.Decision, not Tensor"),
    agent("a slate of another shape", acting("return Decision(decision.slate.squeeze(1))"), r"the slate must have the shape \[6, 1\]"),
    agent("a slate of another type", acting("return Decision(decision.slate.float())"), "the slate must be torch.int64"),
    agent("items that do not exist", acting("return Decision(decision.slate + 40)"), "must contain item numbers from 0 to 39"),
    agent(
        "an item twice",
        acting("return Decision(decision.slate[:, :1].expand_as(decision.slate))"),
        "shows the same item twice",
        provides={"slates"},
    ),
    agent("items that are no candidates", acting("return Decision((decision.slate + 1) % 40)"), "act.. showed an item that"),
    agent("a probability above one", acting("return Decision(decision.slate, torch.ones(len(decision.slate)))"), "log_prob is above 0"),
    agent(
        "a probability that is NaN",
        acting("return Decision(decision.slate, torch.full((len(decision.slate),), torch.nan))"),
        "NaN or infinity",
    ),
    agent(
        "an observation changed in place",
        acting("observation.history_feedback.add_(1)\nreturn decision"),
        r"act\(\) changed history_feedback",
    ),
    agent(
        "random numbers from torch's generator", acting("torch.rand(1)\nreturn decision"), r"act\(\) draws from torch's global random state"
    ),
    agent(
        "random numbers from Python's generator",
        acting("import random; random.random()\nreturn decision"),
        "draws from Python's global random",
    ),
    agent("an IndexError in act", acting("[][3]"), r"act\(\) raised IndexError: list index out of range \(broken.py:\d+\)"),
    agent(
        "a count that only act changes",
        "shown = 0\n\n"
        + acting(
            "if explore:\n    self.shown += 1\nreturn Decision(decision.slate + self.shown % 2) if 0 else super().act(observation, explore and self.shown % 3 > 0)"
        ),
        "after load_state_dict the decisions differ: save all that they depend on in state_dict",
    ),
    agent(
        "a temperature that only act changes",
        "temperature = 1.0\n\n"
        + acting(
            "if explore:\n    self.temperature *= 0.9\nreturn super().act(observation, self.temperature > 0.2) if explore else decision"
        ),
        "after load_state_dict the decisions differ: save all that they depend on in state_dict",
    ),
    agent(
        "a generator of its own that is not saved",
        "def prepare_to_act(self):\n    super().prepare_to_act()\n    self.__dict__.setdefault('own', torch.Generator().manual_seed(3))\n\n"
        "def act(self, observation, explore):\n    return Decision(random_items(observation, self.spec.num_items, self.spec.slate_size, self.own))",
        "changes what the agent does next|after load_state_dict the decisions differ|identical",
    ),
    agent(
        "a count that acting without exploration changes",
        "evaluated = 0\n\n" + acting("self.evaluated += not explore\nreturn super().act(observation, explore and self.evaluated < 6)"),
        r"act\(\) without exploration, or rank\(\), changes what the agent does next",
    ),
    agent(
        "a count that only rank changes",
        "ranked = 0\n\ndef rank(self, observation, k):\n    self.ranked += 1\n    return super().rank(observation, k)\n\n"
        + acting("return super().act(observation, explore and self.ranked < 5)"),
        r"act\(\) without exploration, or rank\(\), changes what the agent does next",
        provides={"ranks"},
    ),
    agent(
        "a state that only prepare_to_act changes",
        "prepared = 0\n\ndef prepare_to_act(self):\n    super().prepare_to_act()\n    self.prepared += 1\n\n"
        + acting("return super().act(observation, explore and self.prepared < 5)"),
        "changes what the agent does next|after load_state_dict the decisions differ",
    ),
    agent(
        "a target that is not saved",
        "goal = 0.0\n\n" + losing("yield 'main', loss + self.goal * self.query.weight.sum()\nself.goal += 1.0"),
        "after load_state_dict the losses differ|learning gives another result",
    ),
    agent(
        "a buffer that is made in learning",
        losing("yield 'main', loss\nself.register_buffer('mean', batch.reward.mean())"),
        "built again, cannot load its own state_dict .*make all parameters and buffers in the constructor",
    ),
    agent(
        "losses returns a dict",
        "def losses(self, batch):\n    return {'main': self.query.weight.sum()}",
        r"losses\(\) must be a generator.*; it returned dict",
    ),
    agent(
        "losses returns a list",
        "def losses(self, batch):\n    return [('main', self.query.weight.sum())]",
        r"losses\(\) must be a generator.*; it returned list",
    ),
    agent(
        "losses returns a loss",
        "def losses(self, batch):\n    return self.query.weight.sum()",
        r"losses\(\) must be a generator.*; it returned Tensor",
    ),
    agent("losses returns nothing", "def losses(self, batch): pass", r"losses\(\) must be a generator.*; it returned NoneType"),
    agent("losses yields a loss without a name", losing("yield loss"), r"losses\(\) must be a generator.*; it yielded Tensor"),
    agent("the name of no optimizer", losing("yield 'actor', loss"), r"a loss for 'actor', but optimizers\(\) has \['main'\]"),
    agent("a loss for each user", losing("yield 'main', loss.expand(3)"), "must be a scalar tensor: take its mean"),
    agent("a loss that is a number", losing("yield 'main', float(loss)"), "must be a scalar tensor"),
    agent("a loss that is NaN", losing("yield 'main', loss * torch.nan"), "the loss for 'main' is nan: it must be finite"),
    agent("a loss without a gradient", losing("yield 'main', loss.detach()"), "has no gradient: do not compute it under no_grad"),
    agent(
        "optimizers as a list",
        "def optimizers(self): return [torch.optim.Adam(self.parameters())]",
        r"optimizers\(\) must return a dict of names",
    ),
    agent(
        "an optimizer without a loss",
        "def optimizers(self): return {n: torch.optim.SGD(self.parameters()) for n in ('main', 'critic')}",
        "never yielded a loss for the optimizer 'critic'",
    ),
    agent(
        "an optimizer of half the parameters",
        "def optimizers(self): return {'main': torch.optim.Adam(self.query.parameters())}",
        r"the losses reach 'tracker.* which no optimizer of optimizers\(\) has",
    ),
    agent(
        "an optimizer with a parameter twice",
        "def optimizers(self):\n    import warnings\n    warnings.simplefilter('ignore')\n    return {'main': torch.optim.Adam([*self.parameters(), self.query.weight])}",
        "the optimizer 'main' has a parameter twice",
    ),
    agent(
        "an optimizer of foreign parameters",
        "def optimizers(self): return {'main': torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])}",
        "steps parameters that the agent does not contain",
    ),
    agent(
        "a learning rate of zero",
        "def optimizers(self): return {'main': torch.optim.SGD(self.parameters(), lr=0.0)}",
        "no weight changed in learning",
    ),
    agent(
        "a batch changed in place", losing("batch.reward.zero_()\nyield 'main', loss"), r"losses\(\) changed reward of the batch in place"
    ),
    agent(
        "an extra state without the generator",
        "def get_extra_state(self): return {}\n\ndef set_extra_state(self, state): pass",
        "env_steps or the generator is not restored",
    ),
    agent(
        "an extra state with an array",
        "def get_extra_state(self): return super().get_extra_state() | {'counts': np.zeros(3)}",
        "does not survive torch.load",
    ),
    agent("diagnostics of text", "def diagnostics(self): return {'mood': 'good'}", "the diagnostic 'mood' must be a number"),
    agent("diagnostics that are no dict", "def diagnostics(self): return [1.0]", r"diagnostics\(\) must return a dict, not list"),
    agent(
        "a tag for ranking without rank",
        "rank = Agent.rank",
        "rank.. raised NotImplementedError: .* implements no rank",
        provides={"ranks"},
    ),
    agent(
        "a ranking that repeats an item",
        "def rank(self, observation, k): return super().rank(observation, k)[:, :1].expand(-1, k)",
        r"rank\(\)",
        provides={"ranks"},
    ),
]


def stepping(body: str) -> str:
    """An environment whose `step` ends with these statements; `step` is the right outcome."""
    lines = "\n    ".join(body.split("\n"))
    return f"def step(self, slate):\n    step = super().step(slate)\n    {lines}"


def world(what: str, body: str, message: str, **more):
    return check(what, "environment", body, message, **more)


WORLDS = [
    world(
        "an environment without methods",
        "class Broken(Environment):\n    def __init__(self, config, **parts): pass\n    def reset(self, seed): pass",
        "does not implement load_state_dict, state_dict, step, which the interface Environment requires",
    ),
    world(
        "an environment without spec",
        "def __init__(self, config, data, num_users, history_length, split, device):\n"
        "    super().__init__(config, data, num_users, history_length, split, device)\n    del self.spec",
        "the environment has no spec: set self.spec, an EnvironmentSpec",
    ),
    world(
        "a spec of another type",
        "def __init__(self, config, data, **parts):\n    super().__init__(config, data, **parts)\n    self.spec = vars(self.spec)",
        "environment.spec must be an EnvironmentSpec, not dict",
    ),
    world(
        "another number of users",
        "def __init__(self, config, data, num_users, **parts): super().__init__(config, data, 3, **parts)",
        "that it was built with",
    ),
    world("step returns a tuple", stepping("return tuple(step)"), "must return a recframe.interfaces.Step, not tuple"),
    world("step returns nothing", stepping("pass"), "must return a recframe.interfaces.Step, not NoneType"),
    world(
        "reset returns nothing",
        "def reset(self, seed): super().reset(seed)",
        "reset.. must be a recframe.interfaces.Observation, not NoneType",
    ),
    world(
        "sessions that never end",
        stepping(
            "no = torch.zeros_like(step.terminated)\nself.steps = self.steps * 0\nstep.response.leave = no\nreturn step._replace(terminated=no, truncated=no, observation=step.next_observation)"
        )
        + "\n\ndef _hold(self): pass",
        "no session ended within 1000 steps|observation",
    ),
    world(
        "a user who left and continues",
        stepping("step.response.leave = ~step.response.leave\nreturn step"),
        "a user left .* whose session continues",
    ),
    world(
        "a signal that is not in the spec",
        stepping("step.response.signals['tap'] = step.response.signals['click']\nreturn step"),
        "the response has the signals",
    ),
    world(
        "a signal that is not declared",
        "",
        "gives the signal 'rating': declare provides={'signal:rating'}",
        provides={"actions:items", "signal:click", "truth"},
    ),
    world(
        "a signal that is NaN",
        stepping("step.response.signals['click'] = step.response.signals['click'] * torch.nan\nreturn step"),
        "NaN or infinity",
    ),
    world(
        "NaN in the observation",
        stepping("step.next_observation.history_feedback = step.next_observation.history_feedback * torch.nan\nreturn step"),
        "contains NaN or infinity",
    ),
    world(
        "users in double precision",
        stepping("step.next_observation.user = step.next_observation.user.double()\nreturn step"),
        "user must be torch.int64",
    ),
    world(
        "users who do not exist",
        stepping("step.next_observation.user = step.next_observation.user + 1000\nreturn step"),
        "must contain rows of Data.users",
    ),
    world(
        "the last observation is that of the next user",
        stepping("return step._replace(next_observation=step.observation)"),
        "of a finished user is not their last one",
    ),
    world(
        "a history without the slate",
        "def step(self, slate): return super().step((slate + 1) % 40)",
        "does not end with the slate just shown",
    ),
    world(
        "one user for all seeds ignored",
        "def reset(self, seed): return super().reset(int(torch.randint(9999, ())))",
        "draws from torch's global random state|gave another session",
    ),
    world(
        "a constructor that draws from torch's generator",
        "def __init__(self, config, data, **parts):\n    super().__init__(config, data, **parts)\n    self.click_probability = torch.rand_like(self.click_probability)",
        "an environment that was built again gave another session for the same seed",
    ),
    world(
        "draws that depend on the slates",
        stepping("torch.rand(int(slate.sum()) % 5 + 1, generator=self.generator)\nreturn step"),
        "the number of random draws in a step depends on the slates",
    ),
    world(
        "a state without the generator",
        "def state_dict(self): return {k: v for k, v in super().state_dict().items() if k != 'generator'}",
        "contains no generator state",
    ),
    world(
        "a state with an array",
        "def state_dict(self): return {**super().state_dict(), 'clock': np.zeros(3)}",
        "does not survive torch.load",
    ),
    world(
        "a clock that is not restored",
        "def load_state_dict(self, state): return super().load_state_dict({**state, 'steps': torch.zeros_like(self.steps)})",
        "continued differently",
    ),
    world(
        "a state that only step changes and that is not saved",
        "boredom = 0.0\n\n"
        + stepping("self.boredom += 0.3\nclicks = step.response.signals['click']\nreturn step")
        + "\n\ndef _click_probability(self, slate): return (super()._click_probability(slate) - self.boredom).clamp(min=0)"
        + "\n\ndef reset(self, seed):\n    if not self.__dict__.get('steps', torch.zeros(1)).any(): self.boredom = 0.0\n    return super().reset(seed)",
        "continued differently|gave another session",
    ),
    world(
        "load_state_dict returns nothing",
        "def load_state_dict(self, state): super().load_state_dict(state)",
        "must return the observation that the next step acts on",
    ),
    world(
        "a kind of actions that is not declared",
        "",
        "takes actions that are items: declare provides={'actions:items'}",
        provides={"signal:click", "signal:rating", "truth"},
    ),
    world(
        "a truth that is not declared",
        "",
        r"has a truth\(\): declare provides={'truth'}",
        provides={"actions:items", "signal:click", "signal:rating"},
    ),
    world("a truth that is declared and missing", "def truth(self): return None", r"provides 'truth', but truth\(\) is None"),
    world(
        "an impossible probability of leaving",
        "def truth(self): return super().truth()._replace(leave=torch.full((6, 40), 1.5))",
        "must be a probability",
    ),
    world(
        "a truth that changes the state",
        "def truth(self):\n    torch.rand(1, generator=self.generator)\n    return super().truth()",
        "it must only read it",
    ),
    world(
        "slates that are not declared",
        "def __init__(self, config, data, num_users, history_length, **parts):\n    ToyEnvironment.__init__(self, toy_spec(data, num_users=num_users, history_length=history_length, slate_size=2), data)",
        "takes slates of 2: declare provides={'slates'}",
    ),
    world("evaluation users who are in training", "", "users of the evaluation split are in training too", requires={"users"}),
    world("a report of text", "def report(self): return {'error': 'large'}", r"report\(\) must return a dict of strings to floats"),
    world("caveats in one text", "def caveats(self): return 'none'", r"caveats\(\) must return a tuple of sentences"),
    world("a KeyError in step", stepping("{}['clicks']"), r"step\(\) raised KeyError: 'clicks' \(broken.py:\d+\)"),
    world("own items without own_data", "", r"provides 'catalog', but own_data\(\) returns no Data", provides={"actions:items", "catalog"}),
]


def reward(what: str, body: str, message: str, **more):
    return check(what, "reward", body, message, **more)


CLICK = "transition.response.signals['click']"


def calling(body: str) -> str:
    return f"def __call__(self, transition, catalog):\n    clicks = super().__call__(transition, catalog)\n    {body}"


REWARDS = [
    reward(
        "a reward without __call__",
        "class Broken(Reward):\n    def __init__(self, config): pass",
        "does not implement __call__, which the interface Reward requires",
    ),
    reward("a reward for each user", calling("return clicks.sum(dim=1)"), r"the reward must have the shape \[8, 1\], not \[8\]"),
    reward("a reward that is a number", calling("return 1.0"), "the reward must be a tensor, not float"),
    reward("a reward in double precision", calling("return clicks.double()"), "the reward must be torch.float32"),
    reward("a reward that is NaN", calling("return clicks / 0 - clicks / 0"), "the reward contains NaN or infinity"),
    reward(
        "a signal that is not required",
        "",
        "reads the signal 'click', which it does not declare: add requires={'signal:click'}",
        requires=set(),
    ),
    reward(
        "a misspelt signal", calling("return transition.response.signals['clicks']"), "reads the signal 'clicks', which it does not declare"
    ),
    reward("a KeyError in a reward", calling("{}['weights']"), r"__call__\(\) raised KeyError: 'weights' \(broken.py:\d+\)"),
    reward(
        "a transition changed in place",
        calling("transition.response.signals['click'].add_(1)\n    return clicks"),
        "changed response.signals.click of the transition in place",
    ),
    reward(
        "a reward that counts its calls",
        "calls = 0\n\n" + calling("self.calls += 1\n    return clicks * self.calls"),
        "the same transition got another reward the second time",
    ),
    reward(
        "a reward that keeps a maximum",
        "top = 0.0\n\n"
        + calling(
            "values = clicks * transition.slate\n    self.top = max(self.top, float(values.max()), 1.0)\n    return values / self.top"
        ),
        "the same transition got another reward the second time: .*no checkpoint saves its state",
    ),
    reward(
        "a reward with random weights",
        "def __init__(self, config): self.scale = torch.rand(())\n\n" + calling("return clicks * self.scale"),
        "a reward that was built again gives another value",
    ),
    reward("a reward with noise", calling("return clicks + torch.rand_like(clicks)"), "draws from torch's global random state"),
    reward(
        "a reward that is not itemwise",
        calling("return clicks.sum(dim=1, keepdim=True).expand_as(transition.slate).clone()"),
        "provides 'itemwise', but an item's value depends on the rest",
        provides={"itemwise"},
    ),
]

CASES = [*AGENTS, *WORLDS, *REWARDS]
