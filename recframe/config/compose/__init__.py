"""From a command line to a config."""
