"""Options of the encoder `http_embeddings`. Imports no torch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from omegaconf import MISSING

from recframe.components import FLOAT, MemoryNeed, Sizes, option
from recframe_plugins.encoders.prompts import PromptConfig


@dataclass
class HttpEmbeddingsConfig(PromptConfig):
    """A model behind an OpenAI-compatible embeddings endpoint, in the cloud or on your own server."""

    base_url: str = option(
        MISSING, "the endpoint's address without /embeddings, such as https://api.openai.com/v1 or http://localhost:8080/v1"
    )
    model: str = option(MISSING, "the endpoint's name for the model")
    dimensions: int | None = option(None, "length of vectors to ask for, if the model can shorten its own; null: the model's own", ge=1)
    api_key_variable: str | None = option(
        None, "name of the environment variable that holds the API key, such as OPENAI_API_KEY; null: no key is sent", variable=True
    )
    normalize: bool = option(True, "scale vectors to length one")
    batch_size: int = option(64, "texts in one request", ge=1)
    batch_characters: int = option(100_000, "characters in one request; a longer text is sent by itself", ge=1)
    requests_per_minute: float | None = option(None, "highest rate of requests; null: as fast as they are answered", ge=0.1)
    timeout: float = option(60.0, "seconds to wait for an answer", gt=0)
    retries: int = option(6, "how often a request is sent again after a rate limit, a server error or no answer", ge=0, le=100)

    def contradictions(self) -> Iterator[str]:
        """Invalid addresses, and a key in place of its variable's name; messages do not repeat the key."""
        if self.api_key_variable is not None and not re.fullmatch(r"[A-Za-z_]\w*", self.api_key_variable, re.ASCII):
            yield (
                "encoder.api_key_variable is not the name of an environment variable: put the key into one, and give its name, "
                "such as OPENAI_API_KEY"
            )
        try:
            url = urlsplit(self.base_url)
            usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
        except ValueError:
            usable = False
        if not usable:
            yield f"encoder.base_url={self.base_url} is not an address: it must be http://HOST/PATH or https://HOST/PATH"
        elif url.username is not None or url.password is not None:
            yield "encoder.base_url has a user or password: leave them out, and name the variable of a key in encoder.api_key_variable"
        elif url.query or url.fragment:
            yield f"encoder.base_url={self.base_url} must end with its path, because '/embeddings' is appended to it"
        elif url.path.rstrip("/").endswith("/embeddings"):
            yield f"encoder.base_url={self.base_url}: leave out '/embeddings', which is appended to it"

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The vectors of the texts, where the length is asked for."""
        length = self.dimensions or 0
        yield MemoryNeed(f"encoder.dimensions={length}", f"the vectors of {sizes.texts:,} texts", FLOAT * sizes.texts * length)
