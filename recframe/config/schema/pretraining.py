"""The schema of a pretraining's config without its components: types, meanings and bounds."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import MISSING

from recframe.components import option, seed_option


@dataclass
class NewModelConfig:
    """The sizes of a language model made from scratch."""

    vocabulary: int = option(8_000, "largest number of tokens that the tokenizer learns from the texts", ge=300)
    layers: int = option(4, "transformer layers", ge=1)
    heads: int = option(4, "attention heads of each layer", ge=1)
    hidden_size: int = option(256, "length of a token's vector, and of the encoder's vectors", ge=1)
    max_length: int = option(64, "tokens of a text that are read; the rest is cut off", ge=4)
    tokenizer: str | None = option(None, "tokenizer; null: byte-level bpe for gpt, wordpiece for bert", choices=["bpe", "wordpiece"])


@dataclass
class PretrainConfig:
    """How to train a language model, and where to save it."""

    folder: str = option("models/${now:%Y-%m-%d_%H-%M-%S-%f}", "folder of the new model; an existing folder is not overwritten")
    from_scratch: bool = option(False, "make a new model and tokenizer by pretrain.new, instead of continuing with encoder.model")
    new: NewModelConfig = field(default_factory=NewModelConfig)
    epochs: int = option(3, "number of passes over all texts", ge=1)
    steps: int | None = option(None, "number of batches, in as many epochs as necessary; null: by pretrain.epochs", ge=1)
    learning_rate: float | None = option(None, "peak learning rate of AdamW; null: 0.001 for a new model, 0.00005 otherwise", gt=0, le=10)
    warmup: float = option(0.1, "share of the steps in which the learning rate rises, before it falls to zero", ge=0, lt=1)
    weight_decay: float = option(0.01, "weight decay of AdamW, for matrices only", ge=0)
    gradient_clip: float | None = option(1.0, "largest norm of the gradient; null: no clipping", gt=0)
    batch_tokens: int = option(2_048, "largest number of tokens in a batch, with padding; a longer text is a batch by itself", ge=1)
    mask_probability: float = option(0.15, "share of the tokens that a masked language model predicts", gt=0, lt=1)
    held_out: float = option(0.05, "share of the texts that are held out, for the perplexity", gt=0, lt=1)
    evaluations: int = option(5, "evaluations of the perplexity during training; the last is at its end", ge=1)
    final_weights: str = option("best", "the weights that are saved: those of the lowest perplexity, or the last", choices=["best", "last"])
    precision: str = option("32-true", "precision of the losses and their gradients", choices=["32-true", "bf16-mixed"])
    progress_bar: bool = option(True, "show progress in the terminal")

    def contradictions(self) -> Iterator[str]:
        """Settings that contradict each other."""
        if self.new.hidden_size % self.new.heads:
            yield f"pretrain.new.hidden_size is {self.new.hidden_size}, not a multiple of pretrain.new.heads ({self.new.heads})"
        if not self.from_scratch:
            default = NewModelConfig()
            changed = [f.name for f in fields(default) if getattr(self.new, f.name) != getattr(default, f.name)]
            yield from (f"pretrain.new.{name} is for a new model: add pretrain.from_scratch=true, or leave it out" for name in changed)


@dataclass
class PretrainingConfig:
    """A pretraining: the dataset with the texts, the encoder with the language model, and how to train."""

    dataset: Any = MISSING
    encoder: Any = MISSING
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    logger: dict[str, Any] = field(default_factory=dict)
    seed: int = seed_option(0, "seed of new weights, of the held-out texts, of the order of texts, and of the masks")
    device: str = option("cpu", "cpu, cuda, cuda:1, or auto (cuda if available)")
    name: str | None = option(None, "name of the pretraining in W&B; null: its overrides")
