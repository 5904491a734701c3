"""The encoder of a policy, as it was in its run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from recframe.building.component import build, component_of
from recframe.components import Kind
from recframe.interfaces import Encoder

CPU = torch.device("cpu")


def fitted_encoder(section: Any, learned_from: Sequence[str]) -> Encoder:
    """The encoder of a section, on the CPU, which has learned from these texts."""
    encoder: Encoder = build(component_of(Kind.ENCODER, section), section, device=CPU)
    encoder.fit(learned_from)
    return encoder
