"""Sending requests to an embeddings endpoint: no faster than allowed, again where that may help, and never to another host."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from urllib3.exceptions import NewConnectionError

from recframe.interfaces import EncoderError
from recframe_plugins.encoders.http.config import HttpEmbeddingsConfig

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before a request is sent again: doubled each time, from the first up to the longest."""
LONGEST_ASKED_WAIT = 600.0
"""A server that asks for a longer wait than this is not waited for."""
SHOWN = 200
"""Characters of a server's own words in a message."""


@dataclass(frozen=True)
class Clock:
    """Time and luck, as a test may replace them.

    monotonic: seconds that never go back.   wall: seconds since 1970.   sleep: waits.   luck: uniform in [0, 1).
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    # of its own: a run's generators must not be touched, and processes that were refused together must not come back together
    luck: Callable[[], float] = random.Random().random  # noqa: S311


class Endpoint:
    """POSTs to `{base_url}/embeddings`.

    A request is sent again after 408, 429, 5xx and time-outs, up to `config.retries` times, after a wait that doubles each time, of
    which a random half is taken off (Brooker, 2015, "Exponential Backoff and Jitter"), or as long as `Retry-After` says. Redirections
    are refused: the texts and the key are for the host that was named.

    The API key is read from the environment when the first request is sent. It is kept out of messages.
    """

    def __init__(self, config: HttpEmbeddingsConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.url = f"{config.base_url.rstrip('/')}/embeddings"
        self._session: requests.Session | None = None
        self._key: str | None = None
        self._earliest = -float("inf")
        self._answered = False

    def post(self, body: dict[str, Any]) -> Any:
        """The JSON of the answer.

        Raises
        ------
        EncoderError: one line that says what was refused, or how often it was tried.
        """
        for attempt in range(self.config.retries + 1):
            self._keep_to_rate()
            problem, asked = self._try(body)
            if isinstance(problem, requests.Response):
                return self._decoded(problem)
            if attempt < self.config.retries:
                self.clock.sleep(self._wait(attempt) if asked is None else asked)
        raise EncoderError(f"encoder.base_url={self.config.base_url}: {problem}, {self.config.retries + 1} time(s); try later")

    def _try(self, body: dict[str, Any]) -> tuple[requests.Response | str, float | None]:
        """A good answer; or what was wrong, where trying again may help, and how long the server asked to wait.

        Raises
        ------
        EncoderError: where trying again would not help.
        """
        where = f"encoder.base_url={self.config.base_url}"
        try:
            response = self._opened().post(self.url, json=body, timeout=self.config.timeout, allow_redirects=False, auth=self._sign)
        except requests.exceptions.Timeout:
            return f"no answer within {self.config.timeout:g} s", None
        except (requests.exceptions.SSLError, requests.exceptions.ProxyError, requests.exceptions.InvalidURL) as error:
            raise EncoderError(f"{where}: no connection to be trusted: {self._shown(str(error))}") from None
        except requests.exceptions.RequestException as error:
            # a server that is not there at the start is a wrong address; one that goes away may come back
            if not self._answered and _unreachable(error):
                raise EncoderError(f"{where}: nothing answers there; is the server running, and the address right?") from None
            return "the connection was lost", None
        self._answered = True
        status = response.status_code
        if status in (408, 429) or status >= 500:
            asked = self._asked_wait(response)
            if asked is not None and asked > LONGEST_ASKED_WAIT:
                raise EncoderError(f"{where}: answered {status} and asks to wait for {asked:.0f} s; try later")
            return f"answered {status}{self._words(response)}", asked
        if not response.ok or response.is_redirect or 300 <= status < 400:
            raise EncoderError(self._refusal(response))
        return response, None

    def _refusal(self, response: requests.Response) -> str:
        config, status = self.config, response.status_code
        where = f"encoder.base_url={config.base_url}"
        if 300 <= status < 400:
            location = response.headers.get("Location", "nowhere")
            return f"{where}: answered {status}, a redirection to {self._shown(location)}, which is not followed; name the right address"
        if status in (401, 403):
            # its words are left out: some servers repeat the key
            variable = config.api_key_variable
            remedy = (
                f"the API key in the environment variable {variable} is not accepted"
                if variable
                else ("it wants an API key: put it in an environment variable and name that in encoder.api_key_variable")
            )
            return f"{where}: answered {status}: {remedy}"
        if status == 404:
            return f"encoder.model={config.model}: {self.url} answered 404: no such model, or no embeddings endpoint{self._words(response)}"
        return f"{where}: answered {status}{self._words(response)}"

    def _decoded(self, response: requests.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise EncoderError(
                f"encoder.base_url={self.config.base_url}: answered with something that is not JSON: {self._shown(response.text)}"
            ) from None

    def _opened(self) -> requests.Session:
        if self._session is None:
            variable = self.config.api_key_variable
            if variable is not None:
                key = os.environ.get(variable, "").strip()
                if not key:
                    raise EncoderError(f"encoder.api_key_variable={variable}: there is no such environment variable, or it is empty")
                if not (key.isascii() and key.isprintable()) or " " in key:
                    raise EncoderError(f"encoder.api_key_variable={variable}: what it holds is no key: it has blanks or special characters")
                self._key = key
            self._session = requests.Session()
        return self._session

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Give the request the key; being asked to, requests looks for no other, such as one in ~/.netrc."""
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _keep_to_rate(self) -> None:
        rate = self.config.requests_per_minute
        if rate is None:
            return
        now = self.clock.monotonic()
        if now < self._earliest:
            self.clock.sleep(self._earliest - now)
        self._earliest = max(now, self._earliest) + 60 / rate

    def _wait(self, attempt: int) -> float:
        return min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) * (1 - self.clock.luck() / 2)

    def _asked_wait(self, response: requests.Response) -> float | None:
        """What `Retry-After` says, in seconds or as a date (RFC 9110, 10.2.3)."""
        asked = response.headers.get("Retry-After", "")
        try:
            seconds = (
                float(asked)
                if asked.strip().replace(".", "", 1).isdigit()
                else parsedate_to_datetime(asked).timestamp() - self.clock.wall()
            )
        except ValueError:
            return None
        return max(seconds, 0.0)

    def _words(self, response: requests.Response) -> str:
        """What the server says itself."""
        try:
            answer = response.json()
        except ValueError:
            answer = response.text
        error = answer.get("error", answer) if isinstance(answer, dict) else answer
        message = error.get("message", error) if isinstance(error, dict) else error
        return f": {self._shown(str(message))}" if message else ""

    def _shown(self, words: str) -> str:
        words = " ".join(words.split())
        words = words.replace(self._key, "***") if self._key else words
        return words if len(words) <= SHOWN else f"{words[:SHOWN]}..."


def _unreachable(error: requests.exceptions.RequestException) -> bool:
    """Whether no connection was made: refused, or there is no such host."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
