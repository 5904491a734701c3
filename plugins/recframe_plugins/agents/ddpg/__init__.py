"""Deterministic policy gradients: DDPG and TD3, and Wolpertinger over items."""
