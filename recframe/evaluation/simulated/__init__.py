"""Evaluation in simulated sessions."""
