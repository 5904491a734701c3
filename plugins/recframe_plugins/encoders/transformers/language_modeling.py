"""`bert` and `gpt` in training: masked and causal language modelling, one text a row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from recframe.interfaces import EncoderError, LanguageModel, NewModel, TokenLoss
from recframe_plugins.encoders.language_models.loading import quiet_transformers
from recframe_plugins.encoders.transformers.config import TransformerConfig
from recframe_plugins.encoders.transformers.model import load_transformer
from recframe_plugins.encoders.transformers.new_model import new_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

IGNORED = -100  # the label of a token that is not predicted


class TransformerLanguageModel(LanguageModel):
    """A transformer with its head and tokenizer.

    A text stands in a row of its own, tokenized as the encoder does it, so that what is trained is what encodes: short texts packed into
    one row would be read after strangers, and from positions where no encoded text begins. Little is lost to padding as long as the texts
    of a batch are of like length.
    """

    def __init__(self, transformer: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_length: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.tokenizer = tokenizer
        self.max_length = max_length

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens read of each text, special ones included."""
        return [len(tokens) for tokens in self._tokens(texts, self.max_length)]

    def loss(self, batch: dict[str, Tensor]) -> TokenLoss:
        """Cross-entropy of the tokens to predict."""
        labels = batch["labels"]
        wanted = labels != IGNORED
        with self._asked_only(wanted):
            logits = self.transformer(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        if logits.shape[:-1] == wanted.shape:
            logits = logits[wanted]
        return TokenLoss(F.cross_entropy(logits.float(), labels[wanted], reduction="sum"), int(wanted.sum()))

    @contextmanager
    def _asked_only(self, wanted: Tensor) -> Iterator[None]:
        """Let the last layer, half of a small model's work, see the tokens `wanted` `[n, L]` alone: its logits are `[m, V]` then."""
        last = self.transformer.get_output_embeddings()
        if not isinstance(last, nn.Linear):
            yield
            return
        handle = last.register_forward_pre_hook(lambda _, inputs: (inputs[0][wanted],) if inputs[0].shape[:-1] == wanted.shape else None)
        try:
            yield
        finally:
            handle.remove()

    def save(self, folder: Path) -> None:
        """Safetensors, config and tokenizer, as transformers' `from_pretrained` reads them."""
        # of a model for sentences, the length may be in files of other libraries
        self.tokenizer.model_max_length = self.max_length
        with quiet_transformers():
            self.transformer.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)

    def _tokens(self, texts: Sequence[str], length: int) -> list[list[int]]:
        encoded = self.tokenizer(
            list(texts), truncation=True, max_length=length, padding=False, return_attention_mask=False, return_token_type_ids=False
        )
        rows: list[list[int]] = encoded["input_ids"]
        return rows

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Rows of tokens as a matrix `[n, L]`, padded on the right, and the mask of what is no padding, `[n, L]` int64."""
        lengths = torch.tensor([len(row) for row in rows])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        ids = torch.full(mask.shape, int(self.tokenizer.pad_token_id))
        ids[mask] = torch.tensor([token for row in rows for token in row])
        return ids, mask.long()


class CausalLanguageModel(TransformerLanguageModel):
    """Each token is predicted from those before it, and at the end of the text that it ends (where the tokenizer has a token for that)."""

    objective = "the next token"

    def batch(self, texts: Sequence[str], generator: Generator) -> dict[str, Tensor]:
        """Tokens, mask and labels, `[n, L]` each. Nothing in it is random."""
        # one more than is read: of a text that is cut, the token that follows is known
        rows = [row if len(row) > self.max_length else [*row, self._after(row)] for row in self._tokens(texts, self.max_length + 1)]
        ids, mask = self._padded([row[:-1] for row in rows])
        labels, _ = self._padded([row[1:] for row in rows])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels.masked_fill(mask == 0, IGNORED)}

    def _after(self, row: list[int]) -> int:
        """What follows a whole text: its end, unless it has one already, or there is no token for it."""
        end = self.tokenizer.eos_token_id
        return IGNORED if end is None or row[-1:] == [end] else int(end)


class MaskedLanguageModel(TransformerLanguageModel):
    """Tokens drawn by chance are predicted from the rest (Devlin et al., 2019, section 3.1).

    Of those drawn, 80 % are replaced by the mask, 10 % by any token, and 10 % stay. Each text has one at least: of a title of five tokens,
    15 % would be none in every other batch.
    """

    objective = "masked tokens"

    def __init__(self, transformer: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_length: int, mask_probability: float) -> None:
        super().__init__(transformer, tokenizer, max_length)
        if tokenizer.mask_token_id is None:
            raise EncoderError("encoder.model's tokenizer has no mask token, so masked tokens cannot be predicted; choose another")
        self.mask_probability = mask_probability

    def batch(self, texts: Sequence[str], generator: Generator) -> dict[str, Tensor]:
        """Tokens, mask and labels, `[n, L]` each; which tokens are masked comes from the generator."""
        rows = self._tokens(texts, self.max_length)
        true_ids, mask = self._padded(rows)
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
    """The model that `config` names, or a new one, in single precision on `device`; causal or masked as the config's kind is.

    Raises
    ------
    EncoderError: if it cannot be had, or made as asked.
    """
    if new is not None:
        transformer, tokenizer = new_model(new, config.causal, texts)
        max_length = new.max_length
    else:
        loaded = load_transformer(dataclasses.replace(config, dtype="float32"), device, "causal" if config.causal else "masked")
        transformer, tokenizer, max_length = loaded.model, loaded.tokenizer, loaded.max_length
    if config.causal:
        return CausalLanguageModel(transformer, tokenizer, max_length).to(device)
    return MaskedLanguageModel(transformer, tokenizer, max_length, mask_probability).to(device)
