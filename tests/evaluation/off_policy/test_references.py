"""Every estimator gives what Open Bandit Pipeline and SCOPE-RL give for the same arrays."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from recframe.evaluation.off_policy import single_items, slates, trajectories
from recframe.evaluation.off_policy.logs import SingleItemLog, SlateLog, TrajectoryLog
from recframe.evaluation.off_policy.marginalised import marginalised
from tests.evaluation.off_policy import reference_logs
from tests.evaluation.off_policy.make_reference import THRESHOLD

FOLDER = Path(__file__).parent
PYTHONS = {"obp": "RECFRAME_OBP_PYTHON", "scope_rl": "RECFRAME_SCOPE_RL_PYTHON"}


def ours(library):
    return {"obp": single_items_and_slates, "scope_rl": sessions}[library]()


def single_items_and_slates():
    log, places = reference_logs.bandit(), np.arange(400)
    single = SingleItemLog(
        log["rewards"],
        log["propensities"],
        log["evaluated"][places, log["actions"]],
        log["predicted"][places, log["actions"]],
        (log["evaluated"] * log["predicted"]).sum(axis=1),
    )
    slate = SlateLog(**reference_logs.slates())
    return {
        "dm": single_items.direct_method(single),
        "ips": single_items.inverse_propensity(single),
        "snips": single_items.self_normalised(single),
        "dr": single_items.doubly_robust(single),
        "sndr": single_items.self_normalised_doubly_robust(single),
        "switch_dr": single_items.switch_doubly_robust(single, THRESHOLD),
        "slate_standard": slates.standard(slate),
        "slate_cascade": slates.cascade(slate),
        "slate_independent": slates.independent(slate),
    }


def sessions():
    arrays = reference_logs.sessions()
    place = arrays["actions"][..., None]
    log = TrajectoryLog(
        arrays["rewards"],
        arrays["propensities"],
        np.take_along_axis(arrays["evaluated"], place, axis=2)[..., 0],
        np.full(len(place), place.shape[1]),
        reference_logs.DISCOUNT,
        np.take_along_axis(arrays["predicted"], place, axis=2)[..., 0],
        (arrays["evaluated"] * arrays["predicted"]).sum(axis=2),
    )
    return {
        "fitted_q": trajectories.direct_method(log),
        "is": trajectories.trajectory_wise(log),
        "weighted_is": trajectories.trajectory_wise(log, weighted=True),
        "per_decision_is": trajectories.per_decision(log),
        "weighted_per_decision_is": trajectories.per_decision(log, weighted=True),
        "dr": trajectories.doubly_robust(log),
        "weighted_dr": trajectories.doubly_robust(log, weighted=True),
        "marginalised_is": marginalised(log, arrays["visits"]),
    }


@pytest.mark.parametrize("library", PYTHONS)
def test_estimates_are_those_of_the_reference_library(library):
    stored = json.loads((FOLDER / f"{library}.json").read_text(encoding="utf-8"))["estimates"]
    estimates = {name: float(contributions.value) for name, contributions in ours(library).items()}
    assert estimates == pytest.approx(stored, abs=1e-6)


@pytest.mark.evidence
@pytest.mark.parametrize("library", PYTHONS)
def test_the_stored_estimates_are_what_the_library_gives_now(library):
    python = os.environ.get(PYTHONS[library])
    if python is None:
        pytest.skip(f"{PYTHONS[library]} is not set to the Python of an environment with {library}: see make_reference.py")
    command = [python, FOLDER / "make_reference.py", library]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    stored = json.loads((FOLDER / f"{library}.json").read_text(encoding="utf-8"))
    assert json.loads(done.stdout)["estimates"] == pytest.approx(stored["estimates"], abs=1e-9)
