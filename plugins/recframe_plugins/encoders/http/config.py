"""Options of the encoder `http_embeddings`. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import FLOAT, MemoryNeed, Sizes, option
from recframe.endpoints.options import EndpointOptions, endpoint_problems
from recframe_plugins.encoders.prompts import PromptConfig

EMBEDDINGS = "/embeddings"
"""What is appended to an address."""


@dataclass
class HttpEmbeddingsConfig(EndpointOptions, PromptConfig):
    """A model behind an OpenAI-compatible embeddings endpoint, in the cloud or on your own server."""

    base_url: str = option(
        MISSING, "the endpoint's address without /embeddings, such as https://api.openai.com/v1 or http://localhost:8080/v1", address=True
    )
    model: str = option(MISSING, "the endpoint's name for the model")
    dimensions: int | None = option(None, "length of vectors to ask for, if the model can shorten its own; null: the model's own", ge=1)
    normalize: bool = option(True, "scale vectors to length one")
    batch_size: int = option(64, "texts in one request", ge=1)
    batch_characters: int = option(100_000, "characters in one request; a longer text is sent by itself", ge=1)

    def contradictions(self) -> Iterator[str]:
        """Invalid addresses, and a key in place of its variable's name; messages do not repeat the key."""
        yield from endpoint_problems(self.base_url, self.api_key_variable, "encoder", EMBEDDINGS)

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The vectors of the texts, where the length is asked for."""
        length = self.dimensions or 0
        yield MemoryNeed(f"encoder.dimensions={length}", f"the vectors of {sizes.texts:,} texts", FLOAT * sizes.texts * length)
