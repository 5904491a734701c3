"""Deterministic policy gradients: DDPG, TD3, and Wolpertinger over items."""
