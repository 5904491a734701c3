"""Metrics of a policy: the return, and properties of its recommendations that the return does not show."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from recframe.evaluation.diversity import mean_distance
from recframe.evaluation.exposure import exposure_intervals, exposure_means
from recframe.evaluation.people import PersonSums
from recframe.evaluation.results import Metrics, metrics_of
from recframe.evaluation.simulated.rollout import Episodes
from recframe.evaluation.statistics import RESAMPLES, rate_interval, ratio_intervals
from recframe.interfaces import Catalog, asks, self_information, shown_places
from recframe.metric_names import CLICKS, ITEMS, QUESTIONS, TEXTS, in_order, measured_metrics, reward_metric


def policy_metrics(
    episodes: Episodes, catalog: Catalog, seed: int = 0, resamples: int = RESAMPLES, sums: PersonSums | None = None
) -> Metrics:
    """The metrics of one policy with 95 % intervals over people: bootstrap-t, except for coverage and Gini (`exposure_intervals`).

    - `return`: undiscounted reward of a session; `length`: its number of turns; `reward/<term>`: sum of each reward term over it.
    - `click_rate`: clicks per shown item, over all sessions. Missing if the environment has no click signal, or nothing was shown.
    - `asked`: share of the turns in which a question was asked. Missing if there are no questions.
    - `coverage`: share of the catalogue shown to at least one person; `gini`: how unequally items were shown (0: equally, 1: only one).
    - `diversity`: see `session_diversity`. Missing if no user was shown two items, or if no texts are read.
    - `novelty`: mean self-information of a shown item in bits, see `self_information`.

    Questions are no items: they are in none of these but `length`, `asked`, and what `return` says of them.

    If actions are continuous, no items are shown, and coverage, Gini, diversity and novelty are missing. `recframe.metric_names` lists
    what each metric needs. `sums` are those of `policy_sums`, if they are at hand.
    """
    sums = policy_sums(episodes, catalog) if sums is None else sums
    intervals = dict(zip(sums.names, ratio_intervals(sums.numerators, sums.denominators, seed, resamples), strict=True))
    for rate in intervals.keys() & {"click_rate", "asked"}:
        intervals[rate] = rate_interval(intervals[rate])
    if not episodes.slates.is_floating_point():
        people = episodes.met
        items, sessions = _shown(episodes, catalog)
        if len(items):
            exposure = exposure_intervals(people.of_session[sessions], items, len(people.ids), catalog.first_question)
            intervals["coverage"], intervals["gini"] = exposure
    return metrics_of(intervals)


def policy_means(episodes: Episodes, catalog: Catalog) -> dict[str, float]:
    """The means of `policy_metrics` without intervals, which take most of its time."""
    sums = policy_sums(episodes, catalog)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = dict(zip(sums.names, (sums.numerators.sum(axis=0) / sums.denominators.sum(axis=0)).tolist(), strict=True))
    if not episodes.slates.is_floating_point():
        items = _shown(episodes, catalog)[0]
        if len(items):
            means["coverage"], means["gini"] = exposure_means(items, catalog.first_question)
        else:
            # a policy that only asks has them again once it recommends
            known = available_for_metrics(True, episodes.clicks is not None, catalog)
            means = dict.fromkeys(measured_metrics(known, ()), math.nan) | means
    return {name: means[name] for name in in_order(means)}


def _shown(episodes: Episodes, catalog: Catalog) -> tuple[np.ndarray, np.ndarray]:
    """The items `[n]` that were shown, and the session `[n]` of each."""
    shown = _places(episodes, catalog).cpu().numpy()
    return episodes.slates.cpu().numpy()[shown], np.nonzero(shown)[1]


def _places(episodes: Episodes, catalog: Catalog) -> Tensor:
    """At which places an item was shown, `[T, N, K]` bool; with continuous actions at all places of those in their session."""
    alive = episodes.alive[..., None].expand(episodes.item_rewards.shape)
    return alive & shown_places(episodes.slates, catalog.first_question) if catalog.num_questions else alive


def policy_sums(episodes: Episodes, catalog: Catalog) -> PersonSums:
    """Each person's sums behind the metrics of `policy_metrics` that are ratios of sums: all but coverage and Gini."""
    available = available_for_metrics(not episodes.slates.is_floating_point(), episodes.clicks is not None, catalog)
    shown = _places(episodes, catalog)
    shown_items = shown.sum(dim=(0, 2))
    ones = torch.ones_like(shown_items)
    if not shown_items.any():
        available -= {CLICKS, ITEMS}
    columns: dict[str, tuple[Tensor, Tensor]] = {"return": (episodes.returns, ones), "length": (episodes.lengths, ones)}
    if CLICKS in available:
        assert episodes.clicks is not None
        columns["click_rate"] = (episodes.clicks.sum(dim=(0, 2)), shown_items)
    if QUESTIONS in available:
        columns["asked"] = ((asks(episodes.slates, catalog.first_question) & episodes.alive).sum(dim=0), episodes.lengths)
    if available >= {ITEMS, TEXTS}:
        assert catalog.text_vectors is not None
        diversity = session_diversity(episodes, catalog.text_vectors.to(episodes.slates.device), shown)
        defined = ~diversity.isnan()
        if defined.any():
            columns["diversity"] = (diversity.nan_to_num(0.0), defined)
    if ITEMS in available:
        known = self_information(catalog.popularity[: catalog.first_question].to(episodes.slates.device))
        information = known[episodes.slates.masked_fill(~shown, 0)] * shown
        columns["novelty"] = (information.sum(dim=(0, 2)), shown_items)
    columns |= {reward_metric(name): (term, ones) for name, term in episodes.term_sums.items()}
    return PersonSums.of({name: (_numpy(above), _numpy(below)) for name, (above, below) in columns.items()}, episodes.met)


def available_for_metrics(shows_items: bool, has_clicks: bool, catalog: Catalog) -> set[str]:
    """Which of `ITEMS`, `CLICKS`, `TEXTS` and `QUESTIONS` exist; `recframe.metric_names` says which metrics need them."""
    has_texts = catalog.text_vectors is not None and catalog.text_vectors.shape[1] > 0
    needs = ((ITEMS, shows_items), (CLICKS, has_clicks), (TEXTS, has_texts), (QUESTIONS, catalog.num_questions > 0))
    return {need for need, exists in needs if exists}


def session_diversity(episodes: Episodes, text_vectors: Tensor, shown: Tensor | None = None) -> Tensor:
    """Mean cosine distance `1 - cos` between the text vectors of all pairs of items shown in a session, `[N]`; NaN with one item.

    It is the intra-list diversity (Ziegler et al. 2005) of the whole session, so showing an item again counts as a pair of distance 0.

    shown: `[T, N, K]` bool, where an item was shown; None: wherever the user was still in the session.
    """
    shown = episodes.alive[..., None].expand_as(episodes.slates) if shown is None else shown
    norms = text_vectors.norm(dim=1).double().clamp(min=1e-12)
    total = torch.zeros(episodes.alive.shape[1], text_vectors.shape[1], dtype=torch.float64, device=text_vectors.device)
    squares = torch.zeros_like(total[:, 0])
    for slate, places in zip(episodes.slates, shown, strict=True):
        units = text_vectors[slate].double() / norms[slate][..., None] * places[:, :, None]
        total += units.sum(dim=1)
        squares += units.pow(2).sum(dim=(1, 2))
    return mean_distance(total.pow(2).sum(dim=1), squares, shown.sum(dim=(0, 2)))


def _numpy(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()
