"""Log-probabilities, rewards and masks for comparisons of losses. Imports numpy only, so that every environment can read it."""

from __future__ import annotations

import numpy as np

BETA, CLIP_RANGE, KL_WEIGHT = 0.3, 0.2, 0.04
PAIRS, GROUPS, SIZE, CODES = 7, 3, 4, 5


def pairs() -> dict[str, np.ndarray]:
    """Log-probabilities `[PAIRS]` of chosen and rejected items under a policy and a reference."""
    random = np.random.default_rng(0)
    names = ("chosen", "rejected", "reference_chosen", "reference_rejected")
    return {name: (-3 * random.random(PAIRS) - 0.1).astype(np.float32) for name in names}


def groups() -> dict[str, np.ndarray]:
    """Codes `[GROUPS * SIZE, CODES]` of answers of several lengths, and the answers' rewards `[GROUPS, SIZE]`, in one group all equal."""
    random = np.random.default_rng(1)
    answers = GROUPS * SIZE
    log_probs = (-2 * random.random((answers, CODES)) - 0.05).astype(np.float32)
    rewards = random.normal(size=(GROUPS, SIZE)).astype(np.float32)
    rewards[1] = 0.5
    return {
        "log_probs": log_probs,
        # ratios on both sides of the clipping
        "old_log_probs": (log_probs + 0.4 * random.normal(size=log_probs.shape)).astype(np.float32),
        "reference": (log_probs + 0.5 * random.normal(size=log_probs.shape)).astype(np.float32),
        "mask": np.arange(CODES) < random.integers(1, CODES + 1, size=(answers, 1)),
        "rewards": rewards,
    }
