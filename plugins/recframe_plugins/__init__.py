"""The built-in plugins. The core finds them by their entry points, like third-party plugins."""
