"""Encoders that do not use what a text says: controls for measuring what the text is worth."""
