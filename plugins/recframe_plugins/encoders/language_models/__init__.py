"""Code that the encoders `sentence_transformers`, `bert` and `gpt` share."""
