"""Conversions of published files into tables that a dataset reads: a module for each publisher's formats. Nothing in a file is executed."""
