"""A server that starts imports nothing that trains."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.serving.test_light_start import HEAVY, TRAINING

SCRIPT = """
import json, sys
from recframe.server.run import require_libraries
from recframe.server.settings import read_settings
config = read_settings([f"feedback.url=sqlite:///{sys.argv[2]}/feedback.db"])
require_libraries()
from recframe.feedback.store import FeedbackStore
from recframe.server.app import create_app
from recframe.server.http_server import uvicorn_config
from recframe.serving.load import load_policy
app = create_app({"main": load_policy(sys.argv[1])}, FeedbackStore.open(config.feedback.url), config)
uvicorn_config(app, config)
print(json.dumps(sorted(sys.modules)))
"""


def test_a_server_imports_nothing_that_trains(artefact, tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(artefact), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules = json.loads(done.stdout.splitlines()[-1])
    assert [module for module in HEAVY + TRAINING if module in modules] == []
