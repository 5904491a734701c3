"""How often 95 % intervals contain the truth: by sessions, as recframe had them before, and by people, as it has them now.

    python benchmarks/interval_coverage.py

Prints the tables of docs/results/coverage.md: a synthetic population is split 1,000 times, and each split gives one interval. Nothing is
simulated step by step: a session's return is drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from recframe.evaluation.seed_intervals import crossed_intervals
from recframe.evaluation.statistics import bootstrap_weights, ratio_intervals, sums_by_person

SESSIONS = 512
HELD_OUT = (30, 60, 280)
Limits = tuple[np.ndarray, np.ndarray]

POPULATIONS: dict[str, tuple[Callable[[np.random.Generator, tuple[int, ...]], np.ndarray], float]] = {
    "normal": (lambda generator, shape: generator.normal(3, 1, shape), 3.0),
    "exponential": (lambda generator, shape: generator.exponential(1, shape), 1.0),
    "log-normal, sigma 0.8": (lambda generator, shape: generator.lognormal(0, 0.8, shape), float(np.exp(0.32))),
    "clicks in 10 turns, rates Beta(1, 4)": (lambda generator, shape: generator.binomial(10, generator.beta(1, 4, shape)) * 1.0, 2.0),
}


def covered(limits: Limits, truth: float) -> str:
    """The share of intervals that contain the truth, in %."""
    return f"{100 * np.mean((limits[0] <= truth) & (truth <= limits[1])):.1f}"


def limits_of(intervals: Sequence[object]) -> Limits:
    """The limits of recframe's intervals."""
    return tuple(np.array([getattr(interval, end) for interval in intervals]) for end in ("low", "high"))  # type: ignore[return-value]


def by_sessions(returns: np.ndarray) -> Limits:
    """Before: percentile bootstrap intervals of the means of `[S, splits]` sessions, as if all were independent."""
    means = np.concatenate([weights @ returns for weights in bootstrap_weights(len(returns), RESAMPLES, 0)]) / len(returns)
    return tuple(np.quantile(means, [0.025, 0.975], axis=0))  # type: ignore[return-value]


def student(returns: np.ndarray) -> Limits:
    """Student's t over `[P, splits]` people."""
    reach = stats.t.ppf(0.975, len(returns) - 1) * returns.std(axis=0, ddof=1) / np.sqrt(len(returns))
    return returns.mean(axis=0) - reach, returns.mean(axis=0) + reach


def bias_corrected(returns: np.ndarray) -> Limits:
    """BCa over `[P, splits]` people (Efron 1987)."""
    means = np.concatenate([weights @ returns for weights in bootstrap_weights(len(returns), RESAMPLES, 0)]) / len(returns)
    centred = returns - returns.mean(axis=0)
    skew = (centred**3).sum(axis=0) / (centred**2).sum(axis=0) ** 1.5 / 6
    bias = stats.norm.ppf((means < returns.mean(axis=0)).mean(axis=0).clip(1e-3, 1 - 1e-3))
    ends = []
    for normal in (-1.959964, 1.959964):
        places = stats.norm.cdf(bias + (bias + normal) / (1 - skew * (bias + normal)))
        ends.append(np.array([np.quantile(means[:, split], place) for split, place in enumerate(places)]))
    return ends[0], ends[1]


def symmetric_and_transformed(returns: np.ndarray) -> tuple[Limits, Limits]:
    """Symmetric bootstrap-t over `[P, splits]` people, and bootstrap-t of Hall's (1992) cubic transformation, which removes skewness."""
    people, centred = len(returns), returns - returns.mean(axis=0)
    mean, error = returns.mean(axis=0), centred.std(axis=0)
    skew = (centred**3).mean(axis=0) / error**3
    first, second, third = (
        np.concatenate([weights @ centred**power for weights in bootstrap_weights(people, RESAMPLES, 0)]) / people for power in (1, 2, 3)
    )
    variance = second - first**2
    spread = np.sqrt(np.where(variance > 1e-10 * error**2, variance, np.nan))
    ratio, skews = first / spread, (third - 3 * first * second + 2 * first**3) / spread**3
    reach = error * np.nanquantile(np.abs(ratio), 0.95, axis=0)
    transformed = ratio + skews * ratio**2 / 3 + skews**2 * ratio**3 / 27 + skews / (6 * people)
    ends = []
    for quantile in np.nanquantile(transformed, [0.975, 0.025], axis=0):
        with np.errstate(divide="ignore", invalid="ignore"):
            back = 3 / skew * (np.cbrt(1 + skew * (quantile - skew / (6 * people))) - 1)
        ends.append(mean - error * np.where(np.abs(skew) > 1e-6, back, quantile))
    return (mean - reach, mean + reach), (ends[0], ends[1])


def misses(limits: Limits, truth: float) -> str:
    """The shares of intervals that end below the truth, and that begin above it, in %."""
    return f"{100 * np.mean(limits[1] < truth):.1f}, {100 * np.mean(limits[0] > truth):.1f}"


def by_people(returns: np.ndarray, of_session: np.ndarray) -> Limits:
    """Now: bootstrap-t over the people of `[S, splits]` sessions."""
    sums, counts = sums_by_person(returns, of_session), sums_by_person(np.ones_like(returns), of_session)
    return limits_of(ratio_intervals(sums, counts, seed=0, resamples=RESAMPLES))


def one_run(generator: np.random.Generator) -> None:
    """Intervals of one run: 512 sessions of 30, 60 or 280 people."""
    print("| returns of people | held out | by sessions: % | width | by people: % | width |\n|---|---:|---:|---:|---:|---:|")
    for name, (draw, truth) in POPULATIONS.items():
        for people in HELD_OUT:
            own = draw(generator, (people, SPLITS))
            # half of a return's variance is of the session, not of the person
            noise = own.std()
            drawn = generator.integers(people, size=(SESSIONS, SPLITS))
            met = np.arange(SESSIONS) % people
            sessions = np.take_along_axis(own, drawn, axis=0) + generator.normal(0, noise, drawn.shape)
            before = by_sessions(sessions)
            now = by_people(own[met] + generator.normal(0, noise, (SESSIONS, SPLITS)), met)
            widths = [f"{np.mean(limits[1] - limits[0]):.2f}" for limits in (before, now)]
            print(f"| {name} | {people} | {covered(before, truth)} | {widths[0]} | {covered(now, truth)} | {widths[1]} |", flush=True)


def a_matrix(generator: np.random.Generator) -> None:
    """Clicks on a fixed list of ten items of a matrix of 290 people, of whom each split holds out 58; the truth is about all 290."""
    people, held_out, items = 290, 58, 40
    tastes = 0.5 * generator.normal(size=(people, 4)) @ generator.normal(size=(4, items))
    ratings = generator.normal(size=(people, 1)) + tastes + 0.5 * generator.normal(size=(people, items))
    clicks = (ratings[:, :10] >= 0).sum(axis=1) * 1.0
    own = clicks[generator.permuted(np.tile(np.arange(people), (SPLITS, 1)), axis=1)[:, :held_out]].T
    before = by_sessions(np.take_along_axis(own, generator.integers(held_out, size=(SESSIONS, SPLITS)), axis=0))
    now = by_people(own, np.arange(held_out))
    cells = [f"{covered(limits, float(clicks.mean()))} | {np.mean(limits[1] - limits[0]):.2f}" for limits in (before, now)]
    print("\n| truth | by sessions: % | width | by people: % | width |\n|---:|---:|---:|---:|---:|")
    print(f"| {clicks.mean():.2f} | {' | '.join(cells)} |", flush=True)


def kinds(generator: np.random.Generator) -> None:
    """Kinds of intervals over people, each met once."""
    print("\n| returns of people | held out | percentile | Student's t | BCa | symmetric | Hall | bootstrap-t | ends below, begins above |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, (draw, truth) in POPULATIONS.items():
        for people in (10, *HELD_OUT):
            own = draw(generator, (people, SPLITS))
            now = by_people(own, np.arange(people))
            limits = (by_sessions(own), student(own), bias_corrected(own), *symmetric_and_transformed(own), now)
            cells = [*(covered(each, truth) for each in limits), misses(now, truth)]
            print(f"| {name} | {people} | {' | '.join(cells)} |", flush=True)


def over_seeds(generator: np.random.Generator) -> None:
    """Means over seeds whose runs share the people: t over the runs' means, and the interval over seeds and people."""
    print("\n| seeds | held out | sd of seeds, people, rest | t over seeds: % | width | seeds and people: % | width |")
    print("|---:|---:|---|---:|---:|---:|---:|")
    for seeds in (3, 5):
        for people in HELD_OUT:
            for of_seeds, of_people, of_both in ((0, 1, 0.5), (0.1, 1, 0.5), (0.3, 1, 1), (1, 1, 0.5), (0, 0.3, 1)):
                results = (
                    generator.normal(0, 1, (seeds, 1, SPLITS)) * of_seeds
                    + (generator.exponential(1, (1, people, SPLITS)) - 1) * of_people
                    + generator.normal(0, 1, (seeds, people, SPLITS)) * of_both
                )
                before = student(results.mean(axis=1))
                now = limits_of(crossed_intervals(results, np.ones_like(results), resamples=RESAMPLES))
                cells = [f"{covered(limits, 0.0)} | {np.mean(limits[1] - limits[0]):.2f}" for limits in (before, now)]
                print(f"| {seeds} | {people} | {of_seeds:g}, {of_people:g}, {of_both:g} | {' | '.join(cells)} |", flush=True)


def tables_of(results: np.ndarray, met: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators `[S, S P, SPLITS]` of runs that met whom `met` says `[S, P, SPLITS]`, each somebody else."""
    seeds, people, splits = results.shape
    tables = np.zeros((2, seeds, seeds, people, splits))
    for seed in range(seeds):
        tables[:, seed, seed] = results[seed] * met[seed], met[seed]
    numerators, denominators = tables.reshape(2, seeds, seeds * people, splits)
    return numerators, denominators


def over_other_people(generator: np.random.Generator) -> None:
    """Means over seeds whose runs met other people: all of them, or as many as two draws of 60 from 150 have not in common."""
    print("\n| seeds | sd of seeds, people, rest | own people: % | width | taken for the same: % | width |", end="")
    print(" 60 of 150: % | width | taken for others: % | width |\n|---:|---|" + "---:|" * 8)
    for seeds in (3, 5):
        for of_seeds, of_people, of_both in ((0, 1, 0.5), (0.1, 1, 0.5), (0.3, 1, 1), (1, 1, 0.5), (0, 0.3, 1)):
            a, e = (generator.normal(0, 1, (seeds, count, SPLITS)) for count in (1, 150))
            own, same = (generator.exponential(1, (count, 150, SPLITS)) - 1 for count in (seeds, 1))
            results = of_seeds * a + of_people * own + of_both * e
            results, everybody = results[:, :60], np.ones((seeds, 60, SPLITS))
            kinds_of_tables = [(tables_of(results, everybody), False), ((results, everybody), True)]
            results, met = of_seeds * a + of_people * same + of_both * e, np.zeros((seeds, 150, SPLITS))
            np.put_along_axis(met, np.argsort(generator.random(met.shape), axis=1)[:, :60], 1.0, axis=1)
            kinds_of_tables += [((results * met, met), False), (tables_of(results, met), False)]
            cells = []
            for (numerators, denominators), shared in kinds_of_tables:
                limits = limits_of(crossed_intervals(numerators, denominators, shared, RESAMPLES))
                cells.append(f"{covered(limits, 0.0)} | {np.mean(limits[1] - limits[0]):.2f}")
            print(f"| {seeds} | {of_seeds:g}, {of_people:g}, {of_both:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=1_000, help="intervals for each cell")
    parser.add_argument("--resamples", type=int, default=1_000, help="bootstrap resamples for each interval")
    options = parser.parse_args()
    SPLITS, RESAMPLES = options.splits, options.resamples
    randomness = np.random.default_rng(0)
    one_run(randomness)
    kinds(randomness)
    over_seeds(randomness)
    a_matrix(randomness)
    over_other_people(randomness)
