"""A causal language model that is loaded here, and answers in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

from recframe.errors import ModelError
from recframe.language_models import ModelSource, find_model, load_causal, model_sha256, position_limit
from recframe.llm.backend import ChatBackend
from recframe.llm.budget import Budget
from recframe.llm.config import ChatConfig
from recframe.llm.generation import generate, one_token, option_log_probs
from recframe.llm.messages import Completion, Message, Request


class LocalModel(ChatBackend):
    """Found when its identity is needed, loaded when a request is not in the cache.

    Requests of similar length share a batch of bounded tokens. What else is in a batch changes a token's probability in its last digits,
    and so the choice between two tokens that are equally likely; the cache makes answers repeatable.
    """

    def __init__(self, config: ChatConfig, section: str) -> None:
        self._config = config
        self._key = f"{section}.model"
        self._where = f"{self._key}={config.model}"

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """The contents of the model's files and the precision; not where the files are."""
        return {"files": model_sha256(self._source.folder, self._source.sha256), "dtype": self._config.dtype}

    def complete(self, requests: Sequence[Request], budget: Budget) -> Iterator[tuple[int, Completion]]:
        """Answers, shortest prompts first, a batch at a time, by the number of the request."""
        rows = [self._tokens(request.messages) for request in requests]
        options = [[self._continuation(option) for option in request.options] for request in requests]
        lengths = [
            len(row) + max([request.max_tokens, *map(len, given)]) for row, request, given in zip(rows, requests, options, strict=True)
        ]
        for length, request in zip(lengths, requests, strict=True):
            if self._positions is not None and length > self._positions:
                raise ModelError(
                    f"{self._where}: a prompt and its answer of up to {request.max_tokens} tokens need {length:,} positions, but the model "
                    f"has {self._positions:,}; shorten the prompt or the answer"
                )
        # an option of several tokens is a sequence of its own
        sizes = [length * (1 if one_token([given]) else len(given)) for length, given in zip(lengths, options, strict=True)]
        waiting = sorted(range(len(requests)), key=lambda number: (bool(requests[number].options), sizes[number]))
        while waiting:
            batch = self._reserved(waiting, requests, sizes, budget)
            if not batch:
                raise budget.exhausted(requests[waiting[0]])
            waiting = waiting[len(batch) :]
            done: list[Completion] = []
            try:
                if requests[batch[0]].options:
                    done = self._chosen([rows[number] for number in batch], [options[number] for number in batch])
                else:
                    done = self._written([rows[number] for number in batch], [requests[number] for number in batch])
            finally:
                for place, number in enumerate(batch):
                    budget.settle(requests[number], done[place] if done else None)
            yield from zip(batch, done, strict=True)

    def _reserved(self, waiting: Sequence[int], requests: Sequence[Request], sizes: Sequence[int], budget: Budget) -> list[int]:
        """The next batch: of requests of one kind, within the bound on tokens, and as far as the budget allows.

        sizes: the tokens of each request, which do not decrease from one that waits to the next of its kind.
        """
        batch: list[int] = []
        for number in waiting:
            request = requests[number]
            full = bool(batch) and sizes[number] * (len(batch) + 1) > self._config.batch_tokens
            other = bool(batch) and bool(request.options) != bool(requests[batch[0]].options)
            if full or other or not budget.reserve(request):
                break
            batch.append(number)
        return batch

    def _written(self, rows: list[list[int]], requests: list[Request]) -> list[Completion]:
        config = self._config
        seeds = [_seed(request) for request in requests]
        written = generate(self._model, rows, config.max_tokens, config.temperature, seeds, self._ends, self._padding)
        tokenizer = self._tokenizer
        texts = [str(tokenizer.decode([token for token in row if token not in self._ends], skip_special_tokens=True)) for row in written]
        return [
            Completion(text.strip(), len(row), len(new), cut=new[-1] not in self._ends)
            for text, row, new in zip(texts, rows, written, strict=True)
        ]

    def _chosen(self, rows: list[list[int]], options: list[list[list[int]]]) -> list[Completion]:
        scores = option_log_probs(self._model, rows, options, self._padding)
        return [Completion("", len(row), 0, False, tuple(of_row.softmax(dim=0).tolist())) for row, of_row in zip(rows, scores, strict=True)]

    def _tokens(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of a conversation up to where the answer begins: by the model's chat template, or as plain paragraphs."""
        tokenizer: Any = self._tokenizer
        if tokenizer.chat_template is None:
            text = "\n\n".join(message.text for message in messages) + "\n"
            return [int(token) for token in tokenizer(text, verbose=False)["input_ids"]]
        turns = [{"role": message.role, "content": message.text} for message in messages]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return [int(token) for token in tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]

    def _continuation(self, option: str) -> list[int]:
        tokenizer: Any = self._tokenizer
        return [int(token) for token in tokenizer(option, add_special_tokens=False, verbose=False)["input_ids"]]

    @cached_property
    def _source(self) -> ModelSource:
        config = self._config
        return find_model(config.model, config.revision, config.trust_remote_code, self._key)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        config = self._config
        dtype: torch.dtype = getattr(torch, config.dtype)
        model, tokenizer = load_causal(self._source, config.model, dtype, config.trust_remote_code, self._key)
        device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
        movable: Any = model
        try:
            return movable.to(device), tokenizer
        except (RuntimeError, AssertionError) as error:
            section = self._key.rpartition(".")[0]
            raise ModelError(f"{section}.device={config.device}: {str(error).splitlines()[0]}") from error

    @property
    def _model(self) -> Any:
        return self._loaded[0]

    @property
    def _tokenizer(self) -> Any:
        return self._loaded[1]

    @cached_property
    def _positions(self) -> int | None:
        return position_limit(self._model)

    @cached_property
    def _ends(self) -> frozenset[int]:
        """The tokens that end an answer, according to the tokenizer and the model's files."""
        named: Any = self._model.generation_config.eos_token_id
        ends = [self._tokenizer.eos_token_id, *(named if isinstance(named, list) else [named])]
        return frozenset(int(token) for token in ends if token is not None)

    @property
    def _padding(self) -> int:
        return int(self._tokenizer.pad_token_id)


def _seed(request: Request) -> int:
    """The seed of a request's random draws: of its content, so that they do not depend on what else is asked."""
    digest = hashlib.sha256(repr(request.content()).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big")
