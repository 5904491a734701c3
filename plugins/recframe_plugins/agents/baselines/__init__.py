"""Baseline agents, with which learned policies are compared."""
