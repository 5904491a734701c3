"""Sequence models: policies that predict the next item of a history."""
