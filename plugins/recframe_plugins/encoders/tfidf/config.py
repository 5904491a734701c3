"""Options of the encoder `tfidf`. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option


@dataclass
class TfidfConfig:
    """TF-IDF word weights reduced by a truncated SVD (latent semantic analysis): no language model; it learns from the run's own texts."""

    dim: int = option(64, "length of the vectors; less where the texts span fewer dimensions", ge=1)
    min_df: int = option(1, "leave out words that occur in fewer texts than this", ge=1)
    ngram_max: int = option(1, "1: words; 2: words and pairs of neighbouring words", choices=[1, 2])
    sublinear_tf: bool = option(True, "count a word that occurs n times in a text as 1 + log(n)")
    seed: int = option(0, "seed of the randomized SVD", ge=0, le=2**32 - 1)
