"""What a term is worth for a whole slate, shared by the items that it shows."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import PAD, Transition


def shown_in(transition: Transition) -> Tensor:
    """At which places something is shown, `[N, K]` bool: at those of the slate that are not `PAD`, and at all of a continuous action."""
    shape, slate = transition.item_reward.shape, transition.slate
    return torch.ones(shape, dtype=torch.bool, device=slate.device) if slate.is_floating_point() else slate != PAD


def equal_shares(worth: Tensor, transition: Transition) -> Tensor:
    """`worth` `[N]` of slates in equal shares for the k items that are shown, worth / k each, and 0 at other places, `[N, K]`."""
    shown = shown_in(transition)
    return (worth / shown.sum(dim=1).clamp(min=1))[:, None].expand(shown.shape).masked_fill(~shown, 0.0)
