"""Plugins whose fault is noticed in a run."""
CASES = []
