"""Which component an error or a wrong value comes from: marks on built components, tracebacks, and checks where parts meet."""

from recframe.attribution.evidence import REWARD_NOT_FINITE, Evidence
from recframe.attribution.failure import ComponentFailure, as_messages, blaming, failure_of
from recframe.attribution.losses import checked_losses, require_experience, require_optimizers
from recframe.attribution.origin import Origin, component_name, mark, origin_of, origin_of_component
from recframe.attribution.parts import call_problem, missing_methods, require_parts
from recframe.attribution.tensors import Problem, failure_in, items_problem, not_finite, require_reward, require_sound, tensor_problem
from recframe.attribution.trackers import recorded_trackers, suspecting_trackers
from recframe.attribution.turn import Turn, decision_problem, slate_problem

__all__ = [
    "REWARD_NOT_FINITE",
    "ComponentFailure",
    "Evidence",
    "Origin",
    "Problem",
    "Turn",
    "as_messages",
    "blaming",
    "call_problem",
    "checked_losses",
    "component_name",
    "decision_problem",
    "failure_in",
    "failure_of",
    "items_problem",
    "mark",
    "missing_methods",
    "not_finite",
    "origin_of",
    "origin_of_component",
    "recorded_trackers",
    "require_experience",
    "require_optimizers",
    "require_parts",
    "require_reward",
    "require_sound",
    "slate_problem",
    "suspecting_trackers",
    "tensor_problem",
]
