"""Losses of a policy that writes items: preferences (DPO, S-DPO) and groups of answers (GRPO), as functions of log-probabilities.

Log-probabilities of items are those under the mask of the codes that may be written, sums over the item's codes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe_plugins.agents.policy_gradient.clipping import clipped_gain


def dpo_loss(chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor, beta: float) -> Tensor:
    """- log sigmoid(beta (d_chosen - d_rejected)), averaged (Rafailov et al., 2023, equation 7).

    d is log pi - log pi_reference of an item. All arguments are log-probabilities `[B]`; the result is a scalar.
    """
    return -F.logsigmoid(beta * ((chosen - reference_chosen) - (rejected - reference_rejected))).mean()


def s_dpo_loss(chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor, beta: float) -> Tensor:
    """- log sigmoid(- log sum_r exp(beta (d_r - d_chosen))), averaged (Chen et al., 2024, arXiv:2406.09215).

    DPO with R rejected items: `chosen` is `[B]`, `rejected` `[B, R]`, and their log-probabilities under the reference have these shapes,
    too. With R of 1 it is `dpo_loss`. The result is a scalar.
    """
    difference = (rejected - reference_rejected) - (chosen - reference_chosen).unsqueeze(1)
    return -F.logsigmoid(-torch.logsumexp(beta * difference, dim=1)).mean()


def group_advantages(rewards: Tensor, *, scale: bool = True) -> Tensor:
    """Rewards `[C, G]` of C groups of G answers, less the mean of their group, `[C, G]` (GRPO; Shao et al., 2024, section 4.1.2).

    scale: divide by the standard deviation within the group (with G - 1, and 1e-4 added), so that all groups count alike. Without it, the
    advantages keep the rewards' unit, and groups that differ by little hardly count (Dr. GRPO; Liu et al., 2025). A group whose rewards
    are equal has advantages of 0, and nothing is learned from it (`group_collapse`).
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return centred / (rewards.std(dim=1, keepdim=True) + 1e-4) if scale else centred


def group_collapse(rewards: Tensor) -> Tensor:
    """The share of the C groups `[C, G]` in which all rewards are equal; a scalar."""
    return (rewards == rewards[:, :1]).all(dim=1).float().mean()


def reference_kl(log_probs: Tensor, reference: Tensor) -> Tensor:
    """Estimates of KL(pi || pi_reference) from samples of pi, in the shape of `log_probs`.

    r - 1 - log r with r = pi_reference / pi: unbiased, never negative, and with less variance than - log r ("k3" in Schulman, 2020,
    "Approximating KL divergence"; Shao et al., 2024, equation 4).
    """
    log_ratio = reference - log_probs
    return log_ratio.expm1() - log_ratio


def grpo_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip_range: float,
    reference: Tensor | None = None,
    kl_weight: float = 0.0,
    mean_over: str = "sequences",
) -> Tensor:
    """- (clipped gain - kl_weight KL) of each code, averaged (GRPO; Shao et al., 2024, equation 3). A scalar.

    The estimate of the KL is weighted by pi / pi_old, so that value and gradient are those of the KL of the policy that learns, although
    the codes were drawn from the one that acted (DeepSeek-AI, 2025, arXiv:2512.02556). The paper of GRPO leaves the weight out.

    Parameters
    ----------
    log_probs, old_log_probs, reference: `[B, T]`, the log-probability of each of T codes under the policy that learns, the one that acted,
        and the reference (None: no KL).
    advantages: `[B]`, of each sequence, the same for all its codes.
    mask: `[B, T]` bool, which places hold a code.
    mean_over: "sequences": the mean over a sequence's codes, then over sequences, as in the paper. "codes": the mean over all codes, so
        that a code of a long sequence counts as much as one of a short sequence.
    """
    log_ratio = log_probs - old_log_probs
    loss = -clipped_gain(log_ratio, advantages.unsqueeze(1), clip_range)
    if reference is not None and kl_weight:
        loss = loss + kl_weight * log_ratio.exp() * reference_kl(log_probs, reference)
    return masked_mean(loss, mask, mean_over)


def masked_mean(values: Tensor, mask: Tensor, over: str) -> Tensor:
    """The mean of `values` `[B, T]` where `mask` holds, over all codes or over the means of sequences (`over`: see `grpo_loss`)."""
    kept = values.masked_fill(~mask, 0.0)
    if over == "codes":
        return kept.sum() / mask.sum().clamp(min=1)
    return (kept.sum(dim=1) / mask.sum(dim=1).clamp(min=1)).mean()
