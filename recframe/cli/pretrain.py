"""`recframe pretrain`: the Hydra app that trains a language model on the texts of a dataset."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.hydra_app import run_app, run_job
from recframe.cli.settings_table import settings_table
from recframe.components import Kind, options_of
from recframe.console import output_console
from recframe.plugin_loader import registry

if TYPE_CHECKING:
    from recframe.config.compose.initialize import ConfigGroups

SUMMARY = "Train a language model on a dataset's texts: recframe pretrain [key=value]."
HELP = """\
recframe pretrain: train a language model on the texts of a dataset, and save it into a folder that any encoder config can name.

encoder: {encoders}
dataset: {datasets}
logger: csv, wandb (as logger=[csv,wandb])

Examples
  recframe pretrain dataset=movielens_format dataset.path=...   continue with the packaged model, masked
  recframe pretrain encoder=gpt encoder.model=FOLDER            continue with a causal model
  recframe pretrain encoder=gpt pretrain.from_scratch=true pretrain.new.layers=2 pretrain.folder=models/mine
  recframe train encoder=gpt encoder.model=models/mine          use it

`recframe plugins show encoder NAME` and `recframe plugins show dataset NAME` list their settings; seed, device and name are as for train.
`recframe pretrain --cfg job` prints the composed config.
"""


def pretrain(context: typer.Context) -> None:
    """Run the Hydra app."""
    with user_errors_as_messages():
        from recframe.config import PRETRAIN

        run_app(PRETRAIN, list(context.args), pretrain_job, show_pretrain_help)


def pretrain_job(cfg: Any) -> float:
    """Pretrain by one config, which Hydra has composed, and return the perplexity on held-out texts for the sweeper."""

    def run(folder: str, overrides: list[str], sweep: str | None) -> float:
        from recframe.pretraining import pretrain as pretrain_model

        cfg.pretrain.folder = folder  # in a sweep, the job's own
        try:
            return pretrain_model(cfg, overrides=overrides, sweep=sweep).perplexity_after
        except BaseException:
            with suppress(OSError):
                Path(folder).rmdir()  # the empty folder that Hydra made
            raise

    return run_job(run)


def show_pretrain_help(groups: ConfigGroups) -> None:
    """Print the help of the app, with the settings of `pretrain`."""
    from recframe.config.checks.pretraining import trainable_encoders
    from recframe.config.schema.pretraining import NewModelConfig, PretrainConfig

    print(HELP.format(encoders=", ".join(trainable_encoders()), datasets=", ".join(registry().names(Kind.DATASET))))
    own = [("pretrain", option) for option in options_of(PretrainConfig) if option.name != "new"]
    output_console().print(settings_table(own + [("pretrain.new", option) for option in options_of(NewModelConfig)]))
