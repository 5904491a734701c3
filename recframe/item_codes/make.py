"""The codes of a catalogue, by its config: computed once, and found again by the content of the texts and vectors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor

from recframe.computed import Computed, computed, tensors_sha256
from recframe.interfaces import Catalog
from recframe.item_codes.codes import ItemCodes, learned_codes
from recframe.item_codes.collisions import group_sizes, suffix_size, suffixes
from recframe.item_codes.config import LEARNED, CodesConfig
from recframe.item_codes.digits import digit_levels, digits
from recframe.item_codes.errors import CodesError
from recframe.item_codes.quality import DEPTH, reconstruction, shared_codes
from recframe.item_codes.residual_kmeans import fit_codebooks, sum_of_codes
from recframe.item_codes.rq_vae import fit_rq_vae, vectors_of_latents
from recframe.item_codes.summary import codes_summary
from recframe.item_codes.titles import TitleTokens, WordTokens, title_codes

log = logging.getLogger(__name__)

MANY_COLLISIONS = 0.5
"""The share of colliding items above which a warning says so."""


def item_codes(config: CodesConfig, catalog: Catalog, seed: int, key: str = "agent.codes", tokens: TitleTokens | None = None) -> ItemCodes:
    """The codes of the items of a catalogue, on the device of its vectors.

    Where a store of results is active (`recframe.computed`), what was computed before for the same vectors is found there.

    Parameters
    ----------
    seed: of what is random in learning them.   key: where the config stands, for messages.
    tokens: of kind titles, what makes them into tokens; None: words.

    Raises
    ------
    CodesError: the kind needs text vectors and the encoder gives none, or a library that is not installed.
    """
    if config.kind == "ids":
        codes = _ids(config.size, catalog)
    elif config.kind == "titles":
        codes = _titles(config, catalog, tokens)
    else:
        codes = _learned(config, catalog, seed, key)
    log.info("item codes: %s", codes_summary(codes))
    return codes


def _vectors(catalog: Catalog) -> Tensor | None:
    vectors = catalog.text_vectors
    return None if vectors is None or vectors.shape[1] == 0 else vectors


def _ids(size: int, catalog: Catalog) -> ItemCodes:
    levels = digit_levels(len(catalog), size)
    codes = digits(torch.arange(len(catalog), device=catalog.popularity.device), size, levels)
    return ItemCodes("ids", codes, (size,) * levels, measures=_measured(catalog, codes))


def _titles(config: CodesConfig, catalog: Catalog, tokens: TitleTokens | None) -> ItemCodes:
    learned = {}
    used = tokens
    if used is None:
        used = WordTokens.of_titles(catalog.titles, config.title_length)
        learned["words"] = used.as_bytes().to(catalog.popularity.device)
    prefixes = title_codes(catalog.titles, used, config.title_length).to(catalog.popularity.device)
    sizes = (used.size,) * prefixes.shape[1] + (suffix_size(int(group_sizes(prefixes).max()), config.size),)
    return ItemCodes("titles", _with_suffix(prefixes), sizes, learned, tokens, _measured(catalog, prefixes))


def _measured(catalog: Catalog, prefixes: Tensor) -> Mapping[str, float]:
    """Whether neighbours share codes that were not learned from vectors, if there are vectors."""
    vectors = _vectors(catalog)
    if vectors is None:
        return {}
    key = {"beginnings": tensors_sha256(prefixes[:, :DEPTH]), "vectors": tensors_sha256(vectors)}
    measures: Mapping[str, float] = computed("shared codes", key, lambda: Computed({}, shared_codes(vectors, prefixes))).values
    return measures


def _learned(config: CodesConfig, catalog: Catalog, seed: int, key: str) -> ItemCodes:
    vectors = _vectors(catalog)
    if vectors is None:
        raise CodesError(
            f"{key}.kind={config.kind} needs items' text vectors, and the encoder of this run gives none; use {key}.kind=ids, or an "
            "encoder that reads texts"
        )

    def learn() -> Computed:
        learned, vectors_of = _fit(config, vectors, seed, key)
        prefixes = learned_codes(config.kind, vectors, learned)
        measures = {"reconstruction": reconstruction(vectors, lambda rows: vectors_of(prefixes[rows]))}
        return Computed({"prefixes": prefixes, **learned}, measures | shared_codes(vectors, prefixes))

    determining = {"kind": config.kind, "levels": config.levels, "size": config.size, "seed": seed, "vectors": tensors_sha256(vectors)}
    determining["shared"] = DEPTH
    determining |= {"library": _library(config.kind), "rq_vae": asdict(config.rq_vae) if config.kind == "rq_vae" else None}
    tensors, measures = computed("item codes", determining, learn)
    learned = {name: tensor.to(vectors.device) for name, tensor in tensors.items()}
    prefixes = learned.pop("prefixes")
    groups = group_sizes(prefixes)
    if (colliding := float((groups > 1).double().mean())) > MANY_COLLISIONS:
        log.warning(
            "item codes: %.0f %% of the items have the codes of others, up to %d the same, so that a number tells them apart that means "
            "nothing; %s.levels or %s.size is small for %d items",
            *(100 * colliding, groups.max(), key, key, len(vectors)),
        )
    sizes = (config.size,) * config.levels + (suffix_size(int(groups.max()), config.size),)
    return ItemCodes(config.kind, _with_suffix(prefixes), sizes, learned, measures=measures)


def _library(kind: str) -> str | None:
    """The library that codes of a kind are learned with and its version, which may change them; None: not installed."""
    name = {"residual_kmeans": "scikit-learn", "rq_vae": "vector-quantize-pytorch"}[kind]
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return None


def _fit(config: CodesConfig, vectors: Tensor, seed: int, key: str) -> tuple[dict[str, Tensor], Callable[[Tensor], Tensor]]:
    """What codes of new items need, by name, and the function from codes `[n, levels]` to the vectors that they stand for."""
    assert config.kind in LEARNED
    if config.kind == "residual_kmeans":
        codebooks = fit_codebooks(vectors, config.levels, config.size, seed)
        return {"codebooks": codebooks}, partial(sum_of_codes, codebooks=codebooks)
    learned = fit_rq_vae(vectors, config.levels, config.size, config.rq_vae, seed, key)
    kept = {name: value for name, value in learned.items() if not name.startswith("decoder")}
    return kept, lambda codes: vectors_of_latents(sum_of_codes(codes, learned["codebooks"]), learned)


def _with_suffix(prefixes: Tensor) -> Tensor:
    return torch.cat([prefixes, suffixes(prefixes)[:, None]], dim=1)
