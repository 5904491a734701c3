"""The built-in encoders: from texts to vectors."""
