"""`Chat`: one kind of access to a language model that answers prompts, for environments, rewards and agents alike."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

from recframe.endpoints.clock import Clock
from recframe.errors import ModelError
from recframe.files import usual_cache
from recframe.llm.backend import ChatBackend
from recframe.llm.budget import Budget, Usage
from recframe.llm.cache import AnswerCache, request_key
from recframe.llm.config import ChatConfig
from recframe.llm.messages import Answer, Completion, Message, Prompt, Request
from recframe.llm.schema import Schema, shortened

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

MOST_LOGPROBS = 20
"""Of how many tokens endpoints give probabilities, at the most."""


class Chat:
    """Asks a language model: an endpoint, or a model that is loaded when it is first asked.

    What was answered before is taken from the cache, without a call and byte for byte, so that a run that is repeated, resumed or compared
    with another one asks only what is new. A prompt that occurs several times is asked once.

    Parameters
    ----------
    key: the section of the config, such as "environment.llm", for messages.   clock: the time and how to wait; tests pass their own.
    backend: answers in place of the config's model.

    Raises
    ------
    recframe.errors.ModelError: when it is asked, if the model cannot be found, reached or used; one line that says what to do.
    recframe.llm.BudgetExhausted: when it is asked, before the call that would exceed a limit. Answers before it are kept.
    """

    def __init__(self, config: ChatConfig, key: str = "llm", clock: Clock | None = None, backend: ChatBackend | None = None) -> None:
        self.config = config
        self.key = key
        self._clock = clock or Clock()
        if backend is not None:
            self._backend = backend  # takes the place of the cached property
        folder = usual_cache() / "llm" if config.cache is None else Path(config.cache).expanduser()
        self._cache = None if config.replay == "off" else AnswerCache(folder, f"{key}.cache={folder}")
        kept = "answers are not kept (replay=off)" if self._cache is None else f"all answers so far are kept in {folder}"
        self._budget = Budget(config, key, kept)
        self._chosen = self._unclear = self._told = 0

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        return self._budget.usage

    def ask(self, prompts: Sequence[Prompt], schema: Schema | None = None) -> list[Answer]:
        """The answers to prompts, in their order.

        With a schema, the model is told of it; an answer that is not as asked for is asked again, up to `ask_again` times, with what was
        wrong. One that is still wrong has a `problem` and no `value`.
        """
        conversations = [self._conversation(prompt, schema) for prompt in prompts]
        answers: list[Answer | None] = [None] * len(prompts)
        open_rows = list(range(len(prompts)))
        for attempt in range(self.config.ask_again + 1):
            requests = [self._request(conversations[row], schema) for row in open_rows]
            again = []
            for row, (completion, cached) in zip(open_rows, self._completions(requests), strict=True):
                answer = self._read(completion, cached, schema)
                before = answers[row]
                answers[row] = answer if before is None else _together(before, answer)
                if answer.problem is not None and schema is not None and attempt < self.config.ask_again:
                    again.append(row)
                    wrong = f"That is not as asked for: {answer.problem}. {schema.instruction}"
                    conversations[row] += (Message("assistant", completion.text), Message("user", wrong))
            open_rows = again
        return [answer for answer in answers if answer is not None]

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> Tensor:
        """The probabilities of the options, `[n, len(options)]` float32, each row with sum 1: how the answer to the prompt begins.

        A model that is loaded here gives them exactly, from the probabilities of the option's tokens after the prompt. An endpoint gives
        those of the first token, if it gives probabilities, at least half of them to options, and these tell the options apart; else its
        answer has probability one. An answer that begins with none of the options gives each the same, with a warning at the first and each
        time their number has doubled.

        Raises
        ------
        ValueError: if there are fewer than two options, or one is empty or begins with another.
        """
        import torch

        _check_options(options)
        max_tokens = 0 if self.config.base_url is None else self.config.max_tokens
        requests = [self._request(self._conversation(prompt, None), None, tuple(options), max_tokens) for prompt in prompts]
        found = [completion.probabilities for completion, _ in self._completions(requests)]
        unclear = sum(len(row) != len(options) for row in found)
        self._chosen += len(found)
        self._unclear += unclear
        if unclear and self._unclear >= 2 * self._told:
            self._told = self._unclear
            named = ", ".join(map(repr, options))
            log.warning("%s: %d of %d answers begin with none of %s", self.key, self._unclear, self._chosen, named)
        even = (1.0 / len(options),) * len(options)
        rows = [row if len(row) == len(options) else even for row in found]
        return torch.tensor(rows, dtype=torch.float32).reshape(len(prompts), len(options))

    @cached_property
    def _backend(self) -> ChatBackend:
        if self.config.base_url is not None:
            from recframe.llm.remote import RemoteModel

            return RemoteModel(self.config, self.config.base_url, self.key, self._clock)
        from recframe.llm.local import LocalModel

        return LocalModel(self.config, self.key)

    def _conversation(self, prompt: Prompt, schema: Schema | None) -> tuple[Message, ...]:
        system = "\n\n".join(part for part in (prompt.system, schema.instruction if schema else "") if part)
        return (*([Message("system", system)] if system else []), Message("user", prompt.user))

    def _request(
        self, messages: tuple[Message, ...], schema: Schema | None, options: tuple[str, ...] = (), max_tokens: int | None = None
    ) -> Request:
        config = self.config
        length = config.max_tokens if max_tokens is None else max_tokens
        told = None if schema is None or config.response_format == "text" else {"type": config.response_format, **_named(schema, config)}
        # nothing is drawn at temperature zero, so that the seed does not matter
        # without probabilities an answer counts as certain, so that the two are not the same question
        top = None if not options or config.base_url is None else MOST_LOGPROBS if config.logprobs else 0
        return Request(messages, length, config.temperature, config.seed if config.temperature else 0, options, told, top)

    def _completions(self, requests: Sequence[Request]) -> list[tuple[Completion, bool]]:
        """The completion of each request, and whether it was in the cache."""
        keys = [request_key(self._backend.identity, request) for request in requests]
        known: dict[str, Completion] = {}
        missing: dict[str, Request] = {}
        for key, request in zip(keys, requests, strict=True):
            if key in known or key in missing:
                continue
            found = None if self._cache is None else self._cache.get(key)
            if found is None:
                missing[key] = request
            else:
                known[key] = found
        if missing and self.config.replay == "only":
            assert self._cache is not None
            raise ModelError(
                f"{self.key}.replay=only: {len(missing):,} of {len(set(keys)):,} prompts were not answered before, according to "
                f"{self._cache.path}; set {self.key}.replay=use to ask the model"
            )
        cached, asked = set(known), list(missing)
        for number, completion in self._backend.complete(list(missing.values()), self._budget) if missing else ():
            if self._cache is not None:
                self._cache.put(asked[number], completion)
            known[asked[number]] = completion
        self._budget.cached += sum(key in cached for key in keys)
        return [(known[key], key in cached) for key in keys]

    def _read(self, completion: Completion, cached: bool, schema: Schema | None) -> Answer:
        value, problem = (None, None) if schema is None else schema.read(completion.text)
        if not completion.text.strip():
            problem = "the model wrote nothing"
        elif problem is not None and completion.cut:
            problem = f"cut off after max_tokens={self.config.max_tokens}: {shortened(completion.text)}"
        return Answer(completion.text, value, cached, completion.tokens_in, completion.tokens_out, problem)


def _named(schema: Schema, config: ChatConfig) -> dict[str, object]:
    """What an endpoint's `response_format` holds besides its type."""
    return {"json_schema": {"name": "answer", "schema": dict(schema.definition)}} if config.response_format == "json_schema" else {}


def _together(before: Answer, answer: Answer) -> Answer:
    """The later answer, with the tokens of both, cached only if both are."""
    tokens = before.tokens_in + answer.tokens_in, before.tokens_out + answer.tokens_out
    return Answer(answer.text, answer.value, before.cached and answer.cached, *tokens, answer.problem)


def _check_options(options: Sequence[str]) -> None:
    if len(options) < 2 or not all(options):
        raise ValueError(f"at least two options that are not empty are needed, not {json.dumps(list(options))}")
    for one, other in permutations(options, 2):
        if other.startswith(one):
            raise ValueError(f"the option {other!r} begins with the option {one!r}, so that their probabilities overlap")
