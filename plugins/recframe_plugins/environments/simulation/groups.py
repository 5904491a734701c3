"""Users in groups: the entries of the simulators' state that say in which session of which group a user is, and its random numbers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recframe.interfaces import first_sessions, groups_of, own_draws
from recframe_plugins.environments.simulation.random_numbers import KEYS, GeneratorNumbers, GroupNumbers, RandomNumbers

ARRIVAL, STEP, CANDIDATES = range(3)
"""The purposes of random numbers."""


class SessionGroups:
    """The groups of N users; with a `group_size` of 1 there are none, and all random numbers are the generator's next ones."""

    def __init__(self, num_users: int, group_size: int, generator: torch.Generator) -> None:
        self.num_users, self.size, self.generator = num_users, group_size, generator

    def new(self) -> dict[str, Tensor]:
        """The users' first sessions: `group` `[N]`, the key of the group's random numbers, and `session` `[N]`; empty without groups."""
        if self.size == 1:
            return {}
        device = self.generator.device
        group = groups_of(self.num_users, self.size, device)
        keys = own_draws(lambda n: torch.randint(KEYS, (n,), generator=self.generator, device=device), int(group[-1]) + 1)
        return {"group": keys[group], "session": first_sessions(self.num_users, self.size, device)}

    def are_those_of(self, state: Mapping[str, Tensor]) -> bool:
        """Whether a state's users are in these groups: neighbours have the same key, others another."""
        key, group = state["group"], groups_of(self.num_users, self.size, state["group"].device)
        return torch.equal(key.unique_consecutive(return_inverse=True)[1], group)

    def numbers(self, purpose: int, state: Mapping[str, Tensor]) -> RandomNumbers:
        """The random numbers for a purpose of users in this state."""
        if "group" in state:
            return GroupNumbers(state["group"], state["session"] // self.size, state["steps"], purpose)
        return GeneratorNumbers(self.generator, self.num_users)
