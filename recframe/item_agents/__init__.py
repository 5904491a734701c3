"""Public building blocks for agents that choose items."""
