"""Steps of sessions, kept until all sessions of their person are over, so that their returns can be compared."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import Observation, Transition, first_sessions, groups_of, next_sessions
from recframe_plugins.agents.language_policy.generator import SlateEvaluation


class SessionSteps(NamedTuple):
    """B steps of sessions in groups; all tensors have the first dimension B.

    observation, slate: what was shown to whom.   log_probs, is_choice: `[B, K, L]`, of the slate's codes under the policy that drew them.
    reward: `[B]`.   group, session: `[B]`, the number of the group, and of the session in it.   place: `[B]`, which step of the session.
    finished: `[B]` bool, whether it was the session's last step.
    """

    observation: Observation
    slate: Tensor
    log_probs: Tensor
    is_choice: Tensor
    reward: Tensor
    group: Tensor
    session: Tensor
    place: Tensor
    finished: Tensor

    def rows(self, rows: Tensor) -> SessionSteps:
        """Some of the steps."""
        observation: Observation = self.observation[rows]
        return SessionSteps(observation, *(part[rows] for part in self[1:]))

    def and_then(self, later: SessionSteps) -> SessionSteps:
        """These steps, then others."""
        # torch knows no types of tensor classes
        both: Any = [self.observation, later.observation]
        observation: Any = torch.cat(both)
        return SessionSteps(observation, *(torch.cat(pair) for pair in zip(self[1:], later[1:], strict=True)))


class ComparedSessions(NamedTuple):
    """The B steps of C * G whole sessions: all those of C people.

    rewards: `[C, G, T]`, of each step of each session, 0 after its end.   row: `[B]`, in which of the C * G sessions each step is.
    """

    steps: SessionSteps
    rewards: Tensor
    row: Tensor


class OpenSessions:
    """The steps of sessions that cannot be compared yet, since one of their person's G sessions is not over, or not begun.

    Sessions are numbered as by the environment (`recframe.interfaces.next_sessions`), from its first step on.
    """

    def __init__(self, group_size: int) -> None:
        self.size = group_size
        self.waiting: SessionSteps | None = None
        self._now: tuple[Tensor, Tensor] | None = None  # session and place of each user, [N] each

    def take_in(self, batch: Transition, evaluated: SlateEvaluation) -> ComparedSessions | None:
        """Add a chunk `[T, N]`, and give back the steps of the people whose sessions are all over now; None if there are none.

        evaluated: of the chunk's T * N slates, under the policy that drew them.
        """
        new = self._numbered(batch, evaluated)
        steps = new if self.waiting is None else self.waiting.and_then(new)
        known, row = torch.stack([steps.group, steps.session]).unique(dim=1, return_inverse=True)
        over = torch.zeros_like(known[0]).index_add(0, row, steps.finished.long())
        people, person = torch.stack([known[0], known[1] // self.size]).unique(dim=1, return_inverse=True)
        complete = torch.zeros_like(people[0]).index_add(0, person, over) == self.size
        compared = complete[person]
        chosen = compared[row]
        self.waiting = steps.rows(~chosen)
        if not bool(chosen.any()):
            return None
        # sessions are sorted by group and number, so those of a person are neighbours
        steps, row = steps.rows(chosen), (compared.cumsum(0) - 1)[row[chosen]]
        count, length = int(compared.sum()), int(steps.place.max()) + 1
        rewards = steps.reward.new_zeros(count, length).index_put((row, steps.place), steps.reward)
        return ComparedSessions(steps, rewards.view(-1, self.size, length), row)

    def _numbered(self, batch: Transition, evaluated: SlateEvaluation) -> SessionSteps:
        finished, device = batch.terminated | batch.truncated, batch.reward.device
        users = finished.shape[1]
        if self._now is None:
            self._now = first_sessions(users, self.size, device), torch.zeros(users, dtype=torch.int64, device=device)
        sessions, places = [], []
        for over in finished:
            session, place = self._now
            sessions.append(session)
            places.append(place)
            self._now = next_sessions(session, over, self.size), (place + 1).masked_fill(over, 0)
        flat = batch.reshape(-1)
        return SessionSteps(
            flat.observation,
            flat.slate,
            evaluated.token_log_probs,
            evaluated.is_choice,
            flat.reward,
            groups_of(users, self.size, device).expand_as(finished).flatten(),
            torch.cat(sessions),
            torch.cat(places),
            finished.flatten(),
        )

    def state_dict(self) -> dict[str, Any]:
        """The waiting steps, and where each user is."""
        if self._now is None or self.waiting is None:
            return {"now": None, "waiting": None}
        fields = self.waiting.observation.to_tensordict()
        observation = {name: fields[name].clone() for name in fields.keys() if fields[name] is not None}  # noqa: SIM118
        tensors = {name: part.clone() for name, part in self.waiting._asdict().items() if name != "observation"}
        return {"now": list(self._now), "waiting": {"observation": observation, **tensors}}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Restore them."""
        self._now = self.waiting = None
        if state["now"] is None:
            return
        session, place = (part.to(device) for part in state["now"])
        self._now = session, place
        fields = dict(state["waiting"])
        size = len(fields["reward"])
        observation = Observation(**{name: part.to(device) for name, part in fields.pop("observation").items()}, batch_size=[size])
        self.waiting = SessionSteps(observation, **{name: part.to(device) for name, part in fields.items()})
