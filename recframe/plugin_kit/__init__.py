"""The kit for plugin authors: new packages from a template, checks of whole plugins, and a pytest plugin.

The pytest plugin is imported by every pytest session of an environment with recframe, so this package imports nothing at the top.
"""
