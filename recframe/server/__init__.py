"""A policy behind HTTP: `recframe serve`."""
