"""The schema of a pretraining's config, outside the components: typed, documented, bounded."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import MISSING

from recframe.components import option


@dataclass
class NewModelConfig:
    """The sizes of a language model made from scratch."""

    vocabulary: int = option(8_000, "most tokens that the tokenizer may learn from the texts", ge=300)
    layers: int = option(4, "transformer layers", ge=1)
    heads: int = option(4, "attention heads of a layer", ge=1)
    hidden_size: int = option(256, "numbers in a token's vector: the length of the encoder's vectors", ge=1)
    max_length: int = option(64, "tokens read of a text, the rest is cut off", ge=4)
    tokenizer: str | None = option(None, "null: bpe (on bytes) for gpt, wordpiece for bert", choices=["bpe", "wordpiece"])


@dataclass
class PretrainConfig:
    """How to train a language model, and where to put it."""

    folder: str = option("models/${now:%Y-%m-%d_%H-%M-%S-%f}", "folder of the model that is made; one that is there is not overwritten")
    from_scratch: bool = option(False, "make a new model and tokenizer, as pretrain.new says, instead of going on with encoder.model")
    new: NewModelConfig = field(default_factory=NewModelConfig)
    epochs: int = option(3, "times that every text is read", ge=1)
    steps: int | None = option(None, "batches to train on, however many epochs that takes; null: as pretrain.epochs says", ge=1)
    learning_rate: float | None = option(None, "peak step size of AdamW; null: 0.001 for a new model, 0.00005 to go on with one", gt=0)
    warmup: float = option(0.1, "share of the steps in which the learning rate rises, before it falls to zero", ge=0, lt=1)
    weight_decay: float = option(0.01, "AdamW's weight decay, of matrices only", ge=0)
    gradient_clip: float | None = option(1.0, "largest norm of the gradient; null: no clipping", gt=0)
    batch_tokens: int = option(2_048, "most tokens in a batch, padding included; a longer text is a batch of its own", ge=1)
    mask_probability: float = option(0.15, "share of the tokens that a masked language model has to guess", gt=0, lt=1)
    held_out: float = option(0.05, "share of the texts that are kept from training, for the perplexity", gt=0, lt=1)
    evaluations: int = option(5, "times that the perplexity is measured in training, the last at its end", ge=1)
    final_weights: str = option("best", "the weights that are kept: those of the lowest perplexity, or the last", choices=["best", "last"])
    precision: str = option("32-true", "precision of the losses and their gradients", choices=["32-true", "bf16-mixed"])
    progress_bar: bool = option(True, "show progress in the terminal")

    def contradictions(self) -> Iterator[str]:
        """What cannot be had together."""
        if self.new.hidden_size % self.new.heads:
            yield f"pretrain.new.hidden_size is {self.new.hidden_size}, no multiple of pretrain.new.heads ({self.new.heads})"
        if not self.from_scratch:
            default = NewModelConfig()
            changed = [f.name for f in fields(default) if getattr(self.new, f.name) != getattr(default, f.name)]
            yield from (f"pretrain.new.{name} is for a new model: add pretrain.from_scratch=true, or leave it out" for name in changed)


@dataclass
class PretrainingConfig:
    """A pretraining: whose texts, which encoder's language model, and how."""

    dataset: Any = MISSING
    encoder: Any = MISSING
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    logger: dict[str, Any] = field(default_factory=dict)
    seed: int = option(0, "seed of new weights, of which texts are held out, of their order and of the masks", ge=0)
    device: str = option("cpu", "cpu, cuda, cuda:1, or auto (cuda where there is one)")
    name: str | None = option(None, "what W&B calls the pretraining; null: its overrides")
