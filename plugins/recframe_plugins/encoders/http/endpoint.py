"""A client of an embeddings endpoint."""

from __future__ import annotations

import os
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError, TimeoutError

from recframe.interfaces import EncoderError
from recframe_plugins.encoders.http.config import HttpEmbeddingsConfig
from recframe_plugins.encoders.http.retries import LONGEST_ASKED_WAIT, RETRIED_STATUSES, Clock, EndpointRetry, RateLimit, Server

SHOWN = 200
"""Characters of a server's answer that a message repeats."""


class Endpoint:
    """Sends POST requests to `{base_url}/embeddings`, with the retries of `EndpointRetry`.

    Redirects are refused, because the texts and the key are meant for the configured host only. The API key is read from the environment
    when the first request is sent, and kept out of messages.
    """

    def __init__(self, config: HttpEmbeddingsConfig, clock: Clock) -> None:
        self.config = config
        self.url = f"{config.base_url.rstrip('/')}/embeddings"
        self._where = f"encoder.base_url={config.base_url}"
        self._server = Server(clock, RateLimit(config.requests_per_minute, clock))
        self._retry = EndpointRetry.of(config.retries, self._server)
        self._adapter = HTTPAdapter()
        self._session: requests.Session | None = None
        self._key: str | None = None

    def post(self, body: dict[str, Any]) -> Any:
        """The JSON of the answer.

        Raises
        ------
        EncoderError: one line that says what was refused, or how often it was tried.
        """
        session = self._opened()
        self._server.rate_limit.wait()
        try:
            response = self._answer(session, body)
        except requests.exceptions.RequestException as error:
            raise EncoderError(f"{self._where}: {self._failure(error)}") from None
        if response.status_code in RETRIED_STATUSES:
            raise EncoderError(f"{self._where}: answered {response.status_code}{self._given_up(response)}; try later")
        if not 200 <= response.status_code < 300:
            raise EncoderError(self._refusal(response))
        try:
            return response.json()
        except ValueError:
            raise EncoderError(f"{self._where}: the answer is not JSON: {self._shown(response.text)}") from None

    def _answer(self, session: requests.Session, body: dict[str, Any]) -> requests.Response:
        """The complete answer to a request that is sent as often as `EndpointRetry` allows.

        urllib3 sends a request again until its answer begins. If the answer then breaks off, the retries that are left are used here.
        """
        retry = self._retry
        while True:
            self._adapter.max_retries = retry
            options: dict[str, Any] = {"timeout": self.config.timeout, "allow_redirects": False, "auth": self._sign, "stream": True}
            response = session.post(self.url, json=body, **options)
            self._server.answered = True
            try:
                _ = response.content
            except requests.exceptions.RequestException as error:
                try:
                    retry = response.raw.retries.increment("POST", self.url, error=error)
                except MaxRetryError:
                    raise error from None
                retry.sleep()
            else:
                return response

    def _failure(self, error: requests.exceptions.RequestException) -> str:
        """Why there is no answer."""
        if isinstance(error, (requests.exceptions.SSLError, requests.exceptions.ProxyError, requests.exceptions.InvalidURL)):
            return f"no trusted connection: {self._shown(str(error))}"
        cause = error.args[0] if error.args else None
        reason = getattr(cause, "reason", cause)
        if isinstance(reason, NewConnectionError) and not self._server.answered:
            return "no server answers there; is it running, and is the address right?"
        timed_out = isinstance(error, requests.exceptions.Timeout) or isinstance(reason, TimeoutError)
        lost = isinstance(reason, NewConnectionError) or not timed_out
        problem = "the connection was lost" if lost else f"no answer within {self.config.timeout:g} s"
        return f"{problem}{self._times()}; try later"

    def _given_up(self, response: requests.Response) -> str:
        """Why a request that failed with a status that is retried is not sent again."""
        asked = self._retry.get_retry_after(response.raw)
        if asked is not None and asked > LONGEST_ASKED_WAIT:
            return f" and asks to wait for more than {LONGEST_ASKED_WAIT:.0f} s"
        return f"{self._words(response)}{self._times()}"

    def _times(self) -> str:
        return f", {self.config.retries + 1} time(s)"

    def _refusal(self, response: requests.Response) -> str:
        config, status = self.config, response.status_code
        if 300 <= status < 400:
            location = self._shown(response.headers.get("Location", "nowhere"))
            return f"{self._where}: answered {status}, a redirect to {location}, which is not followed; set the final address"
        if status in (401, 403):
            # the server's message is left out, because some servers repeat the key
            variable = config.api_key_variable
            remedy = (
                f"the API key in the environment variable {variable} is not accepted"
                if variable
                else "it requires an API key: put it in an environment variable and set encoder.api_key_variable to its name"
            )
            return f"{self._where}: answered {status}: {remedy}"
        if status == 404:
            return f"encoder.model={config.model}: {self.url} answered 404: no such model, or no embeddings endpoint{self._words(response)}"
        return f"{self._where}: answered {status}{self._words(response)}"

    def _opened(self) -> requests.Session:
        if self._session is None:
            variable = self.config.api_key_variable
            if variable is not None:
                key = os.environ.get(variable, "").strip()
                if not key:
                    raise EncoderError(f"encoder.api_key_variable={variable}: there is no such environment variable, or it is empty")
                if not (key.isascii() and key.isprintable()) or " " in key:
                    raise EncoderError(f"encoder.api_key_variable={variable}: its value is not a key: it has blanks or special characters")
                self._key = key
            self._session = requests.Session()
            for scheme in ("http://", "https://"):
                self._session.mount(scheme, self._adapter)
        return self._session

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key to the request. An `auth` callable also keeps requests from using another key, such as one in ~/.netrc."""
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _words(self, response: requests.Response) -> str:
        """The server's own message."""
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
