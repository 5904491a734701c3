"""Code that the built-in simulators share: sessions, choice models, boredom, the quit rule."""
