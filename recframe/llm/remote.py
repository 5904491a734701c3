"""A model behind an OpenAI-compatible endpoint: `POST {base_url}/chat/completions`."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import cached_property
from typing import Any

from recframe.endpoints.clock import Clock
from recframe.endpoints.endpoint import Endpoint
from recframe.errors import ModelError
from recframe.llm.backend import ChatBackend
from recframe.llm.budget import Budget, estimated_tokens
from recframe.llm.config import CHAT, ChatConfig
from recframe.llm.messages import Completion, Request

LEAST_MASS = 0.5
"""The probability that the first token begins an option at all. With less of it, what the model would rather say decides."""
FORM = '{"choices": [{"message": {"content": "..."}}]}'


class RemoteModel(ChatBackend):
    """Sends up to `requests_at_once` requests at once, with the retries and the rate of `Endpoint`.

    If one fails for good, no more are sent; those that were under way are still given.
    """

    def __init__(self, config: ChatConfig, base_url: str, section: str, clock: Clock) -> None:
        self._config = config
        self._base_url = base_url
        self._where = f"{section}.base_url={base_url}"
        self._stopped = threading.Event()
        self._endpoint = Endpoint(config, base_url, CHAT, config.model, section, replace(clock, sleep=self._sleep(clock)))

    @property
    def identity(self) -> Mapping[str, Any]:
        """The address and the endpoint's name for the model. It does not notice if the server changes the model."""
        return {"url": self._endpoint.url, "model": self._config.model}

    def complete(self, requests: Sequence[Request], budget: Budget) -> Iterator[tuple[int, Completion]]:
        """Answers as they arrive, by the number of the request."""
        self._stopped.clear()
        waiting = deque(enumerate(requests))
        under_way: dict[Future[Completion], int] = {}
        failure: Exception | None = None
        try:
            while under_way or (waiting and failure is None):
                while waiting and failure is None and len(under_way) < self._config.requests_at_once and budget.reserve(waiting[0][1]):
                    number, request = waiting.popleft()
                    under_way[self._pool.submit(self._answer, request)] = number
                if not under_way:
                    raise budget.exhausted(waiting[0][1])
                for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                    number = under_way.pop(done)
                    error = done.exception()
                    completion = None if error is not None else done.result()
                    budget.settle(requests[number], completion)
                    if completion is not None:
                        yield number, completion
                    elif failure is None and isinstance(error, Exception):
                        failure = error
                        self._stopped.set()
            if failure is not None:
                raise failure
        finally:
            # nobody waits for these any more
            self._stopped.set()
            for future, number in under_way.items():
                future.cancel()
                budget.settle(requests[number], None)
            wait(under_way)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """Threads that stay, as each keeps its connection."""
        return ThreadPoolExecutor(self._config.requests_at_once, thread_name_prefix="recframe-llm")

    def _sleep(self, clock: Clock) -> Any:
        """The clock's way to wait, which ends when nobody waits for an answer any more."""

        def sleep(seconds: float) -> None:
            if clock.sleep is Clock.sleep:
                self._stopped.wait(seconds)
            else:
                clock.sleep(seconds)
            if self._stopped.is_set():
                raise ModelError(f"{self._where}: given up, because another request failed")

        return sleep

    def _answer(self, request: Request) -> Completion:
        config = self._config
        body: dict[str, Any] = {
            "model": config.model,
            "messages": [{"role": message.role, "content": message.text} for message in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
        }
        if request.temperature:
            body["seed"] = request.seed
        if request.response_format is not None:
            body["response_format"] = request.response_format
        if request.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        return self._read(self._endpoint.post(body), request)

    def _read(self, answer: Any, request: Request) -> Completion:
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"]
            if not isinstance(text, (str, type(None))):
                raise TypeError(f"content is {type(text).__name__}")
            used = answer.get("usage") or {}
            given = (choice.get("logprobs") or {}).get("content") or []
            top = {str(one["token"]): float(one["logprob"]) for one in (given[0]["top_logprobs"] if given else [])}
            tokens_in = int(used.get("prompt_tokens", estimated_tokens(request)))
            tokens_out = int(used.get("completion_tokens", len((text or "").encode("utf-8", "surrogatepass")) // 3 + 1))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            words = self._endpoint.words_of(answer)
            raise ModelError(f"{self._where}: the answer does not have the form {FORM}: {words or repr(error)[:80]}") from None
        # some servers repeat the key
        text = self._endpoint.without_key(text or "")
        return Completion(text, tokens_in, tokens_out, choice.get("finish_reason") == "length", _probabilities(text, top, request.options))


def _probabilities(text: str, top: Mapping[str, float], options: Sequence[str]) -> tuple[float, ...]:
    """The probabilities of the options; empty: the answer begins with none.

    By the first token, where it is more likely than not to begin an option, and tells them apart; or else by the text.
    """
    mass = [0.0] * len(options)
    clear = True
    for token, logprob in top.items():
        if fitting := [place for place, option in enumerate(options) if _begins(option, token)]:
            clear &= len(fitting) == 1
            mass[fitting[0]] += math.exp(logprob)
    if clear and sum(mass) >= LEAST_MASS:
        return tuple(one / sum(mass) for one in mass)
    chosen = [place for place, option in enumerate(options) if _begins(text, option)]
    return tuple(float(place == chosen[0]) for place in range(len(options))) if chosen else ()


def _begins(text: str, begin: str) -> bool:
    """Whether a text begins with something that is not blank, whatever the case and the space around it."""
    begin = begin.strip().casefold()
    return bool(begin) and text.strip().casefold().startswith(begin)
