"""Tabular Q-learning and SARSA."""
