"""The rules for how much of a session reference policies read: no less than the agent, in a run that has such policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from recframe.config.app import Composed
from recframe.config.checks.sections import check_fields
from recframe.config.schema.run import EvaluationConfig


def reference_problems(composed: Composed) -> list[str]:
    """What is wrong with `evaluation.reference_history_length`, at most one line."""
    settings = composed.values["evaluation"]
    if check_fields("evaluation.", settings, EvaluationConfig) or settings["reference_history_length"] is None:
        return []
    return [f"evaluation.reference_history_length={settings['reference_history_length']} {why}" for why in _reasons(composed)][:1]


def _reasons(composed: Composed) -> Iterator[str]:
    settings, environment = composed.values["evaluation"], composed.components.get("environment")
    if not settings["references"]:
        yield "has no meaning with evaluation.references=false, which evaluates none; set it to null"
    if environment is not None and "no_simulator" in environment.provides:
        yield f"is about simulated sessions, and {composed.called('environment')} has none; set it to null"
    tracker = composed.values["state_tracker"]
    read = tracker.get("history_length") if isinstance(tracker, Mapping) else None
    if isinstance(read, int) and settings["reference_history_length"] < read:
        # an opponent that is told less than the agent flatters it
        yield (
            f"is less than state_tracker.history_length={read}, what the agent reads of a session: its opponents would know less than it "
            f"does; set it to {read} or more, or to null"
        )
