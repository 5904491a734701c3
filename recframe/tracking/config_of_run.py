"""The config of an existing run, checked on this machine."""

from __future__ import annotations

import logging
import os
import re

from omegaconf import DictConfig, OmegaConf

from recframe.config import ConfigError, Consent, validate
from recframe.config.checks.machine import folder_problem
from recframe.config.schema.run import EmbeddingsConfig
from recframe.tracking.claim import in_words
from recframe.tracking.folder import RunFolder
from recframe.tracking.identity import edited_settings, read_identity
from recframe.tracking.provenance import missing_plugin

log = logging.getLogger(__name__)

NO_EDITS = "start a new run with it"
"""How to go on with a config that was edited, where it is not accepted."""


def recorded_config(
    folder: RunFolder, device: str | None, use_cpu: str, consent: Consent, accept_edits: str | None = NO_EDITS
) -> DictConfig:
    """The config that a run was started with.

    Parameters
    ----------
    device: used in place of the recorded one; None: the recorded one.     use_cpu: the command that uses the CPU, for the error.
    consent: what is allowed of settings that run code, or send environment variables.
    accept_edits: how to go on with a file that was edited since the run was started, for the error; None: it is accepted.

    Raises
    ------
    ConfigError: if it cannot run here; each problem with the file, and one of the device with `use_cpu`. An edited setting that determines
        the result is one: it would label the result of another. So is a setting that needs consent: the folder may be somebody else's.
    """
    cfg = folder.read_config()
    if device is not None:
        cfg.device = device
    _use_own_cache(cfg)
    refused = consent.problems(OmegaConf.to_container(cfg))
    try:
        validated = validate(cfg)
        if refused:
            raise ConfigError(refused)
        if accept_edits is not None and (identity := read_identity(folder.path)) and (edits := edited_settings(identity, cfg)):
            raise ConfigError([f"not as the run was started: {in_words(edits)}. Put it back, or {accept_edits}"])
        return validated
    except ConfigError as error:
        lines = [f"{line}: {use_cpu}" if line.startswith("device:") else _with_origin(folder, line) for line in error.problems]
        raise ConfigError(lines) from None


def _with_origin(folder: RunFolder, problem: str) -> str:
    """The problem with the file, and, where the run's component is missing or another version, with the plugin that it came from."""
    origin = missing_plugin(folder.path, problem.partition(":")[0])
    if origin.endswith("not installed"):
        # the others that there are do not help: the run's own is to be installed
        problem = re.split(r"\. Did you mean|\. There are:", problem)[0]
    return f"{folder.config_path}: {problem}{'' if not origin or origin in problem else f'. {origin}'}"


def _use_own_cache(cfg: DictConfig) -> None:
    """Replace a store of text vectors that this user can neither read nor make, such as one in another user's home, by this user's own.

    The vectors are the same: a store only saves the time to compute them. One that is read-only saves it, too.
    """
    recorded = OmegaConf.select(cfg, "embeddings.cache")
    if isinstance(recorded, str) and recorded and not _is_usable(recorded):
        cfg.embeddings.cache = OmegaConf.structured(EmbeddingsConfig).cache
        log.info("the run's store of text vectors, %s, cannot be used; using %s", recorded, cfg.embeddings.cache)


def _is_usable(store: str) -> bool:
    path = os.path.expanduser(store)
    return os.access(path, os.R_OK | os.X_OK) if os.path.isdir(path) else not folder_problem("embeddings.cache", store)
