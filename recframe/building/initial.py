"""What a run takes over, beside the weights, from the policy that it starts from (`init`)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import torch
from omegaconf import DictConfig
from polars.exceptions import PolarsError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from recframe.building.fingerprints import data_fingerprints
from recframe.config import ConfigError
from recframe.config.policy_folder import EXPORT, PolicyFolder
from recframe.embeddings import AffineMap
from recframe.interfaces import Data
from recframe.tracking.data_record import Fingerprint

log = logging.getLogger(__name__)

ITEMS, USERS, LEARNED_FROM, VECTORS = "items.parquet", "users.parquet", "encoder_texts.parquet", "vectors.safetensors"


@dataclass(frozen=True)
class InitialPolicy:
    """The policy that a run starts from.

    items: the ids of its items, or None: of a run, only a hash of them is known.   users: those of users whom it can tell apart.
    learned_from: the texts that its encoder has learned from; empty: it learns nothing.
    reduction: from the encoder's vectors to those that the policy reads, or None.   popularity: `[M]`, of its items, or None.
    has_profiles: whether it was made for users with profiles; None: of a run, that is not known.
    """

    folder: PolicyFolder
    items: tuple[str, ...] | None
    users: tuple[str, ...] = ()
    learned_from: tuple[str, ...] = ()
    reduction: AffineMap | None = None
    popularity: Tensor | None = None
    has_profiles: bool | None = None

    @property
    def fingerprints(self) -> Mapping[str, Fingerprint]:
        """By which a later evaluation knows that the policy is still the same."""
        return {"init": Fingerprint(self.folder.version)}

    def require_items(self, data: Data) -> None:
        """Compare the items of a run with those of the policy: the same ids in the same order, after which there may be others.

        Raises
        ------
        ConfigError: they differ.
        """
        ids = data.catalog.ids
        if self.items is None:
            self._require_hash(data)
            return
        if (both := min(len(ids), len(self.items))) and (places := [row for row in range(both) if ids[row] != self.items[row]]):
            row = places[0]
            raise self.refused(
                f"item {row} is {self.items[row]!r} there and {ids[row]!r} in the data of this run ({len(places):,} differ); "
                "right are its items in its order, and after them any others"
            )
        if len(ids) < len(self.items):
            missing = self.items[len(ids)]
            raise self.refused(f"it has {len(self.items):,} items, the data of this run only {len(ids):,}; {missing!r} is missing first")
        if len(ids) > len(self.items):
            log.info("init: %d items are new, after the %d of %s", len(ids) - len(self.items), len(self.items), self.folder.path)

    def _require_hash(self, data: Data) -> None:
        try:
            recorded = json.loads((self.folder.path / "data.json").read_text(encoding="utf-8"))["items"]["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            raise self.refused(f"the run has no record of its items; {EXPORT}") from None
        if recorded != data_fingerprints(data)["items"].sha256:
            raise self.refused(f"the items of the run are not those of this one; where some were added, {EXPORT}")

    def known_popularity(self, data: Data) -> Data:
        """The data with the popularity that the policy has learned with; new items have none."""
        if self.popularity is None:
            return data
        new = torch.zeros(len(data.catalog) - len(self.popularity))
        return data._replace(catalog=replace(data.catalog, popularity=torch.cat([self.popularity, new])))

    def refused(self, why: str) -> ConfigError:
        """The error that says why a run cannot start from the policy."""
        return ConfigError([f"init={self.folder.path}: {why}"])


def initial_policy(cfg: DictConfig) -> InitialPolicy | None:
    """The policy that a run of this config starts from, or None.

    Raises
    ------
    ConfigError: it is not there, or damaged.
    """
    if cfg.init is None:
        return None
    folder = PolicyFolder.read(Path(cfg.init))
    if not folder.is_run:
        return _of_artefact(folder)
    if cfg.embeddings.whiten or cfg.embeddings.dim is not None:
        raise ConfigError([f"init={folder.path}: a run does not keep how its text vectors were reduced; {EXPORT}"])
    return InitialPolicy(folder, None)


def _of_artefact(folder: PolicyFolder) -> InitialPolicy:
    try:
        ids = {name: _column(folder.path / name, "id") for name in (ITEMS, USERS) if name in folder.files}
        texts = _column(folder.path / LEARNED_FROM, "text") if LEARNED_FROM in folder.files else ()
        with safe_open(folder.path / VECTORS, framework="pt") as file:
            names = set(file.keys())
            popularity = file.get_tensor("item.popularity")
            mean, matrix = (file.get_tensor(name) if name in names else None for name in ("reduction.mean", "reduction.matrix"))
    except (OSError, PolarsError, SafetensorError) as error:
        raise ConfigError([f"init={folder.path}: its files do not belong together ({error}); {EXPORT}"]) from None
    reduction = None if mean is None or matrix is None else AffineMap(mean, matrix)
    return InitialPolicy(folder, ids[ITEMS], ids.get(USERS, ()), texts, reduction, popularity, "user.vectors" in names)


def _column(path: Path, name: str) -> tuple[str, ...]:
    return tuple(pl.read_parquet(path, columns=[name])[name].to_list())
