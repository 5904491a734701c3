"""Bias of every off-policy estimator, and how often its 95 % interval contains the truth, in worlds of known value.

    OMP_NUM_THREADS=1 python benchmarks/off_policy_coverage.py

Prints the tables of docs/results/off_policy.md: 1,000 logs of each world, one estimate and one interval from each. Every person has one
row, slate or session.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from recframe.evaluation.off_policy import single_items, slates, trajectories
from recframe.evaluation.off_policy.choice import least_error_of, slope_of
from recframe.evaluation.off_policy.contributions import Contributions, intervals, refitted_interval
from recframe.evaluation.off_policy.diagnostics import diagnose, effective_sample_size, weight_caveats
from recframe.evaluation.off_policy.estimates import threshold_candidates
from recframe.evaluation.off_policy.fitted_q import FittedReturns, fitted_q_values, fitted_returns
from recframe.evaluation.off_policy.logs import SingleItemLog, SlateLog, TrajectoryLog
from recframe.evaluation.off_policy.marginalised import marginalised_values
from recframe.evaluation.off_policy.policies import plackett_luce, softmax
from recframe.evaluation.off_policy.reward_models import fit_reward_model, folds_of, item_features
from recframe.evaluation.off_policy.text_clusters import cluster_probabilities, marginalised_ips
from recframe.evaluation.statistics import Interval

CHOSEN = "switch-DR, threshold of least error"
HEAD = "| {} | bias | standard error | RMSE | interval contains the truth: % | width |\n|---|---:|---:|---:|---:|---:|"


@dataclass(frozen=True)
class Bandit:
    """Contexts of 20 kinds, and Bernoulli rewards that are not linear in them. Policies are softmax of noisy true rewards."""

    title: str
    items: int
    rows: int
    logging_scale: float
    evaluated_scale: float
    clusters: int | None = None
    blind: bool = False
    """The reward model is a constant, which is very wrong."""

    def estimates(self, generator: np.random.Generator, repetitions: int) -> tuple[dict[str, Contributions], float]:
        """Every estimator's contributions from all logs, and the truth."""
        kinds = 20
        contexts = generator.normal(size=(kinds, 4))
        groups = np.arange(self.items) % (self.clusters or self.items)
        base = np.tanh(contexts @ generator.normal(size=(4, groups.max() + 1)))[:, groups]
        rates = np.clip(0.3 + 0.2 * base, 0.02, 0.98)
        noise = generator.normal(size=(kinds, self.items))
        logging, evaluated = softmax(self.logging_scale * noise), softmax(self.evaluated_scale * (base + 0.5 * noise))
        truth = float((evaluated * rates).sum(axis=1).mean())

        kind = generator.integers(kinds, size=(repetitions, self.rows))
        actions = np.stack([_drawn(logging[one], generator) for one in kind])
        rewards = (generator.random(kind.shape) < rates[kind, actions]) * 1.0
        log = SingleItemLog(rewards, logging[kind, actions], evaluated[kind, actions])
        if self.clusters is not None:
            shares = [cluster_probabilities(side, groups)[kind, groups[actions]] for side in (logging, evaluated)]
            return {
                "IPS": single_items.inverse_propensity(log),
                "self-normalised IPS": single_items.self_normalised(log),
                "marginalised IPS, clusters": marginalised_ips(rewards, *shares),
            }, truth
        context, items = (None, np.zeros((self.items, 0))) if self.blind else (contexts, item_features(self.items))
        predicted, expected = np.empty_like(rewards), np.empty_like(rewards)
        for place in range(repetitions):
            folds, here = folds_of(np.arange(self.rows), seed=place), kind[place]
            model = fit_reward_model(rewards[place], actions[place], None if context is None else context[here], items, folds)
            predicted[place] = model.predict_logged(actions[place])
            expected[place] = (evaluated[here] * model.predict(np.arange(self.rows))).sum(axis=1)
        return with_a_model(replace(log, predicted=predicted, expected=expected)), truth


def with_a_model(log: SingleItemLog) -> dict[str, Contributions]:
    """Every estimator of single items."""
    thresholds = threshold_candidates(log.weights.ravel())
    clipped = [single_items.inverse_propensity(log, clip) for clip in thresholds[:-1]]
    switched = [single_items.switch_doubly_robust(log, threshold) for threshold in thresholds]
    return {
        "direct method": single_items.direct_method(log),
        "IPS": single_items.inverse_propensity(log),
        "IPS, clip of least error": chosen_of(clipped, least_error_of),
        "IPS, clip by SLOPE": chosen_of(clipped, slope_of),
        "self-normalised IPS": single_items.self_normalised(log),
        "DR": single_items.doubly_robust(log),
        "self-normalised DR": single_items.self_normalised_doubly_robust(log),
        "switch-DR, threshold 5": single_items.switch_doubly_robust(log, 5.0),
        "switch-DR, threshold by SLOPE": chosen_of(switched, slope_of),
        CHOSEN: chosen_of(switched, least_error_of),
    }


def chosen_of(candidates: list[Contributions], rule: Callable[[Sequence[Contributions]], np.ndarray]) -> Contributions:
    """Each repetition's contributions of the candidate that `rule` chooses."""
    chosen = rule(candidates)
    sides = (np.stack([getattr(one, side) for one in candidates]) for side in ("numerators", "denominators", "weights"))
    return Contributions(*(side[chosen, np.arange(len(chosen))] for side in sides))


def slate_world(generator: np.random.Generator, repetitions: int, rows: int, cascading: bool) -> tuple[dict[str, Contributions], float]:
    """Slates of 3 of 5 items. A click's rate depends on the item, or with `cascading` also on the item directly above."""
    items, positions = 5, 3
    scores = generator.normal(size=items) * 1.2
    ordered = np.array(np.meshgrid(*[np.arange(items)] * positions, indexing="ij")).reshape(positions, -1).T
    ordered = ordered[[len(set(slate)) == positions for slate in ordered.tolist()]]
    evaluated = plackett_luce(np.broadcast_to(scores, (len(ordered), items)), ordered)
    logging = plackett_luce(np.zeros((len(ordered), items)), ordered)
    rates = 0.1 + 0.5 * generator.random((positions, items))[np.arange(positions), ordered]
    if cascading:
        rates[:, 1:] *= 0.3 + 0.7 * generator.random((items, items))[ordered[:, :-1], ordered[:, 1:]]
    whole = evaluated.prod(axis=1)
    truth = float(whole @ rates.sum(axis=1))
    at = np.array([[whole[ordered[:, k] == a].sum() for a in range(items)] for k in range(positions)])

    drawn = generator.integers(len(ordered), size=(repetitions, rows))
    rewards = (generator.random((*drawn.shape, positions)) < rates[drawn]) * 1.0
    marginals = at[np.arange(positions), ordered]
    log = SlateLog(rewards, logging[drawn], evaluated[drawn], np.full(rewards.shape, 1 / items), marginals[drawn])
    moments = slates.uniform_second_moments(items, positions)
    weights = slates.pseudo_inverse_weights(ordered, np.broadcast_to(at, (len(ordered), positions, items)), moments)
    return {
        "standard": slates.standard(log),
        "standard, self-normalised": slates.standard(log, self_normalise=True),
        "cascade": slates.cascade(log),
        "cascade, self-normalised": slates.cascade(log, self_normalise=True),
        "independent": slates.independent(log),
        "independent, self-normalised": slates.independent(log, self_normalise=True),
        "pseudo-inverse": slates.pseudo_inverse(log, weights[drawn]),
    }, truth


class Sessions:
    """A Markov decision process of 5 states and 3 actions, whose sessions end by themselves, after 12 steps at the latest."""

    states, actions, steps, discount = 5, 3, 12, 0.95

    def __init__(self, generator: np.random.Generator, scale: float) -> None:
        self.moves = generator.dirichlet(np.ones(self.states) * 0.5, (self.states, self.actions))
        self.rates = generator.uniform(0.05, 0.95, (self.states, self.actions))
        self.quits = 0.45
        self.logging = softmax(generator.normal(size=(self.states, self.actions)) * 0.3)
        self.evaluated = softmax(scale * self.rates)
        following = np.zeros(self.states)
        for _ in range(self.steps):
            q = self.rates + self.discount * (1 - self.quits) * (self.moves @ following)
            following = (self.evaluated * q).sum(axis=1)
        self.truth = float(following.mean())

    def logs(self, generator: np.random.Generator, repetitions: int, rows: int) -> tuple[TrajectoryLog, np.ndarray, np.ndarray]:
        """Logs `[r, n, T]`, and the states and actions of all steps."""
        shape = (repetitions, rows)
        states, actions = np.zeros((2, *shape, self.steps), dtype=np.int64)
        here = generator.integers(self.states, size=shape)
        for t in range(self.steps):
            states[..., t] = here
            actions[..., t] = _drawn(self.logging[here], generator)
            here = _drawn(self.moves[here, actions[..., t]], generator)
        lengths = generator.geometric(self.quits, shape).clip(max=self.steps)
        rewards = (generator.random(states.shape) < self.rates[states, actions]) * 1.0
        at = (states, actions)
        return TrajectoryLog(rewards, self.logging[at], self.evaluated[at], lengths, self.discount), states, actions

    def table(self, generator: np.random.Generator, repetitions: int, rows: int, resamples: int) -> None:
        """Print every estimator's line."""
        log, states, actions = self.logs(generator, repetitions, rows)
        taken = np.eye(self.states * self.actions)[states * self.actions + actions]
        of_state = np.einsum("sa,st->sta", self.evaluated, np.eye(self.states)).reshape(self.states, -1)
        expected = of_state[states]
        predictions: list[FittedReturns] = []
        refitted: dict[str, list[Interval]] = {"fitted-Q evaluation": [], "marginalised IS": []}
        for place in range(repetitions):
            sides = (log.rewards[place], log.propensities[place], log.probabilities[place], log.lengths[place], self.discount)
            one, phi, phi_pi, visited = TrajectoryLog(*sides), taken[place], expected[place], states[place]
            predictions.append(fitted_returns(one, phi, phi_pi, folds_of(np.arange(rows), seed=place)))
            fits = {
                "fitted-Q evaluation": partial(fitted_q_values, one, phi, phi_pi),
                "marginalised IS": partial(marginalised_values, one, visited),
            }
            for name, values in fits.items():
                refitted[name].append(refitted_interval(values, rows, seed=place, resamples=resamples))
        model = (np.stack([getattr(one, side) for one in predictions]) for side in ("predicted", "expected"))
        modelled = TrajectoryLog(log.rewards, log.propensities, log.probabilities, log.lengths, self.discount, *model)
        found = {
            "trajectory-wise IS": trajectories.trajectory_wise(log),
            "trajectory-wise IS, weighted": trajectories.trajectory_wise(log, weighted=True),
            "per-decision IS": trajectories.per_decision(log),
            "per-decision IS, weighted": trajectories.per_decision(log, weighted=True),
            "DR": trajectories.doubly_robust(modelled),
            "DR, weighted (`return`)": trajectories.doubly_robust(modelled, weighted=True),
        }
        print_table(f"{rows} sessions", found, self.truth, log.ratios.prod(axis=-1), "sessions", resamples)
        for name, listed in refitted.items():
            print(line(name, listed, self.truth))


def _drawn(probabilities: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One column of each row of probabilities."""
    drawn: np.ndarray = (probabilities.cumsum(axis=-1) < generator.random((*probabilities.shape[:-1], 1))).sum(axis=-1)
    return drawn.clip(max=probabilities.shape[-1] - 1)


def line(name: str, found: list[Interval], truth: float) -> str:
    """A line of the table, from one interval of each log."""
    means, lows, highs = (np.array([getattr(one, side) for one in found]) for side in ("mean", "low", "high"))
    contained = 100 * np.mean((lows <= truth) & (truth <= highs))
    rmse = np.sqrt(((means - truth) ** 2).mean())
    return f"| {name} | {means.mean() - truth:+.4f} | {means.std():.4f} | {rmse:.4f} | {contained:.1f} | {(highs - lows).mean():.4f} |"


def print_lines(found: dict[str, Contributions], truth: float, resamples: int) -> None:
    """The lines of estimators whose intervals follow from contributions, and `value`: the chosen one's, with DR's interval."""
    listed = {name: intervals(contributions, resamples=resamples) for name, contributions in found.items()}
    if CHOSEN in listed:
        pairs = zip(listed[CHOSEN], listed["DR"], strict=True)
        listed["`value`: the line above, DR's interval"] = [
            dr._replace(mean=one.mean, low=min(dr.low, one.mean), high=max(dr.high, one.mean)) for one, dr in pairs
        ]
    for name, found_intervals in listed.items():
        print(line(name, found_intervals, truth), flush=True)


def print_table(title: str, found: dict[str, Contributions], truth: float, weights: np.ndarray | None, unit: str, resamples: int) -> None:
    """Print a world's table below its title."""
    assert weights is not None
    print(f"\n{title}, truth {truth:.4f}, {about(weights, unit)}\n\n" + HEAD.format("estimator"))
    print_lines(found, truth, resamples)


def about(weights: np.ndarray, unit: str) -> str:
    """The mean effective sample size, and in how many logs a warning is given."""
    warned = np.mean([bool(weight_caveats("", diagnose(one), unit)) for one in weights])
    return f"effective sample size {effective_sample_size(weights).mean():.0f}, a warning in {100 * warned:.0f} % of logs"


BANDITS = (
    Bandit("10 items, policies near each other", 10, 1_000, 0.5, 1.0),
    Bandit("10 items, policies far from each other", 10, 1_000, 1.5, 4.0),
    Bandit("10 items, policies far from each other, a constant as reward model", 10, 1_000, 1.5, 4.0, blind=True),
    Bandit("10 items, policies far from each other, few rows", 10, 200, 1.5, 4.0),
    Bandit("500 items in 10 clusters that decide the reward", 500, 500, 0.5, 3.0, clusters=10),
    Bandit("10 items, policies very far from each other", 10, 1_000, 3.0, 6.0),
)


def single(repetitions: int, resamples: int) -> None:
    """Print the tables of single items."""
    print("### Single items")
    for number, bandit in enumerate(BANDITS):
        found, truth = bandit.estimates(np.random.default_rng(number), repetitions)
        print_table(f"{bandit.title}: {bandit.rows} rows", found, truth, found["IPS"].weights, "decisions", resamples)


def of_slates(repetitions: int, resamples: int) -> None:
    """Print the tables of slates."""
    print("\n### Slates")
    for cascading, rewards in ((False, "a reward depends on its item"), (True, "a reward also depends on the item above")):
        found, truth = slate_world(np.random.default_rng(10), repetitions, 500, cascading)
        print_table(f"500 slates of 3 of 5 items, {rewards}", found, truth, found["standard"].weights, "slates", resamples)


def of_sessions(repetitions: int, resamples: int) -> None:
    """Print the tables of sessions."""
    print("\n### Sessions")
    for scale in (1.0, 3.0):
        generator = np.random.default_rng(20)
        Sessions(generator, scale).table(generator, repetitions, 300, min(resamples, 200))


PARTS = {"single": single, "slates": of_slates, "sessions": of_sessions}


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=1_000)
    parser.add_argument("--resamples", type=int, default=500, help="of people, for each interval; refitted ones have 200 at most")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    options = parser.parse_args()
    for part in options.parts:
        PARTS[part](options.repetitions, options.resamples)


if __name__ == "__main__":
    main()
