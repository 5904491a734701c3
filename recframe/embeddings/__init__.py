"""Text to vectors, each text encoded once: the store above every encoder, and its cache on disk."""

from recframe.embeddings.encoding import EmbeddingError
from recframe.embeddings.labels import label
from recframe.embeddings.store import EmbeddingStore

__all__ = ["EmbeddingError", "EmbeddingStore", "label"]
