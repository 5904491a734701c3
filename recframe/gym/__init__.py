"""recframe's environments as Gymnasium environments, for use with other libraries.

`make_vec` returns N users as a `gymnasium.vector.VectorEnv`, `make_env` one user as a `gymnasium.Env`. Importing this package registers
`gymnasium.make("recframe/Recommendation-v0", cfg_or_name="topic_world")`. `recframe.gym.stable_baselines` adapts
them to stable-baselines3.
"""

import gymnasium

from recframe.gym.env import RecommendationEnv
from recframe.gym.make import make_env, make_vec
from recframe.gym.vector_env import RecommendationVectorEnv

__all__ = ["ENVIRONMENT_ID", "RecommendationEnv", "RecommendationVectorEnv", "make_env", "make_vec"]

ENVIRONMENT_ID = "recframe/Recommendation-v0"

gymnasium.register(ENVIRONMENT_ID, entry_point="recframe.gym.make:make_env", vector_entry_point="recframe.gym.make:make_registered_vec")
