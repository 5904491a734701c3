"""Composition of configs from command lines."""
