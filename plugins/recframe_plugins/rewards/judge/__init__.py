"""A reward that a language model gives by a rubric."""
