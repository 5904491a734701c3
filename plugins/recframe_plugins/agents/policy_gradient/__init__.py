"""Policy gradients: REINFORCE and actor-critic (A2C, PPO)."""
