"""Options of the environment none. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option


@dataclass
class NoEnvironmentConfig:
    """No simulator: what is learned, and the final table, come from the log of the dataset. For runs with stages=[logged]."""

    num_users: int = option(256, "users whose lists are ranked side by side in an evaluation", ge=1)
