"""The sweeper that Hydra calls for `hydra/sweeper=optuna`."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from recframe.config import ConfigError
from recframe.config.checks.sections import check_fields
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import UserError

if TYPE_CHECKING:
    from recframe.sweeps.optuna.space import Space

log = logging.getLogger(__name__)


class OptunaSweeper(Sweeper):
    """Searches settings with Optuna. Parameters are those of `recframe.config.schema.search.OptunaSweeperConfig`."""

    def __init__(self, **settings: Any) -> None:
        # lists and mappings come as configs
        plain = OmegaConf.to_container(OmegaConf.create(settings), resolve=True)
        self.settings = OptunaSweeperConfig(**cast("dict[str, Any]", plain))

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what the jobs are made of.

        Raises
        ------
        UserError: if Optuna is not installed.
        ConfigError: if a setting is not allowed.
        """
        if find_spec("optuna") is None:
            raise UserError("hydra/sweeper=optuna: Optuna is not installed; pip install 'recframe[optuna]'")
        # not in the constructor, whose errors Hydra puts into a message of its own
        if problems := check_fields("hydra.sweeper.", dataclasses.asdict(self.settings), OptunaSweeperConfig):
            raise ConfigError(problems)
        self.hydra_context, self.config = hydra_context, config
        # trials are distributed over machines that may have other working directories
        with open_dict(config.hydra):
            config.hydra.sweep.dir = str(Path(str(config.hydra.sweep.dir)).absolute())
        self.launcher = Plugins.instance().instantiate_launcher(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run trials until the study has as many as it is to have.

        Parameters
        ----------
        arguments: the overrides of the command line; those of `hydra.sweeper.params` that are not among them are added.

        Raises
        ------
        ConfigError: if the search makes no sense.
        Stop: if trials failed, after all have ended.
        """
        from recframe.sweeps.optuna.search import Search, objectives_of

        space = self._space(arguments)
        objectives = objectives_of(self.settings, self.config)
        sweep = Path(self.config.hydra.sweep.dir)
        sweep.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, sweep / "multirun.yaml")
        return Search(self.settings, space, objectives, sweep, self.launcher, self._most_jobs()).run()

    def _space(self, arguments: Sequence[str]) -> Space:
        from recframe.sweeps.optuna.space import Space

        loader = self.hydra_context.config_loader
        parser = OverridesParser.create(config_loader=loader)
        given = parser.parse_overrides(list(arguments))
        known = {override.get_key_element() for override in given}
        filed = parser.parse_overrides([f"{key}={value}" for key, value in (self.settings.params or {}).items()])
        overrides = [*(override for override in filed if override.get_key_element() not in known), *given]
        return Space.of(
            overrides,
            lambda group: bool(loader.get_group_options(group, ObjectType.CONFIG)),
            lambda chosen: loader.load_sweep_config(self.config, list(chosen)),
        )

    def _most_jobs(self) -> int:
        """How many jobs are started together."""
        if self.settings.n_jobs is not None:
            return self.settings.n_jobs
        own = self.config.hydra.launcher.get("n_jobs")
        if own is not None and own < 0:
            from joblib import cpu_count

            # as joblib counts: -1 is all
            return max(1, int(cpu_count()) + 1 + int(own))
        return int(own or 1)


def search_settings(sweeper: DictConfig) -> OptunaSweeperConfig | None:
    """The settings of the search that a job with this section `hydra.sweeper` belongs to; None if it belongs to none."""
    plain: Any = OmegaConf.to_container(sweeper, resolve=True)
    names = [field.name for field in dataclasses.fields(OptunaSweeperConfig)]
    if plain.get("_target_") != OptunaSweeperConfig._target_ or plain.get("trial") is None:
        return None
    return OptunaSweeperConfig(**{name: plain[name] for name in names if name in plain})
