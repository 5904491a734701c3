"""Tuning a language model by the agent's losses."""
