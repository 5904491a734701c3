"""Embeddings from an HTTP endpoint."""
