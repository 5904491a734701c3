"""Fitting and tuning of the reference policies in a training environment."""
