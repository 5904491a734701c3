"""Options of the environment gymnasium. Imports neither torch nor Gymnasium."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from recframe.components import option


@dataclass
class GymnasiumConfig:
    """Any Gymnasium environment by its id: its actions are the items, its observations the features."""

    id: str = option(MISSING, "id under which Gymnasium registers the environment, such as CartPole-v1")
    num_users: int = option(16, "copies simulated at once in training (N)", ge=1)
    max_steps: int | None = option(None, "time limit of a session in steps; null: the environment's own limit", ge=1)
    kwargs: dict[str, Any] = option({}, "arguments of the environment's constructor (+environment.kwargs.NAME=VALUE)")

    def action_kind(self) -> str | None:
        """The kind of the actions, "items" or "continuous"; None if the environment cannot be made, for a reason that building it gives."""
        from recframe_plugins.environments.gymnasium.make import action_spec, make

        try:
            environment = make(self)
        except ValueError:
            return None
        environment.close()
        kind: str = action_spec(environment.action_space).get("actions", "items")
        return kind
