"""Checks of a composed config, before anything heavy starts."""
