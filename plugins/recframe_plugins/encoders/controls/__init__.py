"""Encoders that read no text."""
