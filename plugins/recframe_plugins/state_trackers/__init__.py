"""The built-in state trackers."""
