"""Agents that a learned policy is compared with."""
