"""Pseudonyms for the ids of users, given where a dataset is read."""
