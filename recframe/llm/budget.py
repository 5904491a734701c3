"""What a chat has used, and the limits of it: a call that would exceed one is not made."""

from __future__ import annotations

from dataclasses import dataclass

from recframe.errors import UserError
from recframe.llm.config import ChatConfig
from recframe.llm.messages import Completion, Request

BYTES_PER_TOKEN = 3
"""Of texts in most languages, a token is at least so many bytes long on average; with a few tokens for each message."""
TOKENS_PER_MESSAGE = 8


class BudgetExhausted(UserError):
    """The next call of a language model would exceed a limit. Everything answered before is in the cache, so that it is not lost."""


@dataclass(frozen=True)
class Usage:
    """What a chat has used so far.

    calls: of the model.   cached: prompts that were answered from the cache.   tokens_in, tokens_out: of calls.
    cost: in the currency of the prices.
    """

    calls: int = 0
    cached: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0


class Budget:
    """Counts calls, tokens and cost against the limits of a config, including calls that are under way.

    A call under way counts with the most that it can use: its prompt, estimated, and `max_tokens`.

    Parameters
    ----------
    section: where the limits are, for messages.   kept: where answers are kept, in words.
    """

    def __init__(self, config: ChatConfig, section: str, kept: str) -> None:
        self._config = config
        self._section = section
        self._kept = kept
        self.calls = self.cached = self.tokens_in = self.tokens_out = 0
        self._open_calls = self._open_in = self._open_out = 0

    @property
    def usage(self) -> Usage:
        """What was used so far, without calls that are under way."""
        return Usage(self.calls, self.cached, self.tokens_in, self.tokens_out, self._cost(self.tokens_in, self.tokens_out))

    def reserve(self, request: Request) -> bool:
        """Count a call as under way, if it would exceed no limit; returns whether it may be made."""
        before = self._open_calls, self._open_in, self._open_out
        self._open_calls += 1
        self._open_in += estimated_tokens(request)
        self._open_out += request.max_tokens
        if self._exceeded() is None:
            return True
        self._open_calls, self._open_in, self._open_out = before
        return False

    def settle(self, request: Request, completion: Completion | None) -> None:
        """Count what a call under way has used; None: it failed."""
        self._open_calls -= 1
        self._open_in -= estimated_tokens(request)
        self._open_out -= request.max_tokens
        if completion is not None:
            self.calls += 1
            self.tokens_in += completion.tokens_in
            self.tokens_out += completion.tokens_out

    def exhausted(self, request: Request) -> BudgetExhausted:
        """The error for a request that may not be made, with no call under way."""
        self._open_calls, self._open_in, self._open_out = 1, estimated_tokens(request), request.max_tokens
        limit = self._exceeded()
        self._open_calls = self._open_in = self._open_out = 0
        used = f"{self.calls:,} calls, {self.tokens_in + self.tokens_out:,} tokens, cost {self._cost(self.tokens_in, self.tokens_out):.4g}"
        return BudgetExhausted(
            f"{self._section}.{limit}: the next call of the model would exceed it (used so far: {used}); {self._kept}; "
            "go on with the same command, which counts anew, and with a higher limit if you like"
        )

    def _exceeded(self) -> str | None:
        """The limit that is exceeded if all calls under way use the most that they can, as `name=value`; None: no limit is."""
        config = self._config
        tokens_in, tokens_out = self.tokens_in + self._open_in, self.tokens_out + self._open_out
        used = {
            "max_calls": self.calls + self._open_calls,
            "max_tokens_total": tokens_in + tokens_out,
            "max_cost": self._cost(tokens_in, tokens_out),
        }
        limits = {name: getattr(config, name) for name in used}
        return next((f"{name}={limit}" for name, limit in limits.items() if limit is not None and used[name] > limit), None)

    def _cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self._config.price_in + tokens_out * self._config.price_out) / 1_000_000


def estimated_tokens(request: Request) -> int:
    """The tokens of a request's prompt, before a model has counted them; rarely less than it will count."""
    return request.texts // BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * len(request.messages) + 1
