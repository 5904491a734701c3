"""A process that works on a search of the toy app, for tests that kill it: python searching_process.py FOLDER SEEDS."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import Toy
from omegaconf import DictConfig

from recframe.tracking import write_result

SPACE = ["agent=a,b", "agent.rate=tag(log,interval(1e-4,1))", "agent.clip=interval(0.1,0.3)", f"seed={sys.argv[2]}"]

POLICIES = {"trained": {"return": {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 4}}}


def objective(cfg: DictConfig) -> float:
    """A job that leaves its result, and fails if it is run again after that."""
    folder = toy.sweep / toy.calls[-1]
    folder.mkdir(exist_ok=True)
    assert not (folder / "result.json").exists(), "a finished job is run again"
    time.sleep(0.1)
    value = -abs(cfg.agent.rate - 0.1) + cfg.seed
    write_result(folder, objective=value, seed=cfg.seed, env_steps=0, seconds=0.1, policies=POLICIES)
    return value


toy = Toy(Path(sys.argv[1]) / "sweep")
toy(*SPACE, objective=objective, n_trials=8, startup_trials=3, hopeless=None)
