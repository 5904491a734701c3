"""The checks of a built component, one for each kind: the kind's own check, and what the component declares."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch

from recframe.components import Component, Kind
from recframe.interfaces import Agent, Data, Environment, EnvironmentSpec, Observation, Replay, Rollout, Sequences, WholeLog
from recframe.item_agents import ItemAgent
from recframe.item_agents.prior_scores import prior_weights
from recframe.testing.agents import check_agent
from recframe.testing.building import Builder, where
from recframe.testing.conformance import ConformanceError, require
from recframe.testing.datasets import check_dataset
from recframe.testing.encoders import TEXTS, check_encoder
from recframe.testing.environments import check_environment, simulate
from recframe.testing.rewards import check_reward
from recframe.testing.state_trackers import check_state_tracker
from recframe.testing.toy import toy_spec
from recframe.testing.world import ToyEnvironment, ToyTracker

ACTION_LOW, ACTION_HIGH = (-2.0, 0.0), (2.0, 0.5)

EXPERIENCES = (
    (Replay, "experience:replay", "which not every run has"),
    (Rollout, "experience:rollout", "which no log has"),
    (Sequences, "experience:sequences", "which no simulator has"),
    (WholeLog, "experience:log", "which no simulator has"),
)
"""What an agent may learn from, its tag, and why it must say so."""
"""The bounds of continuous actions: unequal, and not all symmetric around zero."""


def offered_by(data: Data) -> set[str]:
    """The tags that the data provides."""
    tags = {f"attribute:{name}" for name in data.catalog.attributes.columns} | {"attribute:*"}
    tags |= {"interactions"} if data.interactions is not None else set()
    tags |= {"rating_matrix"} if data.ratings is not None else set()
    known = data.contexts.attributes if data.contexts is not None else None
    tags |= {"utterances"} if known is not None and {"intent", "sentiment"} <= set(known.columns) else set()
    return tags | ({"users"} if data.users is not None and data.users.profiles is not None else set())


def is_about_data(tag: str) -> bool:
    """Whether data provide the tag."""
    return tag in ("interactions", "users", "utterances", "rating_matrix") or tag.startswith("attribute:")


def _check_dataset(component: Component, build: Builder, data: Data, device: torch.device) -> None:
    dataset = build()
    check_dataset(dataset, again=build(weights_seed=1))
    offered = offered_by(dataset.load())
    for tag in component.provides:
        require(
            not is_about_data(tag) or tag in offered,
            f"{where(component)} provides {tag!r}, but does not load it: load it, or remove the tag",
        )


def _check_encoder(component: Component, build: Builder, data: Data, device: torch.device) -> None:
    check_encoder(build(device=device))
    # a run that reads vectors from the cache, and one that encodes, need not have the same global random state
    one, same, other = (build(device=device, weights_seed=seed) for seed in range(3))
    one.fit(list(TEXTS))
    same.fit(list(TEXTS))
    other.fit(data.catalog.texts)
    require(
        one.fingerprint == same.fingerprint and np.allclose(one.encode(TEXTS, "item"), same.encode(TEXTS, "item"), atol=1e-5),
        f"{where(component)}: two encoders of one config, fitted on the same texts, differ: "
        "seed their random draws, and use no ids or times in the fingerprint",
    )
    left, right = one.encode(TEXTS, "item"), other.encode(TEXTS, "item")
    alike = left.shape == right.shape and np.allclose(left, right, atol=1e-5)
    require(
        alike or one.fingerprint != other.fingerprint,
        f"{where(component)}: fitted on other texts, it gives other vectors under the same fingerprint: include what fit() learned",
    )


def _check_state_tracker(component: Component, build: Builder, data: Data, device: torch.device) -> None:
    variants: list[tuple[Data, dict[str, Any]]] = [
        (data, {}),
        (data, {"has_context": True, "num_features": 3}),
        (data, {"history_length": 1, "signals": ("click",), "slate_size": 3}),
    ]
    if "users" not in component.requires:
        variants.append((data._replace(users=None, contexts=None), {}))
    needed = {"num_features": 3} if "features" in component.requires else {}
    for around, choices in variants:
        spec = toy_spec(around, **(needed | choices))
        check_state_tracker(build(spec=spec, data=around), spec, around, rebuild=partial(build, weights_seed=1, spec=spec, data=around))


def _check_agent(component: Component, build: Builder, data: Data, device: torch.device) -> None:
    built: Agent | None = None
    for spec in _agent_specs(component, data):

        def made(weights_seed: int = 0, spec: EnvironmentSpec = spec) -> Agent:
            with torch.random.fork_rng():
                torch.manual_seed(weights_seed)
                tracker = ToyTracker(spec, data)
            agent: Agent = build(weights_seed=weights_seed, spec=spec, state_tracker=tracker, seed=0)
            return agent

        agent = made()
        ranks = "ranks" in component.provides and spec.actions == "items"
        check_agent(agent, ToyEnvironment(spec, data), rebuild=partial(made, 1), ranks=ranks)
        built = agent
    # what the agent does matters more than what is declared of it
    if built is None:
        return
    _check_experience(component, built)
    if "prior" in component.provides:
        _check_prior(component, build, data)
    ranker = next(base for base in type(built).__mro__ if "rank" in vars(base))
    require(
        "ranks" in component.provides or ranker.__module__.startswith("recframe."),
        f"{where(component)} has a rank(): declare provides={{'ranks'}}, for evaluations on logs to use it",
    )


def _check_prior(component: Component, build: Builder, data: Data) -> None:
    """Check that an agent which is to add a prior to its scores can be given one, and has a weight of it to learn."""
    spec = dataclasses.replace(toy_spec(data, num_candidates=9), prior_weight=0.5)
    agent: Agent = build(spec=spec, state_tracker=ToyTracker(spec, data), seed=0)
    require(
        isinstance(agent, ItemAgent) and len(prior_weights(agent)) > 0,
        f"{where(component)} provides 'prior', but is no ItemAgent with a PriorWeight: use QNetwork or ItemPolicy with spec.prior_weight, "
        "or remove the tag",
    )


def _check_experience(component: Component, agent: Agent) -> None:
    """Check that an agent requires the experience that it learns from: a stage that does not have it refuses the agent."""
    declared = {tag for requirement in component.requires for tag in requirement.partition("?")[0].split("|")}
    for experience, tag, absent in EXPERIENCES:
        require(
            tag in declared or not isinstance(agent.experience, experience),
            f"{where(component)} learns from {experience.__name__}, {absent}: declare requires={{{tag!r}}}",
        )


def _agent_specs(component: Component, data: Data) -> Iterator[EnvironmentSpec]:
    """Specifications with each kind of actions that the agent supports; by default items."""
    actions = {tag for requirement in component.requires for tag in requirement.split("|") if tag.startswith("actions:")}
    none: dict[str, Any] = {}
    rich: dict[str, Any] = {"has_context": data.contexts is not None, "num_features": 3}
    # sequences of a log have neither a context nor features
    sequences = "experience:sequences" in component.requires
    if not actions or "actions:items" in actions:
        for slate_size in (1, 3) if "slates" in component.provides else (1,):
            restricted = {"num_candidates": 9, "num_excluded": 4}
            for choices in (none, restricted) if sequences else (none, restricted, rich):
                yield toy_spec(data, slate_size=slate_size, **choices)
    if "actions:continuous" in actions:
        for choices in (none, rich):
            spec = toy_spec(data, **choices)
            yield dataclasses.replace(spec, actions="continuous", action_low=ACTION_LOW, action_high=ACTION_HIGH)


def _check_environment(component: Component, build: Builder, data: Data, device: torch.device) -> None:
    its = where(component)
    users: dict[str, set[int]] = {}
    for split in ("train", "evaluation"):
        rebuild = partial(build, data=data, num_users=6, history_length=5, split=split, device=device)
        environment, seeds = rebuild(), count(1)

        def rebuilt(rebuild: Callable[..., Environment] = rebuild, seeds: Iterator[int] = seeds) -> Environment:
            return rebuild(weights_seed=next(seeds))

        check_environment(environment, data, rebuild=rebuilt)
        spec = environment.spec
        asked = (spec.num_users, spec.history_length, spec.num_items) == (6, 5, len(data.catalog))
        require(asked, f"{its}: its spec must have the num_users, history_length and number of items that it was built with")
        _check_declared(component, environment, spec)
        users[split] = {user for observation in _observations(environment) for user in observation.user.tolist()}
    if any(tag in requirement.split("|") for requirement in component.requires for tag in ("users", "interactions", "rating_matrix")):
        require(
            users["train"].isdisjoint(users["evaluation"]),
            f"{its}: users of the evaluation split are in training too: split the users",
        )


def _check_declared(component: Component, environment: Environment, spec: EnvironmentSpec) -> None:
    its = where(component)
    actions = f"actions:{spec.actions}"
    require(
        actions in component.provides, f"{its} takes actions that are {spec.actions}: declare provides={{{actions!r}}}, for agents to fit"
    )
    for signal in spec.signals:
        require(f"signal:{signal}" in component.provides, f"{its} gives the signal {signal!r}: declare provides={{'signal:{signal}'}}")
    declared = "context" in component.provides
    require(declared == spec.has_context, f"{its}: spec.has_context is {spec.has_context}: declare provides={{'context'}} if it is true")
    require(
        spec.slate_size == 1 or "slates" in component.provides, f"{its} takes slates of {spec.slate_size}: declare provides={{'slates'}}"
    )
    asked = spec.num_questions > 0
    require(
        ("questions" in component.provides) == asked,
        f"{its}: spec.num_questions is {spec.num_questions}: declare provides={{'questions'}} if there are some",
    )
    has_truth = environment.truth() is not None
    require("truth" not in component.provides or has_truth, f"{its} provides 'truth', but truth() is None: return it, or remove the tag")
    require("truth" in component.provides or not has_truth, f"{its} has a truth(): declare provides={{'truth'}}, for the oracle to use it")


def _observations(environment: Environment) -> Iterator[Observation]:
    for seed in range(3):
        yield from (step.observation for _, _, step in simulate(environment, environment.reset(seed), 30))


def _check_reward(component: Component, build: Builder, data: Data, device: torch.device) -> None:
    tags = [tag for requirement in component.requires for tag in requirement.split("|")]
    signals = tuple(tag.removeprefix("signal:") for tag in tags if tag.startswith("signal:"))
    reward = build()
    try:
        # only the declared signals, so that reading any other fails
        check_reward(reward, data, signals or ("undeclared",), "itemwise" in component.provides, rebuild=partial(build, weights_seed=1))
    except KeyError as error:
        unknown = re.search(r"key ['\"]+(\w+)['\"]+ not found in Tensor", str(error))
        if unknown is None:
            raise
        raise ConformanceError(
            f"{where(component)} reads the signal {unknown[1]!r}, which it does not declare: add requires={{'signal:{unknown[1]}'}}"
        ) from error


CHECKS: dict[Kind, Callable[[Component, Builder, Data, torch.device], None]] = {
    Kind.DATASET: _check_dataset,
    Kind.ENCODER: _check_encoder,
    Kind.STATE_TRACKER: _check_state_tracker,
    Kind.AGENT: _check_agent,
    Kind.ENVIRONMENT: _check_environment,
    Kind.REWARD: _check_reward,
}
