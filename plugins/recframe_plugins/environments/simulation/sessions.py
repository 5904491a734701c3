"""Sessions of N simulated users: they arrive, are shown slates, leave, and are replaced. The base class of the built-in simulators.

A subclass defines the users in `arrivals`, `draws` and `respond`. This module adds time limits, protocols, candidate sets, histories and
saved states. The protocols are those under which rating-matrix simulators are compared (Yu et al. 2024, EasyRL4Rec):

    free            an item may be shown any number of times; the user leaves by the environment's own rule
    no_repetition   an item is shown at most once per session (`Observation.excluded`); the user leaves by the same rule
    fixed_length    an item is shown at most once per session, and every session lasts `max_steps` steps

A session is terminated when the user leaves, and otherwise truncated after `max_steps` steps; or terminated, if the items that were not
shown no longer fill a slate: then it would not have gone on without the time limit.

Every step makes the same random draws for all N users, independent of the slates and of which sessions have ended: the draws of the step,
a next user, and a candidate set. Two policies evaluated from one seed therefore meet common random numbers.

Where users answer questions (`questions.py`), these are the last rows of the catalogue. A slate that begins with one is a question:
`respond` says how users answer, as it does for slates of items. Questions may be asked again under every protocol, and are candidates
in every step. Places at which nothing is shown are not in histories, and are not excluded.

With `group_size` G, each G neighbouring users are a group: G sessions of the group are of one person, begin in the same state, and meet the
same random numbers in the same step (`random_numbers.py`); who takes which session is in `recframe.interfaces.next_sessions`. Evaluations,
which need as many people as there are, have no groups.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from tensordict import TensorDict
from torch import Tensor

from recframe.components import require_consistent
from recframe.interfaces import (
    PAD,
    DataError,
    Environment,
    EnvironmentSpec,
    History,
    Observation,
    Response,
    Split,
    Step,
    asks,
    may_run_out,
    next_sessions,
    restore_generator,
    runs_out,
    shown_places,
)
from recframe_plugins.environments.simulation.config import SessionConfig
from recframe_plugins.environments.simulation.groups import ARRIVAL, CANDIDATES, STEP, SessionGroups


class UserReaction(NamedTuple):
    """How N users react to a slate. signals: `[N, K]` each.   leave: `[N]` bool.   state: the changed entries of the subclass's state."""

    signals: dict[str, Tensor]
    leave: Tensor
    state: dict[str, Tensor]


class SimulatedSessions(Environment):
    """Base class of simulators; see the module docstring.

    The state of the users is in `self.state`, one tensor `[N, ...]` per name: the entries that the subclass's `arrivals` returns, and
    `steps` `[N]`, `user` `[N]` (0 if `arrivals` does not give it), `context` `[N]` (if `has_context`), `recent` `[N, R]` (the last R shown
    items, newest last, `PAD` in front; if `recent_length` is not 0) and `excluded` `[N, E]` (if the protocol forbids repetition); and in
    groups `group` `[N]`, the key of the random numbers of a user's group, and `session` `[N]`, the number of the user's session in it.

    Parameters
    ----------
    config: the component's options.   num_items, num_users, history_length: M, N and H.   device: the device of all tensors.
    signals: names of the response's signals.   num_features: X, if the subclass implements `features`.
    has_users: whether `user` holds rows of `Data.users`.    has_context: whether `context` holds rows of `Data.contexts`.
    protocol: see the module docstring.   recent_length: R.   resample: draw candidates again in each step, or once in `reset`.
    num_barred: X, if the subclass implements `barred`.
    num_questions: Q, how many of the M items are questions; `respond` then answers slates that begin with one.

    Raises
    ------
    DataError: the catalogue has too few items.   ValueError: the options contradict each other.
    """

    def __init__(
        self,
        config: SessionConfig,
        *,
        num_items: int,
        num_users: int,
        history_length: int,
        signals: tuple[str, ...],
        device: torch.device | str,
        num_features: int = 0,
        has_users: bool = True,
        has_context: bool = False,
        protocol: str = "free",
        recent_length: int = 0,
        resample: bool = True,
        num_barred: int = 0,
        num_questions: int = 0,
    ) -> None:
        if num_users < 1 or history_length < 1:
            raise ValueError(f"num_users and history_length must be at least 1, not {num_users} and {history_length}")
        require_consistent(config)
        repeats = protocol == "free"
        _require_enough_items(config, num_items - num_questions, repeats)
        self.config = config
        self.device = torch.device(device)
        self.protocol = protocol
        self.resample = resample
        num_shown = 0 if repeats else config.slate_size * config.max_steps
        self.spec = EnvironmentSpec(
            num_users=num_users,
            slate_size=config.slate_size,
            history_length=history_length,
            num_items=num_items,
            signals=signals,
            num_candidates=config.num_candidates and config.num_candidates + num_questions,
            num_excluded=num_shown + num_barred,
            num_features=num_features,
            has_context=has_context,
            has_users=has_users,
            device=self.device,
            group_size=config.group_size,
            num_questions=num_questions,
        )
        self._questions = torch.arange(num_items - num_questions, num_items, device=self.device).expand(num_users, -1)
        self.generator = torch.Generator(self.device)
        self.history = History(num_users, history_length, signals, self.device)
        self.state: dict[str, Tensor] = {}
        self.candidates: Tensor | None = None
        self._drawn: Tensor | None = None
        self._everybody_once = False
        self.groups = SessionGroups(num_users, config.group_size, self.generator)
        self._numbers = self.groups.numbers(ARRIVAL, {})
        nobody = torch.zeros(num_users, dtype=torch.int64, device=self.device)
        self._start = {"steps": nobody, "user": nobody}
        for name, length in (("recent", recent_length), ("excluded", num_shown)):
            if length:
                self._start[name] = torch.full((num_users, length), PAD, dtype=torch.int64, device=self.device)

    @abstractmethod
    def arrivals(self) -> dict[str, Tensor]:
        """The state of N new users, `[N, ...]` per name. Always makes the same random draws.

        Users who come from a list of people are `drawn_from` it.
        """

    @abstractmethod
    def draws(self) -> dict[str, Tensor]:
        """The random numbers of a step of N users, by name. Always makes the same random draws."""

    @abstractmethod
    def respond(self, slate: Tensor, draws: Mapping[str, Tensor]) -> UserReaction:
        """The reaction of the users in `self.state` to `slate` `[N, K]`, given `draws`. Draws nothing and changes nothing in place."""

    def features(self) -> Tensor | None:
        """Features `[N, X]` of the users that an agent may observe in addition to history and candidates; None by default."""
        return None

    def barred(self) -> Tensor | None:
        """The items `[N, X]` (`PAD` at the end) that may never be shown to the users in `self.state`; None by default."""
        return None

    def drawn_from(self, people: Tensor) -> Tensor:
        """N of `people` `[P]` for `arrivals`: drawn uniformly, but where an evaluation starts, nobody again before everybody was drawn."""
        users = self.spec.num_users
        if self._everybody_once:
            rounds = -(-users // len(people))
            order = torch.rand(rounds, len(people), generator=self.generator, device=self.device).argsort(dim=1)
            drawn = order.flatten()[:users]
        else:
            drawn = self._numbers.below(len(people))
        self._drawn = people[drawn]
        return self._drawn

    def start_evaluation(self, seed: int) -> tuple[Observation, Tensor]:
        """Start N new sessions of as many different people as there are; see `Environment.start_evaluation`."""
        self._everybody_once, self._drawn = True, None
        try:
            observation = self.reset(seed)
        finally:
            self._everybody_once = False
        # without a list of people, each session is of a new one
        return observation, torch.arange(self.spec.num_users, device=self.device) if self._drawn is None else self._drawn

    def reset(self, seed: int) -> Observation:
        """Start N new sessions; see `Environment.reset`."""
        self.generator.manual_seed(seed)
        self.history = History(self.spec.num_users, self.spec.history_length, self.spec.signals, self.device)
        grouped = {} if self._everybody_once else self.groups.new()
        self.state = self._arrived(grouped)
        self.candidates = self._fresh_candidates(self.state)
        return self._observation()

    def step(self, slate: Tensor) -> Step:
        """Show `slate` `[N, K]`; see `Environment.step`.

        Raises
        ------
        RuntimeError: `reset` was not called yet.   ValueError: `slate` is not `[N, K]`.
        """
        self._require_session()
        if slate.shape != self.spec.action_shape:
            raise ValueError(f"a slate has shape {list(self.spec.action_shape)} (num_users, slate_size), not {list(slate.shape)}")
        self._numbers = self.groups.numbers(STEP, self.state)
        draws = self.draws()
        in_groups = "group" in self.state
        arrivals = {} if in_groups else self._arrived({})

        reaction = self.respond(slate, draws)
        steps = self.state["steps"] + 1
        left = reaction.leave if self.protocol != "fixed_length" else torch.zeros_like(reaction.leave)
        finished = left | (steps >= self.config.max_steps)
        users = self.spec.num_users
        response = Response(signals=TensorDict(reaction.signals, batch_size=[users]), leave=left, batch_size=[users])
        self._append(slate, response)
        moved = self.state | reaction.state | {"steps": steps} | self._shown(slate)
        if self.resample:
            self.candidates = self._fresh_candidates(moved)
        self.state = moved
        next_observation = self._observation()
        # unless items are barred, this happens in the last step only: catalogue and candidates suffice for max_steps slates
        out = runs_out(next_observation, self.spec) if may_run_out(self.spec) else torch.zeros_like(left)
        finished, terminated = finished | out, left | out
        if in_groups:
            sessions = next_sessions(moved["session"], finished, self.spec.group_size)
            arrivals = self._arrived({"group": moved["group"], "session": sessions})
        self.state = {
            name: torch.where(finished.view(-1, *[1] * (value.dim() - 1)), arrivals[name], value) for name, value in moved.items()
        }
        if in_groups and self.resample:
            self.candidates = self._fresh_candidates(self.state)
        self.history.clear(finished)
        return Step(response, next_observation, self._observation(), terminated, finished & ~terminated)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a bit-identical continuation needs; see `Environment.state_dict`."""
        self._require_session()
        saved: dict[str, Any] = {"generator": self.generator.get_state(), "history": self.history.state_dict(), "state": dict(self.state)}
        return saved if self.candidates is None else saved | {"candidates": self.candidates}

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Continue from a saved state; see `Environment.load_state_dict`.

        Raises
        ------
        ValueError: it was saved by an environment with other shapes; the message names the entry.
        """
        # arrivals() draws: a refused state must leave the generator unchanged
        drawn_so_far = self.generator.get_state()
        grouped = self.groups.new() if "group" in state["state"] else {}
        expected: dict[str, torch.Size | None] = {name: value.shape for name, value in self._arrived(grouped).items()}
        self.generator.set_state(drawn_so_far)
        found: dict[str, torch.Size | None] = {name: value.shape for name, value in state["state"].items()}
        candidates = state.get("candidates")
        expected["candidates"] = torch.Size([self.spec.num_users, self.spec.num_candidates]) if self.spec.num_candidates else None
        found["candidates"] = None if candidates is None else candidates.shape
        for part in ("items", "feedback"):
            expected[f"history {part}"] = getattr(self.history, part).shape
            found[f"history {part}"] = state["history"][part].shape
        for name in sorted(expected | found):
            ours, theirs = (None if shape is None else list(shape) for shape in (expected.get(name), found.get(name)))
            if ours != theirs:
                raise ValueError(f"this environment's state has {name} of shape {ours}, the saved one {theirs}; use the options it had")
        if grouped and not self.groups.are_those_of(state["state"]):
            raise ValueError(f"the saved state's users are not in groups of {self.spec.group_size}; use the environment.group_size it had")
        restore_generator(self.generator, state["generator"])
        self.history.load_state_dict(state["history"])
        self.state = {name: value.to(self.device) for name, value in state["state"].items()}
        self.candidates = None if candidates is None else candidates.to(self.device)
        return self._observation()

    def uniforms(self, *shape: int) -> Tensor:
        """Uniform numbers between 0 and 1, `[N, *shape]`, from the environment's generator; in groups, equal for equal users."""
        return self._numbers.uniforms(*shape)

    def normals(self, *shape: int) -> Tensor:
        """Standard normal numbers `[N, *shape]` from the environment's generator; in groups, equal for equal users."""
        return self._numbers.normals(*shape)

    def _require_session(self) -> None:
        if not self.state:
            raise RuntimeError("there is no session yet: call reset(seed) first")

    def _arrived(self, grouped: dict[str, Tensor]) -> dict[str, Tensor]:
        """The state of new users, of these sessions of groups."""
        start = self._start | grouped
        self._numbers = self.groups.numbers(ARRIVAL, start)
        return start | self.arrivals()

    def _fresh_candidates(self, state: Mapping[str, Tensor]) -> Tensor | None:
        """Candidates for users in this state, or None."""
        if not self.spec.num_candidates:
            return None
        count = self.spec.num_candidates - self.spec.num_questions
        drawn = self.groups.numbers(CANDIDATES, state).candidates(self.spec.first_question, count)
        return torch.cat([drawn, self._questions], dim=1) if self.spec.num_questions else drawn

    def shown(self, slate: Tensor) -> Tensor | None:
        """At which places of `slate` `[N, K]` an item is shown, `[N, K]` bool; None: at all, since there are no questions."""
        return shown_places(slate, self.spec.first_question) if self.spec.num_questions else None

    def _append(self, slate: Tensor, response: Response) -> None:
        """Append to the history what was shown or asked."""
        shown = self.shown(slate)
        if shown is None or slate.shape[1] == 1:
            self.history.append(slate, response)
            return
        asked = asks(slate, self.spec.first_question)
        first = torch.arange(slate.shape[1], device=self.device) == 0
        self.history.append(slate, response, shown | asked[:, None] & first)

    def _shown(self, slate: Tensor) -> dict[str, Tensor]:
        """The lists of shown items with the slate appended, as new tensors."""
        longer, shown = {}, self.shown(slate)
        if shown is not None:
            slate = slate.masked_fill(~shown, PAD)
        if "recent" in self.state:
            recent = torch.cat([self.state["recent"], slate], dim=1)
            if shown is not None:
                # a question does not make room for more of what is recent
                recent = recent.gather(1, (recent != PAD).long().argsort(dim=1, stable=True))
            longer["recent"] = recent[:, -self.state["recent"].shape[1] :]
        if "excluded" in self.state:
            size = slate.shape[1]
            places = self.state["steps"][:, None] * size + torch.arange(size, device=self.device)
            longer["excluded"] = self.state["excluded"].scatter(1, places, slate)
        return longer

    def _excluded(self) -> Tensor | None:
        parts = [items for items in (self.state.get("excluded"), self.barred()) if items is not None]
        return torch.cat(parts, dim=1) if len(parts) > 1 else next(iter(parts), None)

    def _observation(self) -> Observation:
        return Observation(
            user=self.state["user"],
            history_items=self.history.items,
            history_feedback=self.history.feedback,
            candidates=self.candidates,
            excluded=self._excluded(),
            context=self.state.get("context"),
            features=self.features(),
            batch_size=[self.spec.num_users],
        )


def _require_enough_items(config: SessionConfig, items: int, repeats: bool) -> None:
    """Refuse slates and candidate sets that are larger than the catalogue."""
    slate, candidates = config.slate_size, config.num_candidates
    if slate > items:
        raise DataError(f"environment.slate_size is {slate}, but the catalogue has {items} items; use {items} or less")
    if candidates > items:
        raise DataError(f"environment.num_candidates is {candidates}, but the catalogue has {items} items; use {items} or less")
    shown = slate * config.max_steps
    if not repeats and shown > (candidates or items):
        what = "environment.num_candidates is" if candidates else "the catalogue's size is"
        raise DataError(
            f"{config.max_steps} slates of {slate} without repetition need {shown} items, but {what} {candidates or items}; "
            f"use environment.max_steps={(candidates or items) // slate} or less, or environment.protocol=free"
        )


def people_of_split(people: Tensor, split: Split, evaluation_share: float, seed: int) -> Tensor:
    """The members of `people` `[P]` who appear in `split`: a fixed permutation, seeded by `seed`, keeps a share for evaluation.

    Raises
    ------
    DataError: there are fewer than two people, so one of the splits would be empty.
    """
    if len(people) < 2:
        raise DataError(f"simulation needs at least 2 people, one to train on and one to evaluate on; the data has {len(people)}")
    if split not in ("train", "evaluation"):
        raise ValueError(f"split is 'train' or 'evaluation', not {split!r}")
    held_out = min(max(round(evaluation_share * len(people)), 1), len(people) - 1)
    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))
    chosen = order[:held_out] if split == "evaluation" else order[held_out:]
    return people[chosen.sort().values.to(people.device)]
