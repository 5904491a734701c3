"""`check_agent`: the conformance check of agents."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import Tensor

from recframe.interfaces import (
    PAD,
    Agent,
    Decision,
    Environment,
    EnvironmentSpec,
    Experience,
    NoExperience,
    Observation,
    Replay,
    Rollout,
    Sequences,
    Transition,
    WholeLog,
    is_excluded,
)
from recframe.testing.conformance import difference, own_randomness, require, require_tensor, saved_and_loaded, state_difference
from recframe.testing.loop import collect, random_action, update
from recframe.testing.running_out import check_running_out
from recframe.testing.toy import toy_log, toy_sequences

ROUNDS = 3
STEPS = 6


def check_agent(agent: Agent, environment: Environment) -> None:
    """Check an agent by letting it act, learn, save and continue in an environment with the specification it was built for.

    The check trains the agent. `recframe.testing.ToyEnvironment(spec, data)` is a suitable environment.

    Raises
    ------
    ConformanceError: with what is wrong and how to fix it.
    """
    require(isinstance(agent, Agent), f"an agent must subclass recframe.interfaces.Agent; {type(agent).__name__} does not")
    require(
        isinstance(agent.experience, get_args(Experience)),
        f"experience must be one of recframe.interfaces.Experience, not {type(agent.experience).__name__}",
    )
    for observation in _observations(environment):
        for explore in (True, False):
            _check_decision(agent, observation, explore)
    optimizers = agent.optimizers()
    _check_optimizers(agent, optimizers)
    if isinstance(agent.experience, NoExperience):
        _check_continuation(agent, optimizers, environment, [])
        return
    batches = _batches(agent, environment, 2 * ROUNDS)
    _check_learning(agent, optimizers, batches[:ROUNDS])
    if isinstance(agent.experience, Replay | Rollout):
        check_running_out(agent, batches[ROUNDS])
        _check_replay_options(agent, batches[ROUNDS])
    _check_diagnostics(agent)
    _check_continuation(agent, optimizers, environment, batches[ROUNDS:])


def _observations(environment: Environment) -> list[Observation]:
    """Observations of new sessions, of running sessions, of a single user, and of more users than in training."""
    new = environment.reset(0)
    action = random_action(new, environment.spec, torch.Generator(environment.spec.device).manual_seed(0))
    later = environment.step(action).observation
    both: Observation = torch.cat([new, later])  # type: ignore[assignment,list-item]  # tensorclasses concatenate like tensors
    return [new, later, later[:1], both]


def _check_decision(agent: Agent, observation: Observation, explore: bool) -> None:
    spec, users = agent.spec, len(observation.user)
    before, twin = observation.clone(), copy.deepcopy(agent)
    with torch.no_grad(), own_randomness("act()"):
        agent.prepare_to_act()
        decision = agent.act(observation, explore)
    require(isinstance(decision, Decision), f"act() must return a recframe.interfaces.Decision, not {type(decision).__name__}")
    slate, log_prob = decision
    if spec.actions == "continuous":
        _check_action(slate, spec, users)
    else:
        _check_slate(slate, spec, observation)
    if log_prob is not None:
        require_tensor(log_prob, "log_prob", (users,), torch.float32, spec.device)
        # the probability of a slate, but the density of a continuous action
        require(
            spec.actions != "items" or (log_prob <= 1e-5).all(), "log_prob is above 0: it must be the logarithm of the slate's probability"
        )
    field = difference(observation, before)
    require(field is None, f"act() changed {field} of the observation in place: replay would keep the change")
    with torch.no_grad():
        twin.prepare_to_act()
        same = torch.equal(twin.act(observation, explore).slate, slate)
    require(same, "an identical agent made another decision: draw all random numbers from self.generator")


def _check_action(action: Tensor, spec: EnvironmentSpec, users: int) -> None:
    require_tensor(action, "the action", (users, spec.action_size), torch.float32, spec.device)
    low, high = (torch.tensor(bounds, device=spec.device) for bounds in (spec.action_low, spec.action_high))
    require(((action >= low) & (action <= high)).all(), "the action is out of bounds: keep it between spec.action_low and spec.action_high")


def _check_slate(slate: Tensor, spec: EnvironmentSpec, observation: Observation) -> None:
    require_tensor(slate, "the slate", (len(observation.user), spec.slate_size), torch.int64, spec.device)
    require(((slate >= 0) & (slate < spec.num_items)).all(), f"the slate must contain item numbers from 0 to {spec.num_items - 1}")
    ordered = slate.sort(dim=1).values
    require((ordered[:, 1:] != ordered[:, :-1]).all(), "a slate shows the same item twice: choose without replacement")
    if observation.candidates is not None:
        allowed = (slate.unsqueeze(2) == observation.candidates.masked_fill(observation.candidates == PAD, -2).unsqueeze(1)).any(dim=2)
        require(allowed.all(), "act() showed an item that is not a candidate: mask scores with recframe.interfaces.allowed_items")
    excluded = is_excluded(observation, slate).any()
    require(not excluded, "act() showed an item that the observation excludes: mask scores with recframe.interfaces.allowed_items")


def _check_optimizers(agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
    require(
        isinstance(optimizers, dict) and all(isinstance(o, torch.optim.Optimizer) for o in optimizers.values()),
        "optimizers() must return a dict of names to torch optimizers",
    )
    learns = not isinstance(agent.experience, NoExperience)
    require(learns or not optimizers, "an agent with optimizers must say what experience it learns from, not NoExperience")
    own = {id(parameter) for parameter in agent.parameters()}
    for name, optimizer in optimizers.items():
        optimized = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        require(
            optimized <= own,
            f"the optimizer {name!r} steps parameters that the agent does not contain and so would not save: register them as a submodule",
        )


def _batches(agent: Agent, environment: Environment, count: int) -> list[Any]:
    """Training batches of the kind the agent asks for."""
    if isinstance(agent.experience, Sequences):
        return [toy_sequences(agent.spec, agent.experience, seed) for seed in range(count)]
    if isinstance(agent.experience, WholeLog):
        return [toy_log(agent.spec, seed) for seed in range(count)]
    observation, generator = environment.reset(1), torch.Generator(environment.spec.device).manual_seed(0)
    batches = []
    for _ in range(count):
        rollout, observation = collect(agent, environment, observation, STEPS)
        if isinstance(agent.experience, Replay):
            rollout = _replayed(rollout.reshape(-1), agent.experience, generator)
        batches.append(rollout)
    return batches


def _replayed(pool: Transition, plan: Replay, generator: torch.Generator) -> Transition:
    """A batch as from a replay memory: with discounts of several steps and with weights, if the agent asks for them."""
    size, device = (plan.batch_size,), generator.device
    batch = pool[torch.randint(len(pool), size, generator=generator, device=device)]
    if plan.n_step > 1:
        batch.discount = plan.gamma ** torch.randint(1, plan.n_step + 1, size, generator=generator, device=device)
    if plan.priority_exponent > 0:
        # the largest weight is 1, and none is 0
        weight = 0.1 + torch.rand(size, generator=generator, device=device)
        batch.weight = weight / weight.max()
    return batch


def _check_learning(agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer], batches: list[Any]) -> None:
    weights = copy.deepcopy({name: value for name, value in agent.state_dict().items() if isinstance(value, Tensor)})
    stepped = set()
    for batch in batches:
        before = copy.deepcopy(batch)
        with own_randomness("losses()"):
            for name, loss in agent.losses(batch):
                _check_loss(name, loss, optimizers)
                optimizers[name].zero_grad()
                loss.backward()
                _check_gradients(name, optimizers[name])
                optimizers[name].step()
                stepped.add(name)
        _check_priorities(agent, batch)
        field = difference(batch, before)
        require(field is None, f"losses() changed {field} of the batch in place: it belongs to the replay memory or the rollout")
    unused = sorted(set(optimizers) - stepped)
    require(
        not unused,
        f"losses() never yielded a loss for the optimizer {unused[0] if unused else ''!r} in {len(batches)} batches: yield or drop it",
    )
    after = agent.state_dict()
    require(
        all(after[name].isfinite().all() for name in weights if weights[name].is_floating_point()), "learning made a weight NaN or infinite"
    )
    require(
        any(not torch.equal(after[name], weights[name]) for name in weights),
        "no weight changed in learning: do not detach the loss; values learned without an optimizer must be buffers",
    )


def _check_priorities(agent: Agent, batch: Transition) -> None:
    """Check the priorities, which replay asks for after each batch."""
    if not isinstance(agent.experience, Replay) or agent.experience.priority_exponent == 0:
        return
    priorities = agent.priorities()
    require(
        priorities is not None,
        "priorities() is None, but the agent asks for prioritized replay: return each transition's absolute error, or do not ask for it",
    )
    assert priorities is not None
    require_tensor(priorities, "priorities()", tuple(batch.batch_size), torch.float32, agent.spec.device)
    require((priorities >= 0).all(), "priorities() has a value below 0: return absolute errors")
    require(not priorities.requires_grad, "priorities() has a gradient, which the replay memory would keep: detach it")


def _check_replay_options(agent: Agent, batch: Transition) -> None:
    """An agent must use the discounts and weights that it asks its replay memory for."""
    plan = agent.experience
    if batch.discount is not None:
        reverse = torch.arange(len(batch) - 1, -1, -1, device=agent.spec.device)
        # an agent that does not read the next state has nothing to discount
        require(
            _matters(agent, batch, "discount", 1 - batch.discount)
            or not _matters(agent, batch, "next_observation", batch.next_observation[reverse]),
            "losses() ignores batch.discount, but the agent asks for n_step > 1: discount the next state's value by it",
        )
    if batch.weight is not None and isinstance(plan, Replay) and plan.importance_exponent > 0:
        require(
            _matters(agent, batch, "weight", batch.weight.flip(0)),
            "losses() ignores batch.weight, but the agent asks for prioritized replay: weight each transition's loss by it",
        )


def _matters(agent: Agent, batch: Transition, field: str, value: Tensor | Observation) -> bool:
    """Whether the update changes with the field's value."""
    changed = batch.clone()
    setattr(changed, field, value)
    one, other = copy.deepcopy(agent), copy.deepcopy(agent)
    if update(one, one.optimizers(), batch) != update(other, other.optimizers(), changed):
        return True
    return state_difference(one.state_dict(), other.state_dict()) is not None


def _check_loss(name: str, loss: Tensor, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
    require(name in optimizers, f"losses() yielded a loss for {name!r}, but optimizers() has {sorted(optimizers)}: use one of those names")
    require(isinstance(loss, Tensor) and loss.dim() == 0, f"the loss for {name!r} must be a scalar tensor: take its mean")
    require(loss.isfinite(), f"the loss for {name!r} is {loss.item()}: it must be finite")
    require(loss.requires_grad, f"the loss for {name!r} has no gradient: do not compute it under no_grad or detach it")


def _check_gradients(name: str, optimizer: torch.optim.Optimizer) -> None:
    gradients = [parameter.grad for group in optimizer.param_groups for parameter in group["params"] if parameter.grad is not None]
    require(len(gradients) > 0, f"the loss for {name!r} reaches none of the parameters of its optimizer")
    require(all(gradient.isfinite().all() for gradient in gradients), f"the loss for {name!r} has a gradient that is NaN or infinite")


def _check_diagnostics(agent: Agent) -> None:
    for name, value in agent.diagnostics().items():
        scalar = isinstance(value, (int, float)) or (isinstance(value, Tensor) and value.numel() == 1)
        require(scalar, f"the diagnostic {name!r} must be a number or a scalar tensor")


def _check_continuation(
    agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer], environment: Environment, batches: list[Any]
) -> None:
    """A different agent that loads the state must continue exactly as this one does."""
    agent.env_steps += 1
    other = copy.deepcopy(agent)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.5).add_(0.1)
    # state that no checkpoint contains must differ too: counts, and statistics that are not buffers
    for batch in batches:
        update(other, other.optimizers(), batch)
    other.generator.manual_seed(999)
    other.env_steps = 0
    other.prepare_to_act()
    other.load_state_dict(saved_and_loaded(agent.state_dict(), "the agent's state_dict()"))
    require(
        other.env_steps == agent.env_steps and torch.equal(other.generator.get_state(), agent.generator.get_state()),
        "env_steps or the generator is not restored: get_extra_state() and set_extra_state() must extend Agent's, not replace them",
    )
    others = other.optimizers()
    for name, optimizer in optimizers.items():
        others[name].load_state_dict(saved_and_loaded(optimizer.state_dict(), f"the optimizer {name!r}"))
    remedy = "save all that they depend on in state_dict (with get_extra_state), recompute caches in prepare_to_act() and after loading"
    _check_same_decisions(agent, other, environment, f"after load_state_dict the decisions differ: {remedy}")
    for batch in batches:
        same = update(agent, optimizers, batch) == update(other, others, batch)
        require(same, f"after load_state_dict the losses differ: {remedy}")
    what = state_difference(agent.state_dict(), other.state_dict())
    require(what is None, f"after load_state_dict, learning gives another result ({what} differs): {remedy}")
    _check_same_decisions(agent, other, environment, f"after load_state_dict the decisions differ: {remedy}")


def _check_same_decisions(agent: Agent, other: Agent, environment: Environment, message: str) -> None:
    with torch.no_grad():
        agent.prepare_to_act()
        other.prepare_to_act()
        for observation in _observations(environment):
            for explore in (True, False):
                require(torch.equal(agent.act(observation, explore).slate, other.act(observation, explore).slate), message)
