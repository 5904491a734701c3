"""How much the best of several evaluations flatters, and which rule selects better weights: a simulation.

    python benchmarks/checkpoint_selection.py

A policy's true value rises to 10 along 20 evaluations, and varies around this curve by `varies` from one evaluation to the next. Each
evaluation sees it with noise. A rule selects the weights of one evaluation: that of the highest mean over a window of the latest
evaluations (`trainer.selection_window`), or the last. The table has the value that selected them, and their true value.
"""

from __future__ import annotations

import argparse

import numpy as np

EVALUATIONS = 20
WINDOWS = (1, 3, 5)
CASES = ((0.1, 0.4), (0.3, 0.4), (0.5, 0.4), (1.0, 0.4), (2.0, 0.4), (0.1, 0.8))
"""Standard deviations: of the true value from one evaluation to the next, and of an evaluation's noise."""


def window_means(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of each value and of up to `window` - 1 before it, `[R, E]`."""
    sums = np.cumsum(np.pad(values, ((0, 0), (window, 0))), axis=1)
    return np.asarray((sums[:, window:] - sums[:, :-window]) / np.minimum(np.arange(1, values.shape[1] + 1), window))


def selected(varies: float, noise: float, repetitions: int, generator: np.random.Generator) -> dict[str, tuple[float, float]]:
    """For each rule, the mean of the value that selected the weights and of their true value."""
    rise = 10.0 * (1.0 - np.exp(-4.0 * np.arange(1, EVALUATIONS + 1) / EVALUATIONS))
    true = rise + varies * generator.standard_normal((repetitions, EVALUATIONS))
    seen = true + noise * generator.standard_normal(true.shape)
    rows, found = np.arange(repetitions), {}
    for window in WINDOWS:
        means = window_means(seen, window)
        best = means.argmax(axis=1)
        found[f"window {window}"] = float(means[rows, best].mean()), float(true[rows, best].mean())
    found["last"] = float(seen[:, -1].mean()), float(true[:, -1].mean())
    return found


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=4_000)
    repetitions = parser.parse_args().repetitions
    generator = np.random.default_rng(0)
    rules = [*(f"window {window}" for window in WINDOWS), "last"]
    print("| varies | noise | " + " | ".join(f"{rule}: selected by, true" for rule in rules) + " |")
    print("|---:|---:|" + "---:|" * len(rules))
    for varies, noise in CASES:
        found = selected(varies, noise, repetitions, generator)
        print(f"| {varies} | {noise} | " + " | ".join(f"{found[rule][0]:.2f}, {found[rule][1]:.2f}" for rule in rules) + " |")


if __name__ == "__main__":
    main()
