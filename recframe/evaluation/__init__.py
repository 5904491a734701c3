"""Evaluation of policies: metrics with confidence intervals, and their tables.

Imports nothing, because `recframe.evaluation.table` is used where torch must not be loaded.
"""
