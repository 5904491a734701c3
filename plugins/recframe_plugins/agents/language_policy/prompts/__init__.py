"""What a language policy reads before it writes an item."""
