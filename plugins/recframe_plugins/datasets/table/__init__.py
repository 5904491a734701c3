"""The dataset table: interactions from a table in almost any file."""
