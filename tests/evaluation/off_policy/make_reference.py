"""Writes the estimates of another library from the logs of `reference_logs.py` as JSON. Runs in an environment of that library.

python -m venv obp && obp/bin/pip install obp==0.4.1
obp/bin/python tests/evaluation/off_policy/make_reference.py obp > tests/evaluation/off_policy/obp.json
python -m venv scope_rl && scope_rl/bin/pip install scope-rl==0.2.1 d3rlpy==2.8.0
scope_rl/bin/python tests/evaluation/off_policy/make_reference.py scope_rl > tests/evaluation/off_policy/scope_rl.json
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from reference_logs import DISCOUNT, bandit, sessions, slates

THRESHOLD = 2.0


def obp() -> dict[str, float]:
    """Open Bandit Pipeline's estimates from single items and slates (switch-DR at `THRESHOLD`)."""
    from obp import ope

    log = bandit()
    arguments = {
        "reward": log["rewards"],
        "action": log["actions"],
        "pscore": log["propensities"],
        "action_dist": log["evaluated"][:, :, None],
        "estimated_rewards_by_reg_model": log["predicted"][:, :, None],
        "position": np.zeros(len(log["actions"]), dtype=int),
    }
    single = {
        "dm": ope.DirectMethod(),
        "ips": ope.InverseProbabilityWeighting(),
        "snips": ope.SelfNormalizedInverseProbabilityWeighting(),
        "dr": ope.DoublyRobust(),
        "sndr": ope.SelfNormalizedDoublyRobust(),
        "switch_dr": ope.SwitchDoublyRobust(tau=THRESHOLD),
    }
    found = {name: estimator.estimate_policy_value(**arguments) for name, estimator in single.items()}

    log = slates()
    rows, positions = log["rewards"].shape
    ids = {"slate_id": np.repeat(np.arange(rows), positions), "position": np.tile(np.arange(positions), rows)}
    flat = {name: values.ravel() for name, values in log.items()}
    whole, above = ({side: f(log[side]) for side in ("propensities", "probabilities")} for f in (_product, _products_above))
    found["slate_standard"] = ope.SlateStandardIPS(len_list=positions).estimate_policy_value(
        reward=flat["rewards"], pscore=whole["propensities"], evaluation_policy_pscore=whole["probabilities"], **ids
    )
    found["slate_cascade"] = ope.SlateRewardInteractionIPS(len_list=positions).estimate_policy_value(
        reward=flat["rewards"], pscore_cascade=above["propensities"], evaluation_policy_pscore_cascade=above["probabilities"], **ids
    )
    found["slate_independent"] = ope.SlateIndependentIPS(len_list=positions).estimate_policy_value(
        reward=flat["rewards"],
        pscore_item_position=flat["marginal_propensities"],
        evaluation_policy_pscore_item_position=flat["marginal_probabilities"],
        **ids,
    )
    return found


def scope_rl() -> dict[str, float]:
    """SCOPE-RL's estimates from sessions."""
    from scope_rl.ope import discrete

    log = sessions()
    steps = log["rewards"].shape[1]
    items = log["evaluated"].shape[2]
    ratios = np.take_along_axis(log["evaluated"], log["actions"][..., None], axis=2)[..., 0] / log["propensities"]
    arguments = {
        "step_per_trajectory": steps,
        "action": log["actions"].ravel(),
        "reward": log["rewards"].ravel(),
        "pscore": log["propensities"].ravel(),
        "evaluation_policy_action_dist": log["evaluated"].reshape(-1, items),
        "state_action_value_prediction": log["predicted"].reshape(-1, items),
        "gamma": DISCOUNT,
    }
    estimators = {
        "fitted_q": discrete.DirectMethod(),
        "is": discrete.TrajectoryWiseImportanceSampling(),
        "weighted_is": discrete.SelfNormalizedTIS(),
        "per_decision_is": discrete.PerDecisionImportanceSampling(),
        "weighted_per_decision_is": discrete.SelfNormalizedPDIS(),
        "dr": discrete.DoublyRobust(),
        "weighted_dr": discrete.SelfNormalizedDR(),
    }
    found = {name: estimator.estimate_policy_value(**arguments) for name, estimator in estimators.items()}
    # without steps of per-decision IS its weights are those of states and actions, which are given as they are
    found["marginalised_is"] = discrete.StateActionMarginalIS().estimate_policy_value(
        n_step_pdis=0, state_action_marginal_importance_weight=(log["visits"] * ratios).ravel(), **arguments
    )
    return found


def _product(values: np.ndarray) -> np.ndarray:
    return np.repeat(values.prod(axis=1), values.shape[1])


def _products_above(values: np.ndarray) -> np.ndarray:
    return values.cumprod(axis=1).ravel()


if __name__ == "__main__":
    library = sys.argv[1]
    packages = {"obp": ["obp", "numpy"], "scope_rl": ["scope-rl", "d3rlpy", "numpy"]}[library]
    estimates = {"obp": obp, "scope_rl": scope_rl}[library]()
    versions = {name: version(name) for name in packages} | {"python": platform.python_version()}
    print(json.dumps({"versions": versions, "estimates": {name: float(value) for name, value in estimates.items()}}, indent=1))
