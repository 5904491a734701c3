"""The routes of a server, one module for each subject."""
