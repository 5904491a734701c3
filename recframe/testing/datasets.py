"""`check_dataset`: the conformance check of datasets."""

from __future__ import annotations

from typing import Any

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Catalog, Data, Dataset, Interactions, Labels, Texts, Users
from recframe.testing.conformance import require, require_tensor


def check_dataset(dataset: Dataset, again: Dataset | None = None) -> None:
    """Check that a dataset loads valid data, and the same data at each load.

    Parameters
    ----------
    again: another one, built with the same config, whose data must be the same; by default, the dataset loads twice.

    Raises
    ------
    ConformanceError: with the part of the data that is wrong and how to fix it.
    """
    require(isinstance(dataset, Dataset), f"a dataset must subclass recframe.interfaces.Dataset; {type(dataset).__name__} does not")
    data = dataset.load()
    require(isinstance(data, Data), f"load() must return recframe.interfaces.Data, not {type(data).__name__}")
    require(isinstance(data.catalog, Catalog), f"load().catalog must be recframe.interfaces.Catalog, not {type(data.catalog).__name__}")
    _check_catalog(data.catalog)
    if data.users is not None:
        _check_users(data.users)
    if data.interactions is not None:
        _check_interactions(data.interactions, data.users, len(data.catalog))
    if data.contexts is not None:
        _check_texts(data.contexts, "contexts")
    if data.ratings is not None:
        require(data.users is not None, "ratings refer to Data.users, which is None: load the users too")
        shape = (len(data.users) if data.users else 0, len(data.catalog))
        # NaN is a rating that is not known
        require_tensor(
            data.ratings.nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf), "ratings", shape, torch.float32, data.ratings.device
        )
    if data.held_out is not None:
        require(data.users is not None, "held_out refers to Data.users, which is None: load the users too")
        require_tensor(data.held_out, "held_out", (len(data.users) if data.users else 0,), torch.bool, data.held_out.device)
        require(data.held_out.any() and not data.held_out.all(), "held_out holds out no user, or every user, for evaluation: hold out some")
    loads = [dataset.load()] if again is None else [dataset.load(), again.load()]
    for name in Data._fields:
        require(
            all(_same(getattr(data, name), getattr(load, name)) for load in loads),
            f"two loads differ in {name}: load() must depend only on its config, with its own option seed if it draws random numbers",
        )


def _check_catalog(catalog: Catalog) -> None:
    size = len(catalog)
    _check_ids(catalog.ids, "catalog.ids")
    _check_texts(Texts(catalog.texts, catalog.text_vectors), "catalog.texts")
    require(all(text.strip() for text in catalog.texts), "catalog.texts contains an empty text: include at least the title")
    require_tensor(catalog.popularity, "catalog.popularity", (size,), torch.float32, catalog.popularity.device)
    require((catalog.popularity >= 0).all(), "catalog.popularity has a negative value: it counts interactions")
    title = catalog.attributes["title"]
    require(title.dtype == pl.String and title.null_count() == 0, "the attribute 'title' must be a string for every item")


def _check_users(users: Users) -> None:
    _check_ids(users.ids, "users.ids")
    if users.profiles is not None:
        _check_texts(users.profiles, "users.profiles")


def _check_interactions(interactions: Interactions, users: Users | None, num_items: int) -> None:
    frame = interactions.frame
    require(users is not None, "interactions refer to rows of Data.users, which is None: load the users too")
    assert users is not None
    for name in Interactions.REQUIRED:
        require(frame[name].dtype == pl.Int64, f"the interactions' column {name!r} must be Int64, not {frame[name].dtype}")
        require(frame[name].null_count() == 0, f"the interactions' column {name!r} has nulls: remove such rows")
    for name, limit in (("user", len(users)), ("item", num_items)):
        inside = frame[name].is_between(0, limit - 1).all()
        require(inside, f"the interactions' column {name!r} must contain row numbers from 0 to {limit - 1}, not the data's own ids")
    for name in interactions.feedback:
        require(frame[name].dtype.is_float(), f"the feedback column {name!r} must have a float type, not {frame[name].dtype}")
        bounded = ~frame[name].is_infinite()
        # feedback that is not known is NaN
        require(
            bounded.null_count() == 0 and bounded.all(),
            f"the feedback column {name!r} has nulls or infinity: use NaN where feedback is missing, and remove rows with infinity",
        )
    _check_optional_columns(frame)
    if interactions.features is not None:
        shape = (len(frame), interactions.features.shape[-1])
        require_tensor(interactions.features, "interactions.features", shape, torch.float32, interactions.features.device)


def _check_optional_columns(frame: pl.DataFrame) -> None:
    for name, dtype in {"session": pl.Int64, "position": pl.Int64, "propensity": pl.Float64, "text": pl.String}.items():
        if name in frame.columns:
            require(frame.schema[name] == dtype, f"the interactions' column {name!r} must be {dtype}, not {frame.schema[name]}")
            require(frame[name].null_count() == 0, f"the interactions' column {name!r} has nulls: fill them, or leave the column out")
    if "position" in frame.columns:
        require((frame["position"] >= 0).all(), "the interactions' column 'position' has a negative number: places are counted from 0")
    if "propensity" in frame.columns:
        inside = frame["propensity"].is_between(0, 1, closed="right").all()
        require(inside, "the interactions' column 'propensity' must be greater than 0 and at most 1: an item shown has a probability")


def _check_ids(ids: list[str], name: str) -> None:
    require(all(isinstance(i, str) for i in ids), f"{name} must be strings: convert them with str()")
    require(len(set(ids)) == len(ids), f"{name} repeats an id: each may occur once")


def _check_texts(texts: Texts, name: str) -> None:
    require(all(isinstance(text, str) for text in texts.texts), f"{name} must be strings")
    if texts.vectors is not None:
        shape = (len(texts.texts), texts.vectors.shape[-1])
        require_tensor(texts.vectors, f"the vectors of {name}", shape, torch.float32, texts.vectors.device)


def _same(left: Any, right: Any) -> bool:
    """Whether two parts of the data are equal, down to their frames and tensors."""
    if type(left) is not type(right):
        return False
    if isinstance(left, Tensor):
        # a rating that is not known is NaN, and NaN is not equal to itself
        return left.dtype == right.dtype and torch.equal(left.isnan(), right.isnan()) and torch.equal(left.nan_to_num(), right.nan_to_num())
    if isinstance(left, pl.DataFrame):
        return left.equals(right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(value, right[key]) for key, value in left.items())
    if isinstance(left, (Catalog, Users, Interactions, Labels, Texts)):
        return all(_same(value, getattr(right, name)) for name, value in vars(left).items())
    return bool(left == right)
