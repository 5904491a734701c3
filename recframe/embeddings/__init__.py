"""Text vectors: the store that caches what encoders give, their reduction, and labels read from them."""

from recframe.embeddings.cut_texts import CutTexts
from recframe.embeddings.encoding import EmbeddingError
from recframe.embeddings.labels import label_report, label_texts
from recframe.embeddings.reduction import AffineMap, fit_reduction
from recframe.embeddings.store import EmbeddingStore

__all__ = ["AffineMap", "CutTexts", "EmbeddingError", "EmbeddingStore", "fit_reduction", "label_report", "label_texts"]
