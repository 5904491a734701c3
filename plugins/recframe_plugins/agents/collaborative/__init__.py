"""Recommenders that are fitted to a log in closed form or by a library: neighbors, linear models, factors, and a mixture of them."""
