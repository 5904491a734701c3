"""Runs, components and sessions from Python. What is public here is an attribute of `recframe`."""
