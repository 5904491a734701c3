"""Environments: N simulated users at once, and their true expected responses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from recframe.interfaces.data import Data
from recframe.interfaces.types import Observation, Response

Split = Literal["train", "evaluation"]
"""Whose sessions an environment simulates. Users of "evaluation" never appear in "train"."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """The shapes and names that trackers and agents are built for.

    num_users: N, users simulated at once.
    slate_size: K, items shown in a step.
    history_length: H, the last items that an observation has.
    num_items: M, items in the catalogue.
    signals: the response's names, in the order of `Observation.history_feedback`.
    num_candidates: C, items that may be shown in a step; 0: the whole catalogue.
    num_excluded: E, items that may not be shown; 0: nothing is excluded.
    num_features: X, raw numbers in an observation; 0: none.
    has_context: whether an observation has the text of a visit.
    has_users: whether `Observation.user` is a row of `Data.users`. If it is not, users are anonymous and have no profiles.
    actions: "items", or "continuous": an action `[N, A]` float32 then takes the place of a slate, K is 1, signals are `[N, 1]`, and
        histories contain no items.
    action_low, action_high: the bounds of a continuous action, A numbers each.
    device: where every tensor is.
    group_size: G; with G > 1, neighbouring users share people: G sessions of a group are of one person, begin alike and meet the same
        random numbers (see `next_sessions`). 1: no groups. Only the users of a training are in groups, those of an evaluation never.
    prior_weight: the weight at the start of `Observation.prior` in an agent's scores, which the agent learns; None: there is no prior. The
        run sets it, no environment does.
    num_questions: Q, how many of the M items, the last ones, are questions that an agent may ask in place of recommending (see `asks`);
        they may be shown at any time, and are always among the candidates, if there are some. 0: no questions.
    """

    num_users: int
    slate_size: int
    history_length: int
    num_items: int
    signals: tuple[str, ...]
    num_candidates: int = 0
    num_excluded: int = 0
    num_features: int = 0
    has_context: bool = False
    has_users: bool = True
    actions: Literal["items", "continuous"] = "items"
    action_low: tuple[float, ...] = ()
    action_high: tuple[float, ...] = ()
    device: torch.device = torch.device("cpu")
    group_size: int = 1
    prior_weight: float | None = None
    num_questions: int = 0

    @property
    def first_question(self) -> int:
        """The number of the first question, which is how many items can be recommended; M if there are no questions."""
        return self.num_items - self.num_questions

    @property
    def action_size(self) -> int:
        """A, the numbers in a continuous action."""
        return len(self.action_low)

    @property
    def action_shape(self) -> tuple[int, int]:
        """The shape of the argument of `Environment.step`: `[N, K]`, or `[N, A]` with continuous actions."""
        return self.num_users, self.slate_size if self.actions == "items" else self.action_size


class Step(NamedTuple):
    """The outcome of one step.

    response: what the users did.
    next_observation: what the action led to (for a finished user: their last).
    observation: what the next action is based on (finished users already replaced by new ones).
    terminated: `[N]` bool, the session ended by itself. A session after whose step fewer than K items may be shown is terminated, also at
        the time limit: it has no next action whose value could be bootstrapped.
    truncated: `[N]` bool, the session was cut by a time limit.
    """

    response: Response
    next_observation: Observation
    observation: Observation
    terminated: Tensor
    truncated: Tensor


class Truth(NamedTuple):
    """The environment's expected response now to each item shown alone; not part of observations.

    signals: `[N, M]` float32 for each signal's name.     leave: `[N, M]` float32, the probability that the user then leaves.
    """

    signals: dict[str, Tensor]
    leave: Tensor


class Environment(ABC):
    """N users who are shown slates and respond.

    Implement:

    - `spec` (attribute): the `EnvironmentSpec`.
    - `reset(seed)`: start N new sessions; the first `Observation`.
    - `step(slate)`: show the slate `[N, K]` (or action `[N, A]`); the outcome as a `Step`.
    - `state_dict()`: the complete state, generator included.
    - `load_state_dict(state)`: restore a saved state; the `Observation` that the next step acts on.

    Optional: `start_evaluation` for an environment that draws its users from a list of people, `truth` for the oracle, `report` for
    measures of the environment itself, `caveats` for what limits its results, `own_data` for an environment with its own items,
    `training_data` and `held_out_users` for one that decides which logged users are held out, `always_excluded` for one that always
    excludes the same items.

    Built as `factory(config, data, num_users=N, history_length=H, split="train" | "evaluation", device=device)`. `data` contains the
    text vectors. `split` is a `Split`: users of the evaluation split never appear in training.

    An environment whose users answer questions (`EnvironmentSpec.num_questions`) has them at the end of the catalogue. A slate that begins
    with one asks it, and nothing else is shown; a question at a later place shows nothing (`shown_places`). Signals are 0 where nothing is
    shown, and histories do not have such places.

    Every observation that an action is based on allows at least K items that are no questions. A session that runs out of items is over,
    and terminated: `next_observation` may allow fewer only there (`runs_out` finds such users).

    An environment draws all random numbers from its own `torch.Generator`, and draws the same number per step
    whatever the slates, so that two policies evaluated from one seed meet the same users and the same random draws.
    """

    spec: EnvironmentSpec

    @abstractmethod
    def reset(self, seed: int) -> Observation:
        """Start N new sessions; the same seed gives the same users and, for the same slates, the same sessions."""

    @abstractmethod
    def step(self, slate: Tensor) -> Step:
        """Show `slate` `[N, K]` int64 (numbers in 0..M-1) and observe. Finished users are replaced in the same call.

        Where `spec.actions` are continuous, `slate` is `[N, A]` float32.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """The complete state in mid-session, generator included: tensors, numbers, strings, and dicts or lists of them."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Restore a saved state; returns the observation that the next step acts on."""

    def start_evaluation(self, seed: int) -> tuple[Observation, Tensor]:
        """Start N new sessions of as many different people as there are, for an evaluation; the first `Observation`, and who they are.

        The people `[N]` int64 are numbers of which equal ones are the same person: people, not sessions, are independent. An environment
        that draws users from a finite list meets nobody again before it has met everybody. The default is `reset`: people are the rows of
        `Data.users`, or, where users are anonymous, each session is of another person.
        """
        observation = self.reset(seed)
        people = observation.user if self.spec.has_users else torch.arange(self.spec.num_users, device=self.spec.device)
        return observation, people

    @classmethod
    def own_data(cls, config: Any) -> Data | None:
        """The items of an environment that has its own, with text vectors; None: it uses the dataset's.

        An environment that returns data declares `provides={"catalog"}`: the run's dataset and encoder are then not used, and the
        environment is built on this data.
        """
        return None

    @classmethod
    def training_data(cls, config: Any, data: Data) -> Data:
        """The dataset's data without what its catalogue knows from the held-out users, such as their part in `popularity`.

        For an environment that itself divides logged users between the splits: what agents, rewards, metrics and reference policies read
        must not be counted from users of the split "evaluation". It is called once, before texts are encoded. An environment whose users
        answer questions adds them here (`Data.with_questions`).
        """
        return data

    @classmethod
    def held_out_users(cls, config: Any, data: Data) -> Tensor | None:
        """The users `[p]` int64, rows of `Data.users`, whom the environment holds out of a dataset's log; None: nobody.

        For an environment that itself divides logged users between the splits: a run that learns from the log, too, must not learn from
        people whom its final evaluation is about.
        """
        return None

    @property
    def always_excluded(self) -> Tensor | None:
        """The items `[X]` int64 in the last columns of every observation's `excluded`, or None. Replay does not store them."""
        return None

    def truth(self) -> Truth | None:
        """The true expected responses at this moment, or None if the environment does not know them."""
        return None

    def report(self) -> dict[str, float]:
        """Measures of the environment itself, such as a fitted user model's held-out errors; for `result.json` and the terminal.

        Names that end in `/decile_1_predicted` and `/decile_1_observed`, up to 10, are shown as a table.
        """
        return {}

    def caveats(self) -> tuple[str, ...]:
        """What a reader must know before the results, such as that a fitted user model is no better than a constant; one sentence each.

        They are printed above the table of results, and are in `report.md` and `result.json`.
        """
        return ()
