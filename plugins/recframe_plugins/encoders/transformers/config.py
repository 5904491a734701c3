"""Options of the encoders `bert` and `gpt`: a Hugging Face transformer and how its token vectors are pooled. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from omegaconf import MISSING

from recframe.components import option
from recframe_plugins.encoders.language_models.config import ModelConfig


@dataclass
class TransformerConfig(ModelConfig):
    """Options of every transformer that encodes texts."""

    # whether a token attends only to those before it; also decides which head the model may be loaded with
    causal: ClassVar[bool] = False

    pooling: str = option("mean", "how the vectors of the tokens are combined into that of the text")
    # fits a core's cache; on a device with more memory, larger batches are faster
    batch_tokens: int = option(1024, "tokens in one forward pass, padding included; a longer text is a batch by itself", ge=16)

    def contradictions(self) -> Iterator[str]:
        """A `max_length` that does not fit in a forward pass."""
        if self.max_length is not None and self.max_length > self.batch_tokens:
            yield f"encoder.max_length={self.max_length} is more than encoder.batch_tokens={self.batch_tokens}; raise the latter"


@dataclass
class BertConfig(TransformerConfig):
    """Any encoder-only Hugging Face model (such as BERT, RoBERTa, DistilBERT, ModernBERT), its tokens' vectors pooled."""

    pooling: str = option("mean", "mean of all tokens, or the first token, [CLS]", choices=["mean", "cls"])


@dataclass
class GPTConfig(TransformerConfig):
    """Any causal Hugging Face model (such as GPT-2, Llama, Qwen), its tokens' vectors pooled."""

    causal: ClassVar[bool] = True

    model: str = option(
        MISSING,
        "the path of a model's folder (`recframe pretrain encoder=gpt` makes one from the run's own texts), "
        "'packaged:smollm2-135m-instruct' (a package, needs no network), or a hub name (organisation/name), downloaded when first used",
        path="folder",
    )
    pooling: str = option(
        "weighted_mean",
        "weighted_mean: mean of all tokens, the i-th with weight i, since later ones have read more (SGPT); mean; last: the last token",
        choices=["weighted_mean", "mean", "last"],
    )
