"""Creates Gymnasium environments from a name or a config, with the same code that builds the environments of a run."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig

from recframe.attribution import blaming
from recframe.building.parts import Parts, assemble
from recframe.components import Kind
from recframe.config import ConfigError, compose_config, validate
from recframe.gym.env import RecommendationEnv
from recframe.gym.vector_env import RecommendationVectorEnv
from recframe.interfaces import Split
from recframe.trial import try_components


def make_vec(
    cfg_or_name: DictConfig | str,
    num_users: int | None = None,
    *,
    overrides: Sequence[str] = (),
    split: Split = "train",
    text_dims: int | None = 32,
) -> RecommendationVectorEnv:
    """N simulated users as a Gymnasium vector environment.

    `make_vec("topic_world", 64, overrides=["environment.slate_size=3", "encoder=tfidf"])`

    Parameters
    ----------
    cfg_or_name: the name of an environment, which selects recframe's default config with that environment; or a composed config
        (`recframe.config.compose_config`). The agent and the trainer are not used, and of the state tracker only `history_length`.
    num_users: N; the default is the config's `environment.num_users`.
    overrides: changes to the default config, as on the command line; only with a name.
    split: whose sessions to simulate. People of "evaluation" never appear in "train".
    text_dims: number of dims of each text vector in observations; None: all of them.

    Raises
    ------
    recframe.errors.UserError: the config cannot run, or the data cannot be used; the message has one line per mistake.
    ValueError: another parameter is wrong.
    """
    if num_users is not None and num_users < 1:
        raise ValueError(f"num_users must be 1 or more, not {num_users}")
    parts = _parts(cfg_or_name, overrides)
    users = parts.cfg.environment.num_users if num_users is None else num_users
    return RecommendationVectorEnv(parts.environment(users, split), parts.rewards, parts.reading, text_dims)


def make_env(
    cfg_or_name: DictConfig | str, *, overrides: Sequence[str] = (), split: Split = "train", text_dims: int | None = 32
) -> RecommendationEnv:
    """One simulated user as a Gymnasium environment; the parameters are those of `make_vec`."""
    parts = _parts(cfg_or_name, overrides)
    return RecommendationEnv(parts.environment(1, split), parts.rewards, parts.reading, text_dims)


def make_registered_vec(num_envs: int, **settings: object) -> RecommendationVectorEnv:
    """Entry point of `gymnasium.make_vec`: `make_vec` with Gymnasium's name for the number of users."""
    return make_vec(num_users=num_envs, **settings)  # type: ignore[arg-type]  # passed on as given


def _parts(cfg_or_name: DictConfig | str, overrides: Sequence[str]) -> Parts:
    if isinstance(cfg_or_name, DictConfig):
        if overrides:
            raise ConfigError(
                [f"overrides are only allowed with an environment's name; put {', '.join(overrides)} into the config instead"]
            )
        return _assembled(validate(cfg_or_name))
    # the agent is not used; random works with every environment
    agent = [] if any(override.startswith("agent=") for override in overrides) else ["agent=random"]
    return _assembled(compose_config([f"environment={cfg_or_name}", *agent, *overrides]))


def _assembled(cfg: DictConfig) -> Parts:
    with blaming():
        try_components(cfg, unused=(Kind.AGENT, Kind.STATE_TRACKER))
        return assemble(cfg)
