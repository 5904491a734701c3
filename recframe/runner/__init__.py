"""One run: train and evaluate a config, resume a stopped run, evaluate a trained one."""

from recframe.runner.run import RunContext, RunResult, evaluate, resume, run

__all__ = ["RunContext", "RunResult", "evaluate", "resume", "run"]
