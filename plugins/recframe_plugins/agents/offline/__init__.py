"""Offline reinforcement learning: agents made to learn from logs that another policy wrote."""
