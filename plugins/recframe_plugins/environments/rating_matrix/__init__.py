"""Users whose rating of every item is known."""
