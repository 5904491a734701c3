"""A few steps of a run's loop with toy data: the environment responds, rewards rate, and the agent acts, learns and ranks."""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch
from omegaconf import DictConfig

from recframe.attribution import (
    checked_losses,
    decision_problem,
    recorded_trackers,
    require_experience,
    require_optimizers,
    require_sound,
)
from recframe.building.component import build, component_of, data_for_training
from recframe.components import Component, Kind
from recframe.evaluation.agent_policy import AgentPolicy
from recframe.experience import Collector, RewardSum
from recframe.interfaces import (
    Agent,
    Data,
    Environment,
    EnvironmentSpec,
    Experience,
    Observation,
    Replay,
    Rollout,
    Sequences,
    StateTracker,
    Transition,
)
from recframe.testing.toy import toy_data, toy_observation, toy_sequences, toy_spec, toy_transition
from recframe.trial.mistakes import Mistakes

USERS, STEPS, LOSSES, BATCH = 8, 4, 4, 8
FITTED = ("interactions", "rating_matrix", "utterances")
"""What an environment requires that is fitted to real data, or reads more than toy data has."""


def try_loop(cfg: DictConfig, mistakes: Mistakes, device: torch.device, with_agent: bool) -> None:
    """Take a few steps, and collect the mistakes."""
    world = component_of(Kind.ENVIRONMENT, cfg.environment)
    slate_size = cfg.environment.get("slate_size", 1)
    data = toy_data(num_items=max(40, 8 * slate_size), device=device)
    environment: Environment | None = None
    asked = "questions" in world.given({str(name): value for name, value in cfg.environment.items()})
    if asked and _can_be_tried(world, cfg.environment, data):
        with mistakes.collected():
            data = data_for_training(world, cfg.environment, data)
    if _can_be_tried(world, cfg.environment, data):
        with mistakes.collected():
            environment = build(
                world,
                cfg.environment,
                data=data,
                num_users=USERS,
                history_length=cfg.state_tracker.history_length,
                split="train",
                device=device,
            )
        if mistakes.found:
            return
    spec = _spec(cfg, world, data, slate_size) if environment is None else environment.spec
    rewards = _rewards(cfg, mistakes, data)
    agent: Agent | None = None
    if with_agent and _fits(cfg, spec):
        with mistakes.collected():
            agent = _agent(cfg, spec, data, device)
    if agent is None:
        _rate(rewards, spec, data, environment, mistakes)
        return
    transitions: list[Transition] = []
    with mistakes.collected():
        transitions = _collected(agent, environment, rewards, spec, data)
    with mistakes.collected():
        _decide(agent, cfg, spec, data)
    if transitions and not mistakes.found:
        with mistakes.collected():
            for stage in cfg.stages:
                _learn(agent, agent.experience_in(stage), transitions)


def _can_be_tried(component: Component, section: DictConfig, data: Data) -> bool:
    required = component.required({str(name): value for name, value in section.items()})
    columns = data.catalog.attributes.columns
    lacking = [tag for tag in required if tag in FITTED or (tag.startswith("attribute:") and tag.removeprefix("attribute:") not in columns)]
    # what asks a language model would ask it about toy data, at the user's cost
    return not lacking and not {"no_simulator", "asks_model"} & component.provides


def _spec(cfg: DictConfig, world: Component, data: Data, slate_size: int) -> EnvironmentSpec:
    """A specification as the environment declares it."""
    given = world.given({str(name): value for name, value in cfg.environment.items()})
    needed = {tag for section in cfg.reward.values() for tag in component_of(Kind.REWARD, section).requires}
    signals = sorted({tag.removeprefix("signal:") for tag in given | needed if tag.startswith("signal:") and tag != "signal:*"})
    return toy_spec(
        data,
        num_users=USERS,
        slate_size=slate_size,
        history_length=cfg.state_tracker.history_length,
        num_features=3 if "features" in given else 0,
        has_context="context" in given,
        signals=tuple(signals) or ("click",),
    )


def _fits(cfg: DictConfig, spec: EnvironmentSpec) -> bool:
    """Whether the agent takes actions of this kind; an environment may know its kind only once it is built."""
    required = component_of(Kind.AGENT, cfg.agent).requires
    return not any(tag.startswith("actions:") and f"actions:{spec.actions}" not in tag.split("|") for tag in required)


def _rewards(cfg: DictConfig, mistakes: Mistakes, data: Data) -> RewardSum:
    """Those terms of the reward that toy data serves."""
    terms = {}
    for name, section in cfg.reward.items():
        component = component_of(Kind.REWARD, section)
        if _can_be_tried(component, section, data):
            with mistakes.collected():
                reward = build(component, section)
                reward.prepare(data)
                terms[str(name)] = (reward, float(section.weight))
    return RewardSum(terms, data.catalog, frozenset())


def _agent(cfg: DictConfig, spec: EnvironmentSpec, data: Data, device: torch.device) -> Agent:
    tracker: StateTracker = build(component_of(Kind.STATE_TRACKER, cfg.state_tracker), cfg.state_tracker, spec=spec, data=data)
    generator = torch.Generator(spec.device).manual_seed(0)
    with recorded_trackers(tracker) as record, torch.no_grad():
        tracker(toy_observation(spec, data, generator), tracker.project_items())
    record.require_sound()
    agent: Agent = build(component_of(Kind.AGENT, cfg.agent), cfg.agent, spec=spec, state_tracker=tracker, seed=0)
    agent = agent.to(device)
    require_experience(agent)
    require_optimizers(agent)
    return agent


def _collected(agent: Agent, environment: Environment | None, rewards: RewardSum, spec: EnvironmentSpec, data: Data) -> list[Transition]:
    agent.prepare_to_act()
    if environment is not None and rewards.terms:
        collector = Collector(environment, rewards, 0)
        return [collector.step(agent) for _ in range(STEPS)]
    generator = torch.Generator(spec.device).manual_seed(0)
    with recorded_trackers(agent) as trackers, torch.no_grad():
        decision: Any = agent.act(toy_observation(spec, data, generator), explore=True)
    trackers.require_sound()
    require_sound(agent, decision_problem(decision, spec))
    return [_rated(rewards, toy_transition(spec, data, generator)) for _ in range(STEPS)] if spec.actions == "items" else []


def _rated(rewards: RewardSum, transition: Transition) -> Transition:
    if rewards.terms:
        transition.item_reward = rewards(transition).item_reward
        transition.reward = transition.item_reward.sum(dim=1)
    return transition


def _rate(rewards: RewardSum, spec: EnvironmentSpec, data: Data, environment: Environment | None, mistakes: Mistakes) -> None:
    """Try rewards without an agent."""
    if spec.actions == "items" and rewards.terms:
        with mistakes.collected():
            _rated(rewards, toy_transition(spec, data, torch.Generator(spec.device).manual_seed(0)))


def _decide(agent: Agent, cfg: DictConfig, spec: EnvironmentSpec, data: Data) -> None:
    observation: Observation = toy_observation(spec, data, torch.Generator(spec.device).manual_seed(1))
    with AgentPolicy(agent) as policy:
        policy(observation, 0)
        if "logged" in cfg.stages and "ranks" in component_of(Kind.AGENT, cfg.agent).provides and spec.actions == "items":
            policy.rank(observation, max(cfg.evaluation.k))


def _learn(agent: Agent, experience: Experience, transitions: list[Transition]) -> None:
    """A few updates on the kind of batch that the agent asks for; one that reads a whole log is not tried."""
    batch: Any
    match experience:
        case Replay():
            batch = torch.cat(transitions)[:BATCH]  # type: ignore[arg-type]  # tensorclasses concatenate like tensors
        case Rollout():
            batch = torch.stack(transitions)  # type: ignore[arg-type]
        case Sequences() as plan:
            batch = toy_sequences(agent.spec, Sequences(BATCH, plan.length), 0)
        case _:
            return
    optimizers = agent.optimizers()
    for name, loss in islice(checked_losses(agent, batch, optimizers), LOSSES):
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
