"""The default simulated world."""
