"""The built-in encoders, which turn texts into vectors."""
