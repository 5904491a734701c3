"""A policy that serves imports neither what trains one, nor what reads texts before there is one to read."""

from __future__ import annotations

import json
import subprocess
import sys

import recframe

HEAVY = ["pytorch_lightning", "lightning_fabric", "torchmetrics", "hydra", "wandb", "sklearn", "scipy", "transformers", "matplotlib"]
TRAINING = ["recframe.training", "recframe.runner", "recframe.sweeps", "recframe.building.data", "recframe.reports", "recframe.evaluation"]
SCRIPT = """
import json, sys
from recframe.serving import Question, load_policy
policy = load_policy(sys.argv[1])
answers = policy.recommend_many([Question(["1"], k=3)])
print(json.dumps([answers[0].ids, sorted(sys.modules)]))
"""


def test_an_artefact_is_loaded_and_asked_without_what_trains(folder, tmp_path):
    recframe.export(folder, tmp_path / "policy")
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "policy")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ids, modules = json.loads(done.stdout.splitlines()[-1])
    assert ids == recframe.load_policy(folder).recommend(["1"], k=3).ids
    assert [module for module in HEAVY + TRAINING if module in modules] == []
