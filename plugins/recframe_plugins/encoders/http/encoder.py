"""The encoder `http_embeddings`: a model behind an OpenAI-compatible embeddings endpoint (`POST /embeddings`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from recframe.components import require_consistent
from recframe.endpoints.clock import Clock
from recframe.endpoints.endpoint import Endpoint
from recframe.interfaces import Encoder, EncoderError, Role
from recframe_plugins.encoders.http.config import EMBEDDINGS, HttpEmbeddingsConfig

PROBE = "a text"
"""Sent to learn the length of the vectors, if no text has been sent before."""


class HttpEmbeddingsEncoder(Encoder):
    """Vectors from `{base_url}/embeddings`: `{"model", "input": [texts], "dimensions"?}` against `{"data": [{"index", "embedding"}]}`.

    A text that is blank, including its prompt, is not sent, because many endpoints refuse it; it gets the zero vector. `device` is not
    used, because the model runs elsewhere.

    Parameters
    ----------
    clock: the time and how to wait; tests pass their own.

    Raises
    ------
    ModelError: at first use, one line that says what the endpoint refused, or what is wrong with its answer.
    """

    def __init__(self, config: HttpEmbeddingsConfig, device: torch.device, clock: Clock | None = None) -> None:
        require_consistent(config)
        self.config = config
        self.endpoint = Endpoint(config, config.base_url, EMBEDDINGS, config.model, "encoder", clock or Clock())
        self._dim = config.dimensions

    @property
    def dim(self) -> int:
        """The length of the vectors: `config.dimensions`, or that of the endpoint's first answer."""
        if self._dim is None:
            self._request([PROBE])
        assert self._dim is not None
        return self._dim

    @property
    def fingerprint(self) -> str:
        """The address, the model's name and the options that change vectors. It does not notice if the server changes the model."""
        config = self.config
        options = {
            "url": self.endpoint.url,
            "model": config.model,
            "dimensions": config.dimensions,
            "normalize": config.normalize,
            "prompts": config.prompts,
        }
        return f"http_embeddings {json.dumps(options, sort_keys=True)}"

    def encode(self, texts: Sequence[str], role: Role) -> np.ndarray:
        """Vectors `[n, D]` of the texts with the role's prompt, of length one if `config.normalize`, or zero for a blank text."""
        prompt = self.config.prompts[role]
        prompted = [prompt + text for text in texts]
        sent = [row for row, text in enumerate(prompted) if text.strip()]
        answers = [self._request([prompted[row] for row in batch]) for batch in self._batches(sent, prompted)]
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        if answers:
            vectors[sent] = np.concatenate(answers)
        if self.config.normalize:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors /= np.where(lengths > 0, lengths, 1)
        return vectors

    def _batches(self, rows: Sequence[int], texts: Sequence[str]) -> Iterator[list[int]]:
        """Consecutive rows that make one request each, within the bounds on texts and characters."""
        batch: list[int] = []
        characters = 0
        for row in rows:
            full = len(batch) == self.config.batch_size or characters + len(texts[row]) > self.config.batch_characters
            if batch and full:
                yield batch
                batch, characters = [], 0
            batch.append(row)
            characters += len(texts[row])
        if batch:
            yield batch

    def _request(self, texts: list[str]) -> np.ndarray:
        body: dict[str, Any] = {"model": self.config.model, "input": texts}
        if self.config.dimensions is not None:
            body["dimensions"] = self.config.dimensions
        vectors = self._read(self.endpoint.post(body), len(texts))
        if self._dim is None:
            self._dim = vectors.shape[1]
        if vectors.shape[1] != self._dim:
            expected = "encoder.dimensions asks for" if self.config.dimensions is not None else "its first answer had"
            raise EncoderError(
                f"encoder.model={self.config.model}: answered with vectors of {vectors.shape[1]} numbers, {expected} {self._dim}"
            )
        return vectors

    def _read(self, answer: Any, num_texts: int) -> np.ndarray:
        """The vectors `[n, D]` of an answer, in the order of the texts."""
        where = f"encoder.base_url={self.config.base_url}"
        try:
            entries = answer["data"]
            rows = [int(entry.get("index", place)) for place, entry in enumerate(entries)]
            vectors = np.array([entry["embedding"] for entry in entries], dtype=np.float32)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EncoderError(
                f'{where}: the answer does not have the form {{"data": [{{"index": 0, "embedding": [numbers]}}, ...]}}: {error!r:.80}'
            ) from None
        if sorted(rows) != list(range(num_texts)) or vectors.ndim != 2 or not vectors.shape[1]:
            raise EncoderError(
                f"{where}: answered with vectors of shape {list(vectors.shape)} under {len(set(rows))} indices for {num_texts} texts"
            )
        ordered = np.empty_like(vectors)
        ordered[rows] = vectors
        return ordered
