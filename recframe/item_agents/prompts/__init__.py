"""What a language model reads of a person and of items before it writes or scores an item, as tokens."""
