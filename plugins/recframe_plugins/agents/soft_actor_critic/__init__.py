"""Soft actor-critic over items."""
