"""What is asked of a language model, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Prompt(NamedTuple):
    """What a model is asked: `system` says who it is and how to answer, and may be empty; `user` is the question."""

    system: str
    user: str


class Message(NamedTuple):
    """One turn of a conversation: by the `role` "system", "user" or "assistant"."""

    role: str
    text: str


@dataclass(frozen=True)
class Answer:
    """A model's answer to a prompt.

    text: as the model wrote it.   value: the JSON in it, if it was asked for and is as asked for; else None.
    cached: whether it was answered before, so that nothing was asked.   tokens_in, tokens_out: of prompt and answer, also if cached.
    problem: what is wrong with the answer, in one line; None: nothing.
    """

    text: str
    value: Any = None
    cached: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Request:
    """One call of the model. Everything that the answer depends on, besides the model, is in it.

    options: continuations whose probabilities are asked for; empty: text is to be written.   response_format: for an endpoint, or None.
    top_logprobs: of how many first tokens an endpoint is asked for probabilities, to choose an option; 0: of none, so that its answer
        decides; None: nothing is chosen, or the model is loaded here.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float
    seed: int
    options: tuple[str, ...] = ()
    response_format: Mapping[str, Any] | None = None
    top_logprobs: int | None = None

    def content(self) -> dict[str, Any]:
        """All of it, for JSON."""
        parts = {**asdict(self), "messages": [list(message) for message in self.messages]}
        # most requests have none, and what was answered to them before stays known
        return {name: value for name, value in parts.items() if name != "top_logprobs" or value is not None}

    @property
    def texts(self) -> int:
        """The number of UTF-8 bytes of all messages."""
        return sum(len(message.text.encode("utf-8", "surrogatepass")) for message in self.messages)


@dataclass(frozen=True)
class Completion:
    """What came back from one call, as it is kept.

    probabilities: of the request's options, in order, if it has some.   cut: whether the answer ended at the limit of tokens.
    """

    text: str
    tokens_in: int
    tokens_out: int
    cut: bool = False
    probabilities: tuple[float, ...] = field(default=())
