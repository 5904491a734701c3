"""Embeddings from a server."""
