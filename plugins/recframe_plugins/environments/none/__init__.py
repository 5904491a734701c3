"""No simulator, for runs that learn from logs alone."""
