"""What is reported of every policy: return, and beside it what return alone would hide."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recframe.evaluation.simulated.exposure import exposure_intervals
from recframe.evaluation.simulated.rollout import Episodes
from recframe.evaluation.statistics import RESAMPLES, Interval, ratio_intervals
from recframe.interfaces import Catalog, self_information

Metrics = dict[str, dict[str, float | int]]
"""`{metric: {"mean", "low", "high", "n"}}`, as in result.json."""


def policy_metrics(episodes: Episodes, catalog: Catalog, seed: int = 0, resamples: int = RESAMPLES) -> Metrics:
    """The metrics of one policy, each with its 95 % interval over users: bootstrapped, but for coverage and Gini (`exposure_intervals`).

    - `return`: undiscounted reward of a session; `length`: its turns; `reward/<term>`: each reward term summed over it.
    - `click_rate`: clicks per shown item, over all users. Left out where the environment has no click signal.
    - `coverage`: share of the catalogue shown to at least one user; `gini`: how unequally items were shown (0 equal, 1 one item).
    - `diversity`: see `session_diversity`. Left out where nobody was shown two items or no text is read.
    - `novelty`: mean self-information of a shown item in bits, see `self_information`.

    Where actions are continuous no items are shown: coverage, Gini, diversity and novelty are left out.
    """
    shows_items = not episodes.slates.is_floating_point()
    shown_items = episodes.lengths * episodes.item_rewards.shape[-1]
    ones = torch.ones_like(shown_items)
    columns: dict[str, tuple[Tensor, Tensor]] = {"return": (episodes.returns, ones), "length": (episodes.lengths, ones)}
    if episodes.clicks is not None:
        columns["click_rate"] = (episodes.clicks.sum(dim=(0, 2)), shown_items)
    if shows_items and catalog.text_vectors is not None and catalog.text_vectors.shape[1]:
        diversity = session_diversity(episodes, catalog.text_vectors.to(episodes.slates.device))
        defined = ~diversity.isnan()
        if defined.any():
            columns["diversity"] = (diversity.nan_to_num(0.0), defined)
    if shows_items:
        information = self_information(catalog.popularity.to(episodes.slates.device))[episodes.slates] * episodes.alive[..., None]
        columns["novelty"] = (information.sum(dim=(0, 2)), shown_items)
    columns |= {f"reward/{name}": (term, ones) for name, term in episodes.term_sums.items()}

    numerators, denominators = (np.stack([_numpy(column[side]) for column in columns.values()], axis=1) for side in (0, 1))
    intervals = dict(zip(columns, ratio_intervals(numerators, denominators, seed, resamples), strict=True))
    if shows_items:
        turns, users = np.nonzero(episodes.alive.cpu().numpy())
        slates = episodes.slates.cpu().numpy()[turns, users]
        intervals["coverage"], intervals["gini"] = exposure_intervals(
            np.repeat(users, slates.shape[1]), slates.ravel(), episodes.alive.shape[1], len(catalog)
        )
    terms = [name for name in intervals if name.startswith("reward/")]
    order = [*("return", "length", "click_rate", "coverage", "diversity", "novelty", "gini"), *terms]
    return {name: _plain(intervals[name]) for name in order if name in intervals}


def session_diversity(episodes: Episodes, text_vectors: Tensor) -> Tensor:
    """Mean cosine distance `1 - cos` between the text vectors of all pairs of items shown in a session, `[N]`; NaN with one item.

    Intra-list diversity (Ziegler et al. 2005) with the whole session for a list, so that showing an item again counts as a pair of
    distance 0. With unit vectors v, `sum over i != j of v_i v_j = |sum v|^2 - sum |v|^2`: no loop over pairs.
    """
    norms = text_vectors.norm(dim=1).double().clamp(min=1e-12)
    total = torch.zeros(episodes.alive.shape[1], text_vectors.shape[1], dtype=torch.float64, device=text_vectors.device)
    squares = torch.zeros_like(total[:, 0])
    for slate, alive in zip(episodes.slates, episodes.alive, strict=True):
        units = text_vectors[slate].double() / norms[slate][..., None] * alive[:, None, None]
        total += units.sum(dim=1)
        squares += units.pow(2).sum(dim=(1, 2))
    items = (episodes.lengths * episodes.slates.shape[-1]).double()
    similarity = (total.pow(2).sum(dim=1) - squares) / (items * (items - 1))
    return torch.where(items > 1, 1.0 - similarity, torch.nan)


def _numpy(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()


def _plain(interval: Interval) -> dict[str, float | int]:
    return dict(interval._asdict())
