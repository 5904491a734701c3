"""Fingerprints of a run's data, by which a later evaluation or resume notices that it has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import polars as pl
from torch import Tensor

from recframe.interfaces import Data, Encoder, Texts
from recframe.tracking.data_record import Fingerprint

Check = Callable[[Mapping[str, Fingerprint]], None]


def accept_all(found: Mapping[str, Fingerprint]) -> None:
    """The check of a run that has no earlier data."""


def data_fingerprints(data: Data) -> dict[str, Fingerprint]:
    """A fingerprint of each part of the data as it was loaded; one that is absent has 0 rows.

    Popularity and attributes that are fractions are left out: they may be computed, and then differ between machines in the last digit.
    """
    catalog, users, logged = data.catalog, data.users, data.interactions
    user_parts: list[Any] = []
    if users is not None:
        user_parts = [users.ids, *_texts(users.profiles), *_columns(users.attributes), _bytes(data.held_out)]
    return {
        "items": _fingerprint(len(catalog), catalog.ids, catalog.texts, *_columns(catalog.attributes)),
        "users": _fingerprint(0 if users is None else len(users), *user_parts),
        "interactions": _fingerprint(
            0 if logged is None else len(logged), *([] if logged is None else _columns(logged.frame, logged.feedback))
        ),
        "contexts": _fingerprint(0 if data.contexts is None else len(data.contexts.texts), *_texts(data.contexts)),
        "ratings": _fingerprint(0 if data.ratings is None else len(data.ratings), _bytes(data.ratings)),
    }


def data_content(data: Data) -> str:
    """A hash of all that the data holds, with text vectors and fractions: the same on the same machine."""
    catalog, users, logged = data.catalog, data.users, data.interactions
    parts: list[Any] = [catalog.ids, *_columns(catalog.attributes, catalog.attributes.columns), _bytes(catalog.popularity)]
    if users is not None:
        parts += ["users", users.ids, *([] if users.attributes is None else _columns(users.attributes, users.attributes.columns))]
    if logged is not None:
        parts += ["log", logged.feedback, *_columns(logged.frame, logged.frame.columns), _bytes(logged.features)]
        choices = logged.choices
        parts += [] if choices is None else [_bytes(getattr(choices, part.name)) for part in fields(choices)]
    for role, texts in data.texts.items():
        parts += [role, texts.texts, _bytes(texts.vectors)]
        parts += [] if texts.attributes is None else _columns(texts.attributes, texts.attributes.columns)
        parts += [part for name, labels in texts.labels.items() for part in (name, labels.names, _bytes(labels.probabilities))]
    return _fingerprint(None, *parts, _bytes(data.ratings), _bytes(data.held_out)).sha256


def encoder_fingerprint(encoder: Encoder) -> Fingerprint:
    """The fingerprint of an encoder; it covers the files of its model."""
    return _fingerprint(None, encoder.fingerprint)


def _fingerprint(rows: int | None, *parts: Any) -> Fingerprint:
    digest = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else json.dumps(part, default=str).encode()
        # with its length, so that parts cannot be split differently
        digest.update(f"{len(content)}:".encode() + content)
    return Fingerprint(digest.hexdigest(), rows)


def _texts(texts: Texts | None) -> list[Any]:
    return [] if texts is None else [texts.texts, *_columns(texts.attributes)]


def _columns(frame: pl.DataFrame | None, always: Sequence[str] = ()) -> list[Any]:
    """Names and values of the columns of a frame, without fractions except those that `always` names."""
    if frame is None:
        return []
    parts: list[Any] = []
    for column in frame.iter_columns():
        if column.name in always or not _fractions(column.dtype):
            whole = column.dtype.is_numeric() and not column.has_nulls()
            parts += [column.name, column.to_numpy().tobytes() if whole else column.to_list()]
    return parts


def _fractions(dtype: pl.DataType) -> bool:
    return dtype.is_float() or (isinstance(dtype, (pl.List, pl.Array)) and _fractions(dtype.inner))  # type: ignore[arg-type]


def _bytes(tensor: Tensor | None) -> bytes:
    return b"" if tensor is None else tensor.cpu().contiguous().numpy().tobytes()
