"""Options of the encoder that asks a server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from omegaconf import MISSING

from recframe.components import option


@dataclass
class HttpEmbeddingsConfig:
    """A model behind an OpenAI-compatible embeddings endpoint, in the cloud or on a server of one's own."""

    base_url: str = option(
        MISSING, "the endpoint's address without /embeddings, such as https://api.openai.com/v1 or http://localhost:8080/v1"
    )
    model: str = option(MISSING, "what the endpoint calls the model")
    dimensions: int | None = option(None, "length of vectors to ask for, of models that can shorten theirs; null: the model's own", ge=1)
    api_key_variable: str | None = option(
        None, "name of the environment variable that holds the API key, such as OPENAI_API_KEY; null: none is sent"
    )
    normalize: bool = option(True, "scale vectors to length one")
    item_prompt: str = option("", "put before every item's text, for models trained with prompts (such as 'passage: ')")
    user_prompt: str = option("", "put before every user's profile (such as 'query: ')")
    context_prompt: str = option("", "put before every visit's context")
    batch_size: int = option(64, "texts in one request", ge=1)
    batch_characters: int = option(100_000, "characters in one request; a longer text goes alone", ge=1)
    requests_per_minute: float | None = option(None, "requests are sent at most at this rate; null: as fast as they are answered", gt=0)
    timeout: float = option(60.0, "seconds to wait for an answer", gt=0)
    retries: int = option(6, "how often a request is sent again that met a limit, a fault of the server or no answer", ge=0)

    def contradictions(self) -> Iterator[str]:
        """Addresses that are none, or hold what belongs elsewhere; a key in place of its variable's name, which is not repeated."""
        if self.api_key_variable is not None and not re.fullmatch(r"[A-Za-z_]\w*", self.api_key_variable, re.ASCII):
            yield (
                "encoder.api_key_variable is no name of an environment variable: put the key into one, and give its name, "
                "such as OPENAI_API_KEY"
            )
        try:
            url = urlsplit(self.base_url)
            usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
        except ValueError:
            usable = False
        if not usable:
            yield f"encoder.base_url={self.base_url} is no address: it must be http://HOST/PATH or https://HOST/PATH"
        elif url.username is not None or url.password is not None:
            yield "encoder.base_url holds a user or password: leave them out, and name the variable of a key in encoder.api_key_variable"
        elif url.query or url.fragment:
            yield f"encoder.base_url={self.base_url} must end with its path: '/embeddings' is put behind it"
        elif url.path.rstrip("/").endswith("/embeddings"):
            yield f"encoder.base_url={self.base_url}: leave out '/embeddings', it is put behind it"
