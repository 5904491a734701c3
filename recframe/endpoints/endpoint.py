"""A client of a model's endpoint."""

from __future__ import annotations

import os
import threading
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError, TimeoutError

from recframe.endpoints.clock import Clock
from recframe.endpoints.options import EndpointOptions
from recframe.endpoints.retries import LONGEST_ASKED_WAIT, RETRIED_STATUSES, EndpointRetry, RateLimit, Server
from recframe.errors import ModelError

SHOWN = 200
"""Characters of a server's answer that a message repeats."""


class Endpoint:
    """Sends POST requests to one address, with the retries of `EndpointRetry`. Threads may send requests at once.

    Redirects are refused, because the texts and the key are meant for the configured host only. The API key is read from the environment
    when the first request is sent, and kept out of messages.

    Parameters
    ----------
    base_url, path: the address is one after the other.   model: the endpoint's name for the model, for messages.
    section: where the options are, such as "encoder", for messages.
    """

    def __init__(self, options: EndpointOptions, base_url: str, path: str, model: str, section: str, clock: Clock) -> None:
        self.options = options
        self.url = f"{base_url.rstrip('/')}{path}"
        self._what = path.strip("/").replace("/", " ")
        self._model = f"{section}.model={model}"
        self._section = section
        self._where = f"{section}.base_url={base_url}"
        self._server = Server(clock, RateLimit(options.requests_per_minute, clock))
        self._retry = EndpointRetry.of(options.retries, self._server)
        self._threads = threading.local()
        self._key: str | None = None

    def post(self, body: dict[str, Any]) -> Any:
        """The JSON of the answer.

        Raises
        ------
        ModelError: one line that says what was refused, or how often it was tried.
        """
        session = self._opened()
        self._server.rate_limit.wait()
        try:
            response = self._answer(session, body)
        except requests.exceptions.RequestException as error:
            raise ModelError(f"{self._where}: {self._failure(error)}") from None
        if response.status_code in RETRIED_STATUSES:
            raise ModelError(f"{self._where}: answered {response.status_code}{self._given_up(response)}; try later")
        if not 200 <= response.status_code < 300:
            raise ModelError(self._refusal(response))
        try:
            return response.json()
        except ValueError:
            raise ModelError(f"{self._where}: the answer is not JSON: {self._shown(response.text)}") from None

    def _answer(self, session: requests.Session, body: dict[str, Any]) -> requests.Response:
        """The complete answer to a request that is sent as often as `EndpointRetry` allows.

        urllib3 sends a request again until its answer begins. If the answer then breaks off, the retries that are left are used here.
        """
        retry = self._retry
        while True:
            self._threads.adapter.max_retries = retry
            options: dict[str, Any] = {"timeout": self.options.timeout, "allow_redirects": False, "auth": self._sign, "stream": True}
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
        problem = "the connection was lost" if lost else f"no answer within {self.options.timeout:g} s"
        return f"{problem}{self._times()}; try later"

    def _given_up(self, response: requests.Response) -> str:
        """Why a request that failed with a status that is retried is not sent again."""
        asked = self._retry.get_retry_after(response.raw)
        if asked is not None and asked > LONGEST_ASKED_WAIT:
            return f" and asks to wait for more than {LONGEST_ASKED_WAIT:.0f} s"
        return f"{self._words(response)}{self._times()}"

    def _times(self) -> str:
        return f", {self.options.retries + 1} time(s)"

    def _refusal(self, response: requests.Response) -> str:
        status = response.status_code
        if 300 <= status < 400:
            location = self._shown(response.headers.get("Location", "nowhere"))
            return f"{self._where}: answered {status}, a redirect to {location}, which is not followed; set the final address"
        if status in (401, 403):
            # the server's message is left out, because some servers repeat the key
            variable = self.options.api_key_variable
            remedy = (
                f"the API key in the environment variable {variable} is not accepted"
                if variable
                else f"it requires an API key: put it in an environment variable and set {self._section}.api_key_variable to its name"
            )
            return f"{self._where}: answered {status}: {remedy}"
        if status == 404:
            return f"{self._model}: {self.url} answered 404: no such model, or no {self._what} endpoint{self._words(response)}"
        return f"{self._where}: answered {status}{self._words(response)}"

    def _opened(self) -> requests.Session:
        """The session of the calling thread, as sessions are not made for several."""
        if not hasattr(self._threads, "session"):
            self._key = self._read_key()
            self._threads.adapter = HTTPAdapter()
            self._threads.session = requests.Session()
            for scheme in ("http://", "https://"):
                self._threads.session.mount(scheme, self._threads.adapter)
        session: requests.Session = self._threads.session
        return session

    def _read_key(self) -> str | None:
        variable = self.options.api_key_variable
        if variable is None:
            return None
        key = os.environ.get(variable, "").strip()
        where = f"{self._section}.api_key_variable={variable}"
        if not key:
            raise ModelError(f"{where}: there is no such environment variable, or it is empty")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ModelError(f"{where}: its value is not a key: it has blanks or special characters")
        return key

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key to the request. An `auth` callable also keeps requests from using another key, such as one in ~/.netrc."""
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def without_key(self, text: str) -> str:
        """A text in which the key is replaced: a server may repeat it."""
        return text.replace(self._key, "***") if self._key else text

    def words_of(self, answer: Any) -> str:
        """The message in a server's answer, in one short line; empty if it has none."""
        error = answer.get("error", answer) if isinstance(answer, dict) else answer
        message = error.get("message", error) if isinstance(error, dict) else error
        return self._shown(str(message)) if message else ""

    def _words(self, response: requests.Response) -> str:
        """The server's own message."""
        try:
            answer = response.json()
        except ValueError:
            answer = response.text
        words = self.words_of(answer)
        return f": {words}" if words else ""

    def _shown(self, words: str) -> str:
        words = self.without_key(" ".join(words.split()))
        return words if len(words) <= SHOWN else f"{words[:SHOWN]}..."
