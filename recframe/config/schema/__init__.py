"""The typed schemas of configs."""
