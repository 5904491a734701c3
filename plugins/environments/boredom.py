"""Sessions of N simulated users at once: memory, boredom, patience, leaving and replacement, whatever it is that the users like.

A step shows user n the items i_1..i_K. With unit item vectors v_i (topics, text or factors), the memory e of what was shown, and the
appeal a_i that an item has for a rested user (given by the subclass):

    boredom      b_i = max(0, e.v_i)                                           between 0 and 1
    fatigue      f_i = boredom_weight b_i + repeat_penalty [i among the last repeat_window shown, or higher in this slate]
    utility      u_i = a_i - f_i
    click        c_i ~ Bernoulli(sigmoid(u_i - threshold)), independent within the slate
    rating       given by the subclass as a function of u_i and standard normal noise
    memory       e  <- boredom_memory e + (1 - boredom_memory) mean_k v_{i_k}
    patience     p  <- clamp(p + patience_recovery c - patience_cost (1 - c) - patience_boredom_cost b, 0, 1), c and b the slate's means
    leaving      ~ Bernoulli(leave_rate (1 - p)^2), with the new p

A session begins with e = 0 and p = 1. It is terminated when the user leaves, and truncated after `max_steps` steps otherwise. Click and
leave are those of a user model with a choice, a satisfaction and a time budget, as in RecSim (Ie et al. 2019, arXiv:1909.04847).

Every step draws for all N users whatever it is that was shown and whoever has finished: K uniforms, K normals, a uniform,
and a user to come. Two policies evaluated from one seed thus meet common random numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal

import torch
import torch.nn.functional as F
from tensordict import TensorDict
from torch import Tensor

from recframe.interfaces import PAD, DataError, Environment, EnvironmentSpec, History, Observation, Response, Step, Truth
from recframe_plugins.environments.candidates import draw_candidates
from recframe_plugins.environments.config import SessionConfig

Split = Literal["train", "evaluation"]


def people_of_split(people: Tensor, split: Split, evaluation_share: float, seed: int) -> Tensor:
    """Those of `people` `[P]` who appear in `split`: a fixed permutation, seeded by `seed`, keeps a share for evaluation.

    Raises
    ------
    DataError: there are fewer than two people, so that one of the splits would be empty.
    """
    if len(people) < 2:
        raise DataError(f"simulation needs at least 2 people, one to train on and one to evaluate on; the data has {len(people)}")
    if split not in ("train", "evaluation"):
        raise ValueError(f"split is 'train' or 'evaluation', not {split!r}")
    held_out = min(max(round(evaluation_share * len(people)), 1), len(people) - 1)
    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))
    chosen = order[:held_out] if split == "evaluation" else order[held_out:]
    return people[chosen.sort().values.to(people.device)]


class SessionEnvironment(Environment):
    """The part of an environment that is the same for all kinds of simulated user; see the module for the equations.

    A subclass gives `appeal`, `appeal_of_all`, `rate`, `expected_rating`, `arrivals` and, if its users change, `changed`.
    What it knows of each user lives in `self.state`, one tensor `[N, ...]` a name, beside the session's own:
    `steps` `[N]`, `patience` `[N]`, `exposure` `[N, B]` (the memory e) and `recent` `[N, R]` (the last shown items, `PAD` in front).

    Parameters
    ----------
    config: the component's options.   num_users, history_length: N and H.   device: where everything lives.
    item_vectors: `[M, B]` float32 with rows of length one (or zero), on `device`.

    Raises
    ------
    DataError: the catalogue has fewer items than a slate or a candidate set.   ValueError: the options contradict each other.
    """

    SIGNALS = ("click", "rating")

    def __init__(
        self, config: SessionConfig, item_vectors: Tensor, *, num_users: int, history_length: int, device: torch.device | str
    ) -> None:
        items, slate, candidates = len(item_vectors), config.slate_size, config.num_candidates
        if num_users < 1 or history_length < 1:
            raise ValueError(f"num_users and history_length must be at least 1, not {num_users} and {history_length}")
        if slate > items:
            raise DataError(f"environment.slate_size is {slate}, but the catalogue has {items} items; use {items} or less")
        if candidates > items:
            raise DataError(f"environment.num_candidates is {candidates}, but the catalogue has {items} items; use {items} or less")
        if 0 < candidates < slate:
            raise ValueError(f"environment.num_candidates is {candidates}, less than environment.slate_size {slate}; use {slate} or more")
        self.config = config
        self.device = torch.device(device)
        self.item_vectors = item_vectors
        self.spec = EnvironmentSpec(
            num_users=num_users,
            slate_size=slate,
            history_length=history_length,
            num_items=items,
            signals=self.SIGNALS,
            num_candidates=candidates,
            device=self.device,
        )
        self.generator = torch.Generator(self.device)
        self.history = History(num_users, history_length, self.SIGNALS, self.device)
        self.state: dict[str, Tensor] = {}
        self.candidates: Tensor | None = None
        self._rested = {
            "steps": torch.zeros(num_users, dtype=torch.int64, device=self.device),
            "patience": torch.ones(num_users, device=self.device),
            "exposure": torch.zeros(num_users, item_vectors.shape[1], device=self.device),
            "recent": torch.full((num_users, config.repeat_window), PAD, dtype=torch.int64, device=self.device),
        }

    @abstractmethod
    def arrivals(self) -> dict[str, Tensor]:
        """N new users: `user` `[N]` int64, and whatever else the subclass knows of each. Always makes the same draws."""

    @abstractmethod
    def appeal(self, slate: Tensor, shown: Tensor) -> Tensor:
        """a `[N, K]` of the items `slate` `[N, K]`, whose vectors are `shown` `[N, K, B]`."""

    @abstractmethod
    def appeal_of_all(self) -> Tensor:
        """a `[N, M]` of all items."""

    @abstractmethod
    def rate(self, utility: Tensor, noise: Tensor) -> Tensor:
        """Ratings, of the shape of `utility` and of standard normal `noise`."""

    @abstractmethod
    def expected_rating(self, utility: Tensor) -> Tensor:
        """The mean of `rate` over the noise, exactly."""

    def changed(self, shown: Tensor, clicks: Tensor) -> dict[str, Tensor]:
        """What of the subclass's own state the step changes, given `shown` `[N, K, B]` and `clicks` `[N, K]`; nothing by default."""
        return {}

    def reset(self, seed: int) -> Observation:
        """Start N fresh sessions; see `Environment.reset`."""
        self.generator.manual_seed(seed)
        self.history = History(self.spec.num_users, self.spec.history_length, self.SIGNALS, self.device)
        self.state = self._rested | self.arrivals()
        self.candidates = self._fresh_candidates()
        return self._observation()

    def step(self, slate: Tensor) -> Step:
        """Show `slate` `[N, K]`; see `Environment.step`.

        Raises
        ------
        RuntimeError: there is no session yet.   ValueError: `slate` is not `[N, K]`.
        """
        users, size = self.spec.num_users, self.spec.slate_size
        self._require_session()
        if slate.shape != (users, size):
            raise ValueError(f"a slate has shape {[users, size]} (num_users, slate_size), not {list(slate.shape)}")
        uniforms = torch.rand(users, size + 1, generator=self.generator, device=self.device)
        noise = torch.randn(users, size, generator=self.generator, device=self.device)
        arrivals = self._rested | self.arrivals()
        candidates = self._fresh_candidates()

        shown = F.embedding(slate, self.item_vectors)
        boredom = torch.einsum("nkb,nb->nk", shown, self.state["exposure"]).clamp(min=0.0)
        utility = self.appeal(slate, shown) - self._fatigue(boredom, self._repeated(slate))
        clicks = (uniforms[:, :-1] < self._click_probability(utility)).float()
        patience = self._patience_after(clicks.mean(dim=1), boredom.mean(dim=1))
        terminated = uniforms[:, -1] < self._leave_probability(patience)
        steps = self.state["steps"] + 1
        truncated = (steps >= self.config.max_steps) & ~terminated
        finished = terminated | truncated
        response = Response(
            signals=TensorDict({"click": clicks, "rating": self.rate(utility, noise)}, batch_size=[users]),
            leave=terminated,
            batch_size=[users],
        )

        memory = self.config.boredom_memory
        moved = self.state | self.changed(shown, clicks)
        moved["steps"], moved["patience"] = steps, patience
        moved["exposure"] = torch.lerp(shown.mean(dim=1), self.state["exposure"], memory)
        moved["recent"] = torch.cat([self.state["recent"], slate], dim=1)[:, -self.config.repeat_window :]
        self.history.append(slate, response)
        self.candidates, self.state = candidates, moved
        next_observation = self._observation()
        self.state = {
            name: torch.where(finished.view(-1, *[1] * (value.dim() - 1)), arrivals[name], value) for name, value in moved.items()
        }
        self.history.clear(finished)
        return Step(response, next_observation, self._observation(), terminated, truncated)

    def truth(self) -> Truth:
        """Expected click and rating, and the probability of then leaving, for each item shown alone now; each `[N, M]`, exact."""
        self._require_session()
        boredom = (self.state["exposure"] @ self.item_vectors.T).clamp(min=0.0)
        # one column more than there are items takes the PADs
        repeated = torch.zeros(self.spec.num_users, self.spec.num_items + 1, dtype=torch.bool, device=self.device)
        repeated.scatter_(1, self.state["recent"] % (self.spec.num_items + 1), True)
        utility = self.appeal_of_all() - self._fatigue(boredom, repeated[:, :-1])
        click = self._click_probability(utility)
        leave_after = [self._leave_probability(self._patience_after(torch.full_like(click, c), boredom)) for c in (0.0, 1.0)]
        leave = torch.lerp(leave_after[0], leave_after[1], click)
        return Truth({"click": click, "rating": self.expected_rating(utility)}, leave)

    def state_dict(self) -> dict[str, Any]:
        """Everything a bit-identical continuation needs; see `Environment.state_dict`."""
        self._require_session()
        saved: dict[str, Any] = {"generator": self.generator.get_state(), "history": self.history.state_dict(), "state": dict(self.state)}
        return saved if self.candidates is None else saved | {"candidates": self.candidates}

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Take up a saved state; see `Environment.load_state_dict`.

        Raises
        ------
        ValueError: it was saved by an environment of other shapes; the message names the part.
        """
        # arrivals draw: a refused state must leave the generator as it was
        drawn_so_far = self.generator.get_state()
        expected = {name: value.shape for name, value in (self._rested | self.arrivals()).items()}
        self.generator.set_state(drawn_so_far)
        found = {name: value.shape for name, value in state["state"].items()}
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
        self.generator.set_state(state["generator"].cpu())
        self.history.load_state_dict(state["history"])
        self.state = {name: value.to(self.device) for name, value in state["state"].items()}
        self.candidates = None if candidates is None else candidates.to(self.device)
        return self._observation()

    def _require_session(self) -> None:
        if not self.state:
            raise RuntimeError("there is no session yet: call reset(seed) first")

    def _fresh_candidates(self) -> Tensor | None:
        if not self.spec.num_candidates:
            return None
        return draw_candidates(self.spec.num_users, self.spec.num_items, self.spec.num_candidates, self.generator)

    def _observation(self) -> Observation:
        return Observation(
            user=self.state["user"],
            history_items=self.history.items,
            history_feedback=self.history.feedback,
            candidates=self.candidates,
            batch_size=[self.spec.num_users],
        )

    def _repeated(self, slate: Tensor) -> Tensor:
        """Which items of the slate were shown lately or stand higher in it, `[N, K]` bool."""
        repeated = (slate[:, :, None] == self.state["recent"][:, None, :]).any(dim=-1)
        if slate.shape[1] == 1:
            return repeated
        return repeated | (slate[:, :, None] == slate[:, None, :]).tril(-1).any(dim=-1)

    def _fatigue(self, boredom: Tensor, repeated: Tensor) -> Tensor:
        return self.config.boredom_weight * boredom + self.config.repeat_penalty * repeated

    def _click_probability(self, utility: Tensor) -> Tensor:
        return torch.sigmoid(utility - self.config.threshold)

    def _patience_after(self, clicked: Tensor, boredom: Tensor) -> Tensor:
        """New patience after a slate of mean `boredom` of which the share `clicked` was clicked; `[N]`, or `[N, M]` for the truth."""
        config, patience = self.config, self.state["patience"].view(-1, *[1] * (clicked.dim() - 1))
        change = (config.patience_recovery + config.patience_cost) * clicked - config.patience_cost
        return (patience + change - config.patience_boredom_cost * boredom).clamp(0.0, 1.0)

    def _leave_probability(self, patience: Tensor) -> Tensor:
        return self.config.leave_rate * (1.0 - patience).square()
