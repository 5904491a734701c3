"""The run of a round: the served policy learns on from the store's feedback up to a moment."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig, OmegaConf, open_dict

from recframe.config import ConfigError, Consent, compose_config, validate
from recframe.config.compose.quoting import quoted_value
from recframe.rounds.rounds_file import SWAPPED
from recframe.rounds.settings import LearnSettings
from recframe.serving.artefact.manifest import Manifest
from recframe.tracking.logged_values import flat_settings

log = logging.getLogger(__name__)

SECTIONS = ("agent", "state_tracker", "encoder")
PASSES = 10
"""How often a round learns from each shown item, about: it is one of many, and begins with a trained policy."""
BATCHES = 200, 2_000
"""The least and the largest number of batches of a round."""
EVALUATIONS = 4
USUAL_BATCH = 64
"""Of agents whose batches are not counted in shown items."""


def require_trusted_code(settings: LearnSettings, sections: Any) -> None:
    """Check that no setting runs code that comes with a model or sends an environment variable, unless the command allows it.

    Raises
    ------
    ConfigError: some do, with a line for each.
    """
    if refused := Consent(settings.trust_remote_code, settings.allowed).problems(sections):
        raise ConfigError(refused)


def round_config(
    settings: LearnSettings, manifest: Manifest, served: Path, until: float, number: int, *, rows: int = 0, sessions: bool = False
) -> DictConfig:
    """The config of a round's run: the served policy's agent, state tracker and encoder, and what the command line says otherwise.

    Parameters
    ----------
    served: the folder of the artefact that is served, with this manifest.   until: unix seconds.   number: of the round.
    rows: the number of shown items that are learned from, by which the round is as long as it must be.
    sessions: whether sessions of the store are long enough to be held out for validation; else it is divided by time.

    Raises
    ------
    ConfigError: with every mistake in the overrides, one line each; or settings that run code, which is not allowed.
    """
    require_trusted_code(settings, manifest.sections)
    own = {override.partition("=")[0].lstrip("+~") for override in settings.overrides}
    spec = manifest.spec
    given: dict[str, Any] = {
        **{kind: manifest.sections[kind]["name"] for kind in SECTIONS},
        "dataset": "feedback",
        "dataset.url": quoted_value(settings.url),
        "dataset.until": quoted_value(datetime.fromtimestamp(until, UTC).isoformat()),
        "dataset.signals": f"[{','.join(spec['signals'])}]",
        "dataset.profiles": "true" if _reads_profiles(served) else "false",
        "environment": "none",
        "stages": "[logged]",
        "evaluation.exclude_seen": str(manifest.excludes_history).lower(),
        "evaluation.references": "false",
        # the gate compares with the served policy, by what people did; rankings of the log favour the policy that has chosen what is in it
        "trainer.evaluate_start": "false",
        "logger": "[csv]",
        "trainer.progress_bar": "false",
        "name": quoted_value(f"round {number}"),
        **({"split.by": "sessions"} if sessions else {"split.by": "time", "logs.sequence": "user"}),
    }
    overrides = [f"{key}={value}" for key, value in given.items() if key not in own]
    cfg = compose_config([*overrides, *settings.overrides])
    with open_dict(cfg):
        for kind in SECTIONS:
            for key, value in flat_settings({kind: manifest.sections[kind]}):
                # what is no setting of the component as it is now is reported where the artefact is loaded
                if key not in own and OmegaConf.select(cfg, key, default=_MISSING) is not _MISSING:
                    OmegaConf.update(cfg, key, value)
        # only now: the batch size is that of the served policy
        short = length_of_round(rows, int(OmegaConf.select(cfg, "agent.batch_size", default=None) or USUAL_BATCH))
        for key, value in short.items():
            if key not in own:
                OmegaConf.update(cfg, key, value)
        # only now: it is compared with these sections
        if "init" not in own:
            cfg.init = str(served)
    require_trusted_code(settings, OmegaConf.to_container(cfg))
    return validate(cfg)


def length_of_round(rows: int, batch: int) -> dict[str, int]:
    """The batches of a round that learns from so many rows, and those between two evaluations.   batch: rows of a batch."""
    least, most = BATCHES
    batches = min(max(math.ceil(PASSES * rows / batch), least), most)
    return {"logged.batches": batches, "logged.evaluate_every": math.ceil(batches / EVALUATIONS)}


def has_long_sessions(log: pl.DataFrame, least: int = 100) -> bool:
    """Whether enough sessions of a store's log have two shown items or more."""
    return int((log.group_by("session").len()["len"] > 1).sum()) >= least


_MISSING = object()


def _reads_profiles(served: Path) -> bool:
    from safetensors import safe_open

    with safe_open(served / "vectors.safetensors", framework="pt") as file:
        return "user.vectors" in set(file.keys())


def described(record: Mapping[str, Any]) -> str:
    """A round in one line."""
    served = record["outcome"] == SWAPPED
    versions = f"{record['new']} takes the place of {record['old']}" if served else f"{record['old'] or 'what is served'} stays"
    return f"round {record['round']}: {record['outcome']} ({versions}): {record['reason']}"
