"""Text vectors of a run's data: encoded, then whitened, reduced or shuffled for the agent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from recframe.attribution import blaming
from recframe.building.component import build, component_of
from recframe.building.fingerprints import Check, accept_all, encoder_fingerprint
from recframe.building.initial import InitialPolicy
from recframe.building.seeds import derived_seed
from recframe.components import Kind, nested_sections
from recframe.config.checks.paths import reads_a_folder
from recframe.config.policy_folder import EXPORT
from recframe.embeddings import AffineMap, CutTexts, EmbeddingStore, fit_reduction, label_texts
from recframe.interfaces import Data, Encoder, Role, Texts

log = logging.getLogger(__name__)


def with_text_vectors(
    data: Data,
    key: str,
    cfg: DictConfig,
    device: torch.device,
    check: Check = accept_all,
    learn_from: Mapping[Role, Tensor] = MappingProxyType({}),
    initial: InitialPolicy | None = None,
) -> tuple[Data, dict[str, float]]:
    """The data with a vector for each of its texts, from the store of the encoder that the section `key` of the config `cfg` describes.

    Also the shares of texts and tokens that are not read, by name, for the run's report (see `cut_shares`). `check` is called with the
    encoder's fingerprint if it reads a model's folder.

    learn_from: by role, the rows of the texts that an encoder may learn from, where not all are (`recframe.logs.texts_in_training`). All
        texts get vectors.
    initial: the policy that the run starts from: its encoder has learned already.
    """
    section = cfg[key]
    encoder: Encoder = build(component_of(Kind.ENCODER, section), section, device=device)
    labels: Any = OmegaConf.to_object(cfg.labels)
    with blaming(encoder):
        if type(encoder).fit is not Encoder.fit:
            encoder.fit(texts_to_fit_on(data, cfg, learn_from, initial))
    if _reads_a_folder(section):
        check({key: encoder_fingerprint(encoder)})
    folder = cache_folder(cfg)
    store = EmbeddingStore(folder, encoder)
    data = data.with_texts({role: replace(texts, vectors=store.vectors(texts.texts, role)) for role, texts in data.texts.items()})
    if not encoder.reads:
        log.info("%s: no text is read", section.name)
        return data, {}
    cut = cut_shares(key, store.cut)
    data = label_texts(data, labels, store.vectors) if labels else data
    if folder is None:
        log.info("%s: %d texts encoded; embeddings.cache=null, so that none is read from the cache or kept", section.name, store.encoded)
    else:
        log.info("%s: %d texts encoded, %d from the cache", section.name, store.encoded, store.cached)
    return data, cut


def texts_to_fit_on(
    data: Data, cfg: DictConfig, learn_from: Mapping[Role, Tensor] = MappingProxyType({}), initial: InitialPolicy | None = None
) -> list[str]:
    """The texts that the encoders of a run may learn from: those of the data, and the sentences that describe labels. With `initial`,
    those that the encoder of that policy has learned from: its networks read the vectors that came of it.

    learn_from, initial: as in `with_text_vectors`.

    Raises
    ------
    ConfigError: the policy does not have these texts.
    """
    if initial is not None:
        if not initial.learned_from:
            raise initial.refused(f"a run does not keep the texts that encoder={cfg.encoder.name} has learned from; {EXPORT}")
        return list(initial.learned_from)
    labels: Any = OmegaConf.to_object(cfg.labels)
    sentences = [text for chosen in labels.values() for texts in chosen.prototypes.values() for text in texts]
    return [*(text for role, texts in data.texts.items() for text in _in_rows(texts.texts, learn_from.get(role))), *sentences]


def cache_folder(cfg: DictConfig) -> Path | None:
    """The folder of the store of text vectors of a run's config; None if none are cached."""
    return None if cfg.embeddings.cache is None else Path(cfg.embeddings.cache).expanduser()


def cut_shares(key: str, counts: Mapping[Role, CutTexts]) -> dict[str, float]:
    """Where texts are longer than the model reads: `KEY/ROLE_texts_cut`, the share of the role's texts that is cut, and
    `KEY/ROLE_tokens_cut`, the share of the tokens of these texts that is not read. Also logs them.

    Parameters
    ----------
    key: the encoder's section of the config.   counts: by role.
    """
    shares: dict[str, float] = {}
    for role, cut in counts.items():
        if cut.unknown:
            log.info("%s: whether texts are cut is not known of %d cached %s texts, encoded by an earlier release", key, cut.unknown, role)
        if cut.cut:
            shares |= {f"{key}/{role}_texts_cut": cut.share_of_texts, f"{key}/{role}_tokens_cut": cut.share_of_tokens}
            log.warning(
                "%s: %.1f %% of the %d %s texts are longer than the model reads; %.1f %% of the tokens of these texts are not read. "
                "Set %s.max_length, or use a model that reads more",
                *(key, 100 * cut.share_of_texts, cut.texts, role, 100 * cut.share_of_tokens, key),
            )
    return shares


def _reads_a_folder(section: DictConfig) -> bool:
    """Whether an encoder, or one that is nested in it, may read a model's folder."""
    component = component_of(Kind.ENCODER, section)
    return reads_a_folder(component.config) or any(_reads_a_folder(part) for _, part in nested_sections(component.config, section))


def _in_rows(texts: list[str], rows: Tensor | None) -> list[str]:
    """The texts of these rows; None: all."""
    return texts if rows is None else [texts[row] for row in rows.tolist()]


def reduced(data: Data, whiten: bool, dim: int | None, learn_from: Tensor | None = None) -> tuple[Data, AffineMap]:
    """The data with all its text vectors mapped by `fit_reduction`, fitted on the vectors of the different items; and the map.

    learn_from: the rows of the items to fit on; None: all.

    Raises
    ------
    EmbeddingError: if the items' vectors do not vary in `dim` dimensions.
    """
    rows = range(len(data.catalog)) if learn_from is None else learn_from.tolist()
    # an item that is listed twice counts once
    different = {data.catalog.texts[row]: row for row in rows}
    vectors = data.catalog.text_vectors
    assert vectors is not None
    fitted = fit_reduction(vectors[sorted(different.values())], whiten=whiten, dim=dim)
    return mapped(data, fitted), fitted


def mapped(data: Data, reduction: AffineMap) -> Data:
    """The data with all its text vectors mapped."""

    def of(texts: Texts) -> Texts:
        assert texts.vectors is not None
        return replace(texts, vectors=reduction.to(texts.vectors.device)(texts.vectors))

    return data.with_texts({role: of(texts) for role, texts in data.texts.items()})


def shuffled(data: Data, seed: int) -> Data:
    """The data with its text vectors, and the labels that are read from them, in random order: the same vectors without their meaning."""
    device = data.catalog.popularity.device

    def order(role: str, size: int) -> Tensor:
        generator = torch.Generator().manual_seed(derived_seed(seed, f"shuffle {role}"))
        return torch.randperm(size, generator=generator).to(device)

    return data.with_texts({role: texts.shuffled(order(role, len(texts.texts))) for role, texts in data.texts.items()})
