"""Options of the state tracker summaries. Imports no torch; no `from __future__ import annotations`: nested configs are known by types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recframe.components import FLOAT, MemoryNeed, Sizes, option
from recframe.llm.config import ChatConfig

QUESTION = 'What does this person like, and what not? Answer with one short sentence that begins with "This person likes".'


@dataclass
class SummariesConfig:
    """What a person has liked, in a sentence by a language model, beside what another state tracker knows."""

    history_length: int = option(20, "number of shown items, with their feedback, in an observation (H)", ge=1)
    every: int = option(5, "new items after which the sentence is written anew; before there are as many, there is none", ge=1)
    items: int | None = option(None, "last items that a sentence is about; null: as many as can be, history_length less every plus 1", ge=1)
    question: str = option(QUESTION, "what the model is asked about the items and what the person did with them")
    sentence_dim: int = option(32, "numbers of the state that a sentence has", ge=1)
    inner: dict[str, Any] = option(
        {},
        "the tracker that knows the rest, added as +state_tracker@state_tracker.inner.NAME=TRACKER; none: mean with its defaults",
        components=True,
    )
    llm: ChatConfig = option(default_factory=ChatConfig, help="the language model that writes the sentences, and what it may cost")

    @property
    def items_read(self) -> int:
        """The last items that a sentence is about."""
        return self.history_length - self.every + 1 if self.items is None else self.items

    def contradictions(self) -> Iterator[str]:
        """Items that are no longer in the history when a sentence is `every` items old, several inner trackers, and the model's rules."""
        yield from self.llm.problems("state_tracker.llm")
        if self.every > self.history_length:
            yield (
                f"state_tracker.every={self.every} is more than state_tracker.history_length={self.history_length}, the items that an "
                "observation has; lower it"
            )
        elif self.items is not None and self.items > self.history_length - self.every + 1:
            most = self.history_length - self.every + 1
            yield (
                f"state_tracker.items={self.items}: a sentence about that many items is {self.every} items old before it is written anew, "
                f"and state_tracker.history_length={self.history_length} no longer holds them then; use {most} or less"
            )
        if not self.question.strip():
            yield "state_tracker.question is empty; ask what the sentence shall say"
        if len(self.inner) > 1:
            yield f"state_tracker.inner has several trackers ({', '.join(self.inner)}); keep one"
        for name, inner in self.inner.items():
            length = inner.get("history_length") if isinstance(inner, Mapping) else None
            if isinstance(inner, Mapping) and inner.get("name") == "summaries":
                yield f"state_tracker.inner.{name}=summaries: one sentence is enough; choose another tracker, such as gru"
            if isinstance(length, int) and length != self.history_length:
                yield (
                    f"state_tracker.inner.{name}.history_length={length} is not state_tracker.history_length={self.history_length}, which "
                    "is what it reads; give both the same"
                )

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The items' projected vectors of an inner tracker with its defaults."""
        yield MemoryNeed("state_tracker=summaries", f"the projected vectors of {sizes.items:,} items", FLOAT * sizes.items * 64)
