"""The built-in rewards: what a response is worth."""
