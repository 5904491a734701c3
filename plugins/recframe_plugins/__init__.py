"""The built-in plugins; the core finds them by their entry points, like anybody's."""
