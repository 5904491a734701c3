"""Complete rating matrices."""
