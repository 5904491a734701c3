"""Text to vectors, each text encoded once: the store above every encoder, its cache on disk, and what is made of the vectors."""

from recframe.embeddings.encoding import EmbeddingError
from recframe.embeddings.reduction import AffineMap, fit_reduction
from recframe.embeddings.store import EmbeddingStore

__all__ = ["AffineMap", "EmbeddingError", "EmbeddingStore", "fit_reduction"]
