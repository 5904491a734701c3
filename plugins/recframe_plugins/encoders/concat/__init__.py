"""Several encoders side by side."""
