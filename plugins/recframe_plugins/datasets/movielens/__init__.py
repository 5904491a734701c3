"""Ratings in the file layouts of MovieLens."""
