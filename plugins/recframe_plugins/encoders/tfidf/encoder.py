"""The encoder `tfidf`: latent semantic analysis, which needs no language model but only the run's own texts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import torch

from recframe.interfaces import Encoder, EncoderError, Role
from recframe_plugins.encoders.tfidf.config import TfidfConfig
from recframe_plugins.encoders.tfidf.words import composed, has_marks, has_word, word

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

log = logging.getLogger(__name__)


class TfidfEncoder(Encoder):
    """TF-IDF weights projected on the leading singular vectors of the run's texts (Deerwester et al., 1990), scaled to length one.

    A text without any known word gets the zero vector. Learning is put off until the first `encode` or `dim`, so a run whose
    vectors are all cached never learns. `device` is not used, because the matrices are sparse and small.
    """

    def __init__(self, config: TfidfConfig, device: torch.device) -> None:
        self.config = config
        self._corpus: list[str] | None = None
        self._corpus_sha256 = ""
        self._words = ""
        self._projection: np.ndarray | None = None

    def fit(self, texts: Sequence[str]) -> None:
        """Set the texts to learn from; their order does not matter.

        Raises
        ------
        EncoderError: if no text has a word.
        """
        if not any(map(has_word, texts)):
            raise EncoderError(f"encoder tfidf: there is no word in the {len(texts)} texts to learn from; check the dataset's text fields")
        # sorted, so that even rounding does not depend on the order
        self._corpus = sorted(texts)
        digest = hashlib.sha256()
        for text in self._corpus:
            encoded = text.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
        self._corpus_sha256 = digest.hexdigest()
        self._words = " words=marks" if any(map(has_marks, self._corpus)) else ""
        self._projection = None

    @property
    def dim(self) -> int:
        """The length of the vectors: `config.dim`, or the rank of the texts' TF-IDF matrix if that is less."""
        return int(self._learned().shape[1])

    @property
    def fingerprint(self) -> str:
        """The options, the texts it learned from, the rule for words where it matters, and the version of scikit-learn.

        Texts without combining marks have the same words, and so the same vectors, as when marks were no part of words.
        """
        self._require_corpus()
        options = json.dumps(dataclasses.asdict(self.config), sort_keys=True)
        return f"tfidf {options} corpus={self._corpus_sha256}{self._words} scikit-learn={version('scikit-learn')}"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` of length one, or zero for a text without a word of the texts it learned from; the same for every role."""
        projection = self._learned()
        if not texts:
            return np.empty((0, projection.shape[1]), dtype=np.float32)
        vectors = self._vectorizer.transform(map(composed, texts)) @ projection
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # TF-IDF rows have length one, so that a shorter projection than this is rounding
        known = lengths > 1e-6
        return np.where(known, vectors / np.where(known, lengths, 1.0), 0.0).astype(np.float32)

    def _require_corpus(self) -> list[str]:
        if self._corpus is None:
            raise RuntimeError("encoder tfidf learns from the run's texts: call fit(texts) first")
        return self._corpus

    def _learned(self) -> np.ndarray:
        """The projection `[words, D]`, learned at the first call after `fit`."""
        corpus = self._require_corpus()
        if self._projection is None:
            from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]  # scikit-learn ships no types

            self._vectorizer = TfidfVectorizer(
                token_pattern=word(),
                min_df=self.config.min_df,
                ngram_range=(1, self.config.ngram_max),
                sublinear_tf=self.config.sublinear_tf,
            )
            try:
                weights = self._vectorizer.fit_transform(map(composed, corpus))
            except ValueError as error:
                raise EncoderError(
                    f"encoder tfidf: no word occurs in min_df={self.config.min_df} or more of the {len(corpus)} texts; lower encoder.min_df"
                ) from error
            self._projection = self._leading_directions(weights)
        return self._projection

    def _leading_directions(self, weights: csr_matrix) -> np.ndarray:
        """The right singular vectors `[words, D]` of the D largest nonzero singular values."""
        if weights.shape[1] == 1:
            # TruncatedSVD refuses a matrix of one column, which needs no reduction
            return np.ones((1, 1))
        from sklearn.decomposition import TruncatedSVD  # type: ignore[import-untyped]  # scikit-learn ships no types

        svd = TruncatedSVD(n_components=min(self.config.dim, *weights.shape), random_state=self.config.seed)
        # with a single text, or equal ones, it divides by the texts' variance, zero, for a number that is not used
        with np.errstate(invalid="ignore", divide="ignore"):
            svd.fit(weights)
        significant = svd.singular_values_ > 1e-7 * svd.singular_values_[0]
        directions: np.ndarray = svd.components_[significant].T
        if directions.shape[1] < self.config.dim:
            log.warning(
                "tfidf: vectors of length %d: encoder.dim=%d is more than the texts' words tell", directions.shape[1], self.config.dim
            )
        return directions
