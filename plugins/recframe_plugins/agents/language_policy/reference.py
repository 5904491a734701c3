"""The reference policy, from which learning is to stay near: the policy as it was when a stage began."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from recframe_plugins.agents.language_policy.generator import ItemGenerator


class Reference:
    """A copy of the parameters that are trained; with LoRA, of the adapters and the codes' vectors alone.

    It is not part of the policy's weights: only checkpoints have it.
    """

    def __init__(self) -> None:
        self._stage: str | None = None
        self._values: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, policy: ItemGenerator, stage: str, compute: Callable[[ItemGenerator], Tensor]) -> Tensor:
        """What `compute` gives of the policy as it was at the first call in this stage, without gradient."""
        if self._stage != stage:
            self._stage = stage
            self._values = {name: value.detach().clone() for name, value in policy.named_parameters() if value.requires_grad}
        result: Tensor = functional_call(policy, self._values, (compute,))
        return result

    def state_dict(self) -> dict[str, Any]:
        """The copy, and the stage that it belongs to."""
        return {"stage": self._stage, "values": dict(self._values)}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Restore a saved copy."""
        self._stage = state["stage"]
        self._values = {name: value.to(device) for name, value in state["values"].items()}
