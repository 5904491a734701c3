"""One run: train and evaluate a config, resume a stopped run, evaluate a trained one."""

from recframe.runner.evaluate import evaluate
from recframe.runner.results import RunContext, RunFailure, RunResult, load_result
from recframe.runner.run import resume, run

__all__ = ["RunContext", "RunFailure", "RunResult", "evaluate", "load_result", "resume", "run"]
