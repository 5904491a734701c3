"""Options of whatever sends requests to a model's endpoint, and what is wrong with an address. Imports no torch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from recframe.components import option


@dataclass
class EndpointOptions:
    """How requests are sent to an endpoint, and with which key."""

    api_key_variable: str | None = option(
        None,
        "name of the environment variable that holds the API key, such as OPENAI_API_KEY; null: no key is sent",
        variable=True,
        determines=False,
    )
    requests_per_minute: float | None = option(
        None, "highest rate of requests; null: as fast as they are answered", ge=0.1, determines=False
    )
    timeout: float = option(60.0, "seconds to wait for an answer", gt=0, determines=False)
    retries: int = option(
        6, "how often a request is sent again after a rate limit, a server error or no answer", ge=0, le=100, determines=False
    )


def endpoint_problems(base_url: str, api_key_variable: str | None, section: str, path: str) -> Iterator[str]:
    """Invalid addresses, and a key in place of its variable's name; messages do not repeat the key.

    Parameters
    ----------
    section: of the options, such as "encoder".   path: what is appended to the address, such as "/embeddings".
    """
    if api_key_variable is not None and not re.fullmatch(r"[A-Za-z_]\w*", api_key_variable, re.ASCII):
        yield (
            f"{section}.api_key_variable is not the name of an environment variable: put the key into one, and give its name, "
            "such as OPENAI_API_KEY"
        )
    where = f"{section}.base_url"
    try:
        url = urlsplit(base_url)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable:
        yield f"{where}={base_url} is not an address: it must be http://HOST/PATH or https://HOST/PATH"
    elif url.username is not None or url.password is not None:
        yield f"{where} has a user or password: leave them out, and name the variable of a key in {section}.api_key_variable"
    elif url.query or url.fragment:
        yield f"{where}={base_url} must end with its path, because '{path}' is appended to it"
    elif url.path.rstrip("/").endswith(path):
        yield f"{where}={base_url}: leave out '{path}', which is appended to it"
