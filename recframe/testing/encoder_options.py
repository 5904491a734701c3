"""The check that an encoder's fingerprint covers its options: each is varied, and where the vectors change, so must the fingerprint."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, get_args

import numpy as np

from recframe.components import bounds_problems
from recframe.interfaces import Encoder, Role
from recframe.testing.conformance import require

NOT_VARIED = ("components", "exists", "path", "runs_code", "variable")
"""Marks of options that other values would break: they name what must be there."""

MOST_VALUES = 2
"""Values that are tried of a number: a model is loaded for each."""

ADDRESS = "://"
"""In a text that names a server; a check calls no other than the one that it is given."""


def check_options(build: Callable[[Any], Encoder], config: Any, texts: Sequence[str], where: str, unvaried: Collection[str] = ()) -> None:
    """Vary each number, switch, choice and text of an encoder's config by itself, and compare vectors and fingerprints.

    Values with which the encoder cannot be built or does not encode are left out, and so are paths, addresses, lists and dictionaries.

    Parameters
    ----------
    build: the encoder of a config.   config: the settings that are varied.   texts: what is encoded, after `fit` on the same texts.
    where: names the encoder in the message.   unvaried: options that are left out, too.

    Raises
    ------
    ConformanceError: an option changes vectors and not the fingerprint.
    """
    texts = list(texts)

    def fitted(settings: Any) -> Encoder:
        encoder = build(settings)
        encoder.fit(texts)
        return encoder

    plain = fitted(config)
    fingerprint = plain.fingerprint
    vectors: dict[Role, np.ndarray] = {}

    def confused(settings: Any) -> bool:
        """Whether other settings give other vectors under the same fingerprint."""
        try:
            varied = fitted(settings)
            if varied.fingerprint != fingerprint:
                return False
            vectors.update(vectors or _vectors(plain, texts))
            return not _alike(vectors, _vectors(varied, texts))
        except Exception:  # not every value goes with the others, or with this machine
            return False

    for name, value in _variations(config):
        if name in unvaried:
            continue
        require(
            not confused(dataclasses.replace(config, **{name: value})),
            f"{where}: with {name}={value!r} in place of {getattr(config, name)!r} it gives other vectors under the same fingerprint, "
            "so that a run would read those of the other setting from the cache: include the option in the fingerprint",
        )


def _vectors(encoder: Encoder, texts: list[str]) -> dict[Role, np.ndarray]:
    return {role: encoder.encode(texts, role) for role in get_args(Role)}


def _alike(left: dict[Role, np.ndarray], right: dict[Role, np.ndarray]) -> bool:
    return all(left[role].shape == right[role].shape and np.allclose(left[role], right[role], rtol=1e-3, atol=1e-4) for role in left)


def _variations(config: Any) -> Iterator[tuple[str, Any]]:
    """The name and another allowed value of each option, one after the other; an option may have several."""
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        if any(field.metadata.get(mark) for mark in NOT_VARIED):
            continue
        value = getattr(config, field.name)
        others = _others(value, hints[field.name], field.metadata)
        allowed = [other for other in others if other != value and next(bounds_problems(other, field.metadata), None) is None]
        for other in allowed if field.metadata.get("choices") else allowed[:MOST_VALUES]:
            yield field.name, other


def _others(value: Any, hint: Any, metadata: Any) -> list[Any]:
    """Other values of an option's type; they need not be within its bounds."""
    optional = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] if optional else [hint]
    if metadata.get("choices"):
        return list(metadata["choices"])
    if bool in kinds:
        return [not value]
    if int in kinds or float in kinds:
        near = [16, 1, 0.5] if value is None else [value * 2 + 1, value / 2, value + 0.5]
        bounds = [metadata[bound] for bound in ("ge", "le") if metadata.get(bound) is not None]
        return list(dict.fromkeys((float if float in kinds else int)(number) for number in near + bounds))
    if str in kinds and not (value and ADDRESS in value):
        return [f"{value or ''}varied "]
    return []
