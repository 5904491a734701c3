"""Sentences about people's histories, asked of a language model once each, and their text vectors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from recframe.errors import UserError
from recframe.interfaces import PAD, Data, EnvironmentSpec
from recframe.llm import Chat, Prompt
from recframe.llm.unusable import UnusableAnswers
from recframe_plugins.state_trackers.summaries.config import SummariesConfig
from recframe_plugins.state_trackers.summaries.places import Summarized

log = logging.getLogger(__name__)

ROLE = "You describe a person's taste by what they did. You answer with one short sentence and nothing else."
Encode = Callable[[Sequence[str]], Tensor]


class Sentences:
    """The vectors of sentences about histories, which copies of a tracker share. Each is written when it is first read.

    What was written is looked up by a hash of the items and the feedback. It is not saved: answers of the model are kept on disk (see
    `recframe.llm`), and vectors are computed text by text, so that they do not depend on what else is encoded.

    Parameters
    ----------
    encode: the vectors `[n, D]` of texts, as the run's encoder gives them; None: nobody is asked, and there are no sentences.
    """

    def __init__(self, config: SummariesConfig, spec: EnvironmentSpec, data: Data, chat: Chat) -> None:
        self.config, self.spec, self.chat = config, spec, chat
        vectors = data.catalog.text_vectors
        assert vectors is not None
        self.titles, self.dim = data.catalog.titles, vectors.shape[1]
        self.encode: Encode | None = None
        self.unusable = UnusableAnswers("there is no sentence for such a history")
        # copies of a served policy answer in threads of their own
        self._one_thread = threading.Lock()
        # sorted keys, the row of each, and the vectors [n, D] by rows; row 0: no sentence
        device = spec.device
        self._keys = torch.zeros(0, dtype=torch.int64, device=device)
        self._rows = torch.zeros(0, dtype=torch.int64, device=device)
        self._vectors = torch.zeros(1, self.dim, device=device)

    def __deepcopy__(self, memo: dict[int, Any]) -> Sentences:
        return self

    @torch.no_grad()
    def __call__(self, about: Summarized) -> tuple[Tensor, Tensor]:
        """The vectors `[N, D]` of the sentences, 0 where there is none, and where there is one, `[N]` bool."""
        told = (about.items != PAD).any(dim=1)
        if self.encode is None:
            told = torch.zeros_like(told)
        rows = torch.zeros_like(about.items[:, 0])
        if bool(told.any()):
            keys = about.keys[told]
            with self._one_thread:
                self._write(keys, Summarized(about.items[told], about.feedback[told]))
                rows[told] = self._rows[torch.searchsorted(self._keys, keys)]
        return self._vectors[rows], rows > 0

    def _write(self, keys: Tensor, about: Summarized) -> None:
        """Ask for the sentences that are not there."""
        missing = ~torch.isin(keys, self._keys)
        if not bool(missing.any()):
            return
        new, inverse = keys[missing].unique(return_inverse=True)
        # one history of each key, the first
        places = torch.arange(len(inverse), device=inverse.device)
        first = torch.full_like(new, len(inverse)).scatter_reduce(0, inverse, places, "amin")
        items, feedback = about.items[missing][first].tolist(), about.feedback[missing][first].tolist()
        texts = self.written([self.question(*one) for one in zip(items, feedback, strict=True)])
        rows = torch.zeros_like(new)
        known = [place for place, text in enumerate(texts) if text]
        if known:
            vectors = torch.cat([self._encoded(texts[place]) for place in known])
            rows[known] = len(self._vectors) + torch.arange(len(known), device=rows.device)
            self._vectors = torch.cat([self._vectors, vectors.to(self._vectors)])
        order = torch.cat([self._keys, new]).argsort()
        self._keys, self._rows = torch.cat([self._keys, new])[order], torch.cat([self._rows, rows])[order]

    def question(self, items: Sequence[int], feedback: Sequence[Sequence[float]]) -> str:
        """What the model is asked about a history."""
        lines = [
            f"- {self.titles[item]} ({', '.join(f'{name} {value + 0.0:.3g}' for name, value in zip(self.spec.signals, done, strict=True))})"
            for item, done in zip(items, feedback, strict=True)
            if item != PAD
        ]
        return "\n".join(["What a person was shown, the oldest first, and what they did with it:", *lines, self.config.question])

    def written(self, questions: Sequence[str]) -> list[str]:
        """The model's answers, each in one line; empty where it wrote nothing.

        Raises
        ------
        recframe.llm.BudgetExhausted, recframe.errors.ModelError: the model may not be asked, or cannot be.
        """
        answers = self.chat.ask([Prompt(ROLE, question) for question in questions])
        texts = ["" if answer.problem is not None else " ".join(answer.text.split()) for answer in answers]
        self.unusable.add(len(answers), [answer.problem for answer in answers if answer.problem is not None])
        if len(self._keys) == 0 and any(texts):
            log.info("the first sentence about a person: %s", next(text for text in texts if text))
        return texts

    def _encoded(self, text: str) -> Tensor:
        assert self.encode is not None
        vector = self.encode([text])
        if vector.shape != (1, self.dim):
            raise UserError(
                f"state_tracker=summaries: a sentence has a vector of shape {list(vector.shape)}, items have {self.dim} numbers"
            )
        return vector
