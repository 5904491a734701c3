"""The data of an artefact as files: ids and texts as Parquet, vectors as safetensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from recframe.embeddings import AffineMap
from recframe.interfaces import Catalog, Data, DataError, Role, Texts, Users
from recframe.interfaces.data import Labels
from recframe.serving.artefact.manifest import ArtefactError

ITEMS, USERS, CONTEXTS, LEARNED_FROM = "items.parquet", "users.parquet", "contexts.parquet", "encoder_texts.parquet"
VECTORS = "vectors.safetensors"
MEAN, MATRIX, POPULARITY = "reduction.mean", "reduction.matrix", "item.popularity"


@dataclass(frozen=True)
class PolicyData:
    """What a policy needs of the data of its run.

    data: without interactions, and without the users' texts.   reduction: from the encoder's vectors to those of `data`, or None.
    tuned: by role, the vectors that networks read in place of those of `data`.   learned_from: the texts that the encoder was fitted on.
    """

    data: Data
    reduction: AffineMap | None = None
    tuned: Mapping[Role, Tensor] = field(default_factory=dict)
    learned_from: Sequence[str] = ()


def write_tables(folder: Path, given: PolicyData) -> list[str]:
    """Write the files; returns their names."""
    data, names = given.data, [ITEMS, VECTORS]
    catalog = data.catalog
    items = pl.DataFrame({"id": catalog.ids, "text": catalog.texts})
    items.with_columns(catalog.attributes.to_struct("attributes")).write_parquet(folder / ITEMS)
    tensors = {POPULARITY: catalog.popularity, **{f"{role}.tuned": vectors for role, vectors in given.tuned.items()}}
    for role, texts in data.texts.items():
        if texts.vectors is not None:
            tensors[f"{role}.vectors"] = texts.vectors
        # numbered: networks read labels in their order, which a file of tensors does not keep
        tensors |= {f"{role}.labels.{place:03}": labels.probabilities for place, labels in enumerate(texts.labels.values())}
    if data.users is not None:
        pl.DataFrame({"id": data.users.ids}).write_parquet(folder / USERS)
        names.append(USERS)
    if data.contexts is not None:
        pl.DataFrame({"text": data.contexts.texts}).write_parquet(folder / CONTEXTS)
        names.append(CONTEXTS)
    if given.reduction is not None:
        tensors |= {MEAN: given.reduction.mean, MATRIX: given.reduction.matrix}
    if given.learned_from:
        pl.DataFrame({"text": list(given.learned_from)}).write_parquet(folder / LEARNED_FROM)
        names.append(LEARNED_FROM)
    save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, folder / VECTORS)
    return names


def read_tables(folder: Path, names: Mapping[str, Any]) -> PolicyData:
    """Read the files that `write_tables` wrote; `names` are those of the artefact.

    Raises
    ------
    ArtefactError: they do not belong together.
    """
    try:
        tensors = load_file(folder / VECTORS)
        items = pl.read_parquet(folder / ITEMS)
        catalog = Catalog(
            items["id"].to_list(),
            items["text"].to_list(),
            items["attributes"].struct.unnest(),
            tensors[POPULARITY],
            tensors["item.vectors"],
        )
        users = contexts = None
        if USERS in names:
            ids = pl.read_parquet(folder / USERS)["id"].to_list()
            # what users wrote of themselves is not needed: only its vectors are read
            users = Users(ids, _texts("user", [""] * len(ids), tensors) if "user.vectors" in tensors else None)
        if CONTEXTS in names:
            contexts = _texts("context", pl.read_parquet(folder / CONTEXTS)["text"].to_list(), tensors)
        learned_from = pl.read_parquet(folder / LEARNED_FROM)["text"].to_list() if LEARNED_FROM in names else []
    except (OSError, SafetensorError, PolarsError, KeyError, DataError) as error:
        raise ArtefactError(f"{folder}: its files do not belong together ({error}); export the run again") from None
    reduction = AffineMap(tensors[MEAN], tensors[MATRIX]) if MEAN in tensors else None
    roles: tuple[Role, ...] = ("item", "user", "context")
    tuned = {role: tensors[f"{role}.tuned"] for role in roles if f"{role}.tuned" in tensors}
    return PolicyData(Data(catalog, users, contexts=contexts), reduction, tuned, learned_from)


def _texts(role: Role, texts: list[str], tensors: Mapping[str, Tensor]) -> Texts:
    prefix = f"{role}.labels."
    numbered = sorted(name for name in tensors if name.startswith(prefix))
    labels = {name: Labels(tuple(map(str, range(tensors[name].shape[1]))), tensors[name]) for name in numbered}
    return Texts(texts, tensors.get(f"{role}.vectors"), labels=labels)
