"""Benchmark tasks: a world, a budget, seeds and a metric under a name and a version, so that results of different people compare."""

from recframe.bench.results import leaderboard, leaderboard_markdown, read_results
from recframe.bench.task import BenchTask, find_task, tasks

__all__ = ["BenchTask", "find_task", "leaderboard", "leaderboard_markdown", "read_results", "tasks"]
