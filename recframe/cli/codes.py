"""`recframe codes`: the codes that a run's items get, how good they are, and items that share the beginnings of codes."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.run_folder import log_to
from recframe.console import output_console

if TYPE_CHECKING:
    from recframe.item_codes import CodesConfig


def codes(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="Settings of a run, as for recframe train, and of its codes: codes.kind=rq_vae; several kinds: codes.kind=ids,titles."
        ),
    ] = None,
    config_dir: Annotated[str | None, typer.Option(help="A folder of your own configs.")] = None,
) -> None:
    """Print how good the codes of a run's items are, and examples: as its agent has them, but for codes.KEY=VALUE."""
    with user_errors_as_messages():
        cfg, configs = _composed(overrides or [], config_dir)
        from recframe.attribution import as_messages
        from recframe.building.computed import agent_results
        from recframe.building.parts import assemble
        from recframe.item_codes import CODES_SEED, item_codes
        from recframe.item_codes.tables import example_tables, measures_table

        log_to(sys.stderr)
        made = []
        with as_messages():
            parts = assemble(cfg)
            catalog = parts.reading.catalog
            for config in configs:
                begin = time.perf_counter()
                with agent_results(cfg, parts.device):
                    made.append((item_codes(config, catalog, CODES_SEED, key="codes"), time.perf_counter() - begin))
        output_console().print(measures_table(made))
        for table in example_tables([one for one, _ in made], catalog.titles):
            output_console().print()
            output_console().print(table)


def _composed(overrides: list[str], config_dir: str | None) -> tuple[Any, list[CodesConfig]]:
    """The config of the run, and those of the codes, with all mistakes in either at once."""
    from omegaconf import OmegaConf

    from recframe.config import ConfigError, compose_config
    from recframe.config.compose.codes import codes_configs, split_codes

    of_codes, of_run = split_codes(overrides)
    try:
        cfg = compose_config(of_run, config_dir)
    except ConfigError as error:
        problems = error.problems
        try:
            codes_configs(of_codes, {})
        except ConfigError as more:
            problems = problems + more.problems
        raise ConfigError(problems) from None
    base: Any = OmegaConf.to_container(cfg.agent.codes, resolve=True) if "codes" in cfg.agent else {}
    return cfg, codes_configs(of_codes, base)
