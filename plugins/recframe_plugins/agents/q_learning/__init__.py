"""Deep Q-learning: DQN and SlateQ."""
