"""The six kinds of component, and the settings of each that the core itself reads."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """The six kinds of component that a run is composed of."""

    DATASET = "dataset"
    ENCODER = "encoder"
    STATE_TRACKER = "state_tracker"
    AGENT = "agent"
    ENVIRONMENT = "environment"
    REWARD = "reward"


# Integer settings that the core reads, whichever component of the kind is chosen.
CORE_SETTINGS: Mapping[Kind, str] = {Kind.ENVIRONMENT: "num_users", Kind.STATE_TRACKER: "history_length"}
