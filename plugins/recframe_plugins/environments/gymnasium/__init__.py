"""Gymnasium's environments."""
