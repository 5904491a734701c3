"""Pretraining of `bert` and `gpt`: masked and causal language modelling, with one text in each row."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from recframe.interfaces import EncoderError, LanguageModel, NewModel, TokenLoss
from recframe.language_models import silence_transformers
from recframe_plugins.encoders.transformers.config import TransformerConfig
from recframe_plugins.encoders.transformers.model import load_transformer
from recframe_plugins.encoders.transformers.tokens import padded, token_ids
from recframe_plugins.encoders.transformers.untrained import untrained_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

IGNORED = -100  # the label of a token that is not predicted


class TransformerLanguageModel(LanguageModel):
    """A transformer with its head and tokenizer.

    Each text has a row of its own and is tokenized as the encoder does it, so that training sees what encoding sees: short texts packed
    into one row would follow unrelated texts, at positions where no encoded text begins. There is little padding as long as the texts of a
    batch have similar lengths.
    """

    def __init__(self, transformer: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.tokenizer = tokenizer
        self.max_length = max_length

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens read of each text, special ones included; the log says how much of the texts is not read."""
        whole = [len(tokens) for tokens in token_ids(self.tokenizer, texts, None)]
        read = [min(tokens, self.max_length) for tokens in whole]
        if cut := sum(tokens > self.max_length for tokens in whole):
            unread = 1.0 - sum(read) / sum(whole)
            logger.warning(
                "%d of %d texts are longer than the %d tokens that the model reads; %.1f %% of all tokens are not read",
                *(cut, len(whole), self.max_length, 100 * unread),
            )
        return read

    def loss(self, batch: dict[str, Tensor]) -> TokenLoss:
        """Summed cross-entropy of the tokens to predict."""
        labels = batch["labels"]
        wanted = labels != IGNORED
        with self._only_at(wanted):
            logits = self.transformer(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        if logits.shape[:-1] == wanted.shape:
            logits = logits[wanted]
        return TokenLoss(F.cross_entropy(logits.float(), labels[wanted], reduction="sum"), int(wanted.sum()))

    @contextmanager
    def _only_at(self, wanted: Tensor) -> Iterator[None]:
        """Apply the last layer, half of a small model's work, to the tokens `wanted` `[n, L]` only; its logits are then `[m, V]`."""
        last: Any = self.transformer.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers lacks types here
        if not isinstance(last, nn.Linear):
            yield
            return
        handle = last.register_forward_pre_hook(lambda _, inputs: (inputs[0][wanted],) if inputs[0].shape[:-1] == wanted.shape else None)
        try:
            yield
        finally:
            handle.remove()

    def save(self, folder: Path) -> None:
        """Write safetensors, config and tokenizer for transformers' `from_pretrained`."""
        # for a model of sentences, the length may be in files of other libraries
        self.tokenizer.model_max_length = self.max_length
        with silence_transformers():
            self.transformer.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


class CausalLanguageModel(TransformerLanguageModel):
    """Predicts each token from those before it and, if the tokenizer has a token for it, the end of the text."""

    objective = "the next token"

    def batch(self, texts: Sequence[str], generator: Generator) -> dict[str, Tensor]:
        """Tokens, mask and labels, `[n, L]` each. Nothing in it is random."""
        # one more than the model reads, because the token after a cut is known
        read = token_ids(self.tokenizer, texts, self.max_length + 1)
        rows = [row if len(row) > self.max_length else [*row, self._after(row)] for row in read]
        ids, mask = padded(self.tokenizer, [row[:-1] for row in rows])
        labels, _ = padded(self.tokenizer, [row[1:] for row in rows])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels.masked_fill(mask == 0, IGNORED)}

    def _after(self, row: list[int]) -> int:
        """The label after a whole text: its end; ignored if the text has one already, or there is no token for it."""
        end: Any = self.tokenizer.eos_token_id
        return IGNORED if end is None or row[-1:] == [end] else int(end)


class MaskedLanguageModel(TransformerLanguageModel):
    """Predicts randomly drawn tokens from the rest (Devlin et al., 2019, section 3.1).

    Of the drawn tokens, 80 % are replaced by the mask, 10 % by any token, and 10 % stay. At least one token of each text is drawn: with a
    share of 15 %, every other draw from a title of five tokens would be empty.
    """

    objective = "masked tokens"

    def __init__(self, transformer: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_length: int, mask_probability: float) -> None:
        super().__init__(transformer, tokenizer, max_length)
        if tokenizer.mask_token_id is None:
            raise EncoderError(
                "the tokenizer of encoder.model has no mask token, so masked tokens cannot be predicted; choose another model"
            )
        self.mask_probability = mask_probability

    def batch(self, texts: Sequence[str], generator: Generator) -> dict[str, Tensor]:
        """Tokens, mask and labels, `[n, L]` each; the generator decides which tokens are masked."""
        true_ids, mask = padded(self.tokenizer, token_ids(self.tokenizer, texts, self.max_length))
        fixed = torch.isin(true_ids, torch.tensor(self.tokenizer.all_special_ids)) | (mask == 0)
        draw = torch.rand(true_ids.shape, generator=generator).masked_fill(fixed, 1.0)
        chosen = ((draw < self.mask_probability) | (draw == draw.amin(dim=1, keepdim=True))) & ~fixed
        change = torch.rand(true_ids.shape, generator=generator)
        anything = torch.randint(len(self.tokenizer), true_ids.shape, generator=generator)
        ids = torch.where(chosen & (change < 0.8), int(self.tokenizer.mask_token_id), true_ids)
        ids = torch.where(chosen & (change >= 0.9), anything, ids)
        return {"input_ids": ids, "attention_mask": mask, "labels": true_ids.masked_fill(~chosen, IGNORED)}


def language_model(
    config: TransformerConfig, device: torch.device, texts: Sequence[str], new: NewModel | None, mask_probability: float
) -> LanguageModel:
    """The model that `config` names, or a new one, in single precision on `device`; causal or masked like the config.

    Raises
    ------
    EncoderError: if the model is not found, does not load, or cannot be made.
    """
    if new is not None:
        transformer, tokenizer = untrained_model(new, config.causal, texts)
        max_length = new.max_length
    else:
        loaded = load_transformer(dataclasses.replace(config, dtype="float32"), device, "causal" if config.causal else "masked")
        transformer, tokenizer, max_length = loaded.model, loaded.tokenizer, loaded.max_length
    if config.causal:
        return CausalLanguageModel(transformer, tokenizer, max_length).to(device)
    return MaskedLanguageModel(transformer, tokenizer, max_length, mask_probability).to(device)
