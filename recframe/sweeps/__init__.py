"""The jobs of a sweep: what its processes tell each other, and how they stop."""
