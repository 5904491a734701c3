"""Options of the encoders that read with a language model. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option


@dataclass
class TuningConfig:
    """What a language model is asked that may be tuned."""

    tuning: str = option(
        "frozen",
        "what of the model the agent's losses train. lora: low-rank additions to attention's weights; prefix: keys and values before every "
        "text's own, in each layer; adapter: factors on keys, values and feed-forward activations (IA3); full: all weights; frozen: none",
        choices=["frozen", "lora", "prefix", "adapter", "full"],
    )
    tuning_interval: int = option(50, "of so many batches that the agent learns from, one also tunes the model", ge=1)
    tuning_tokens: int = option(
        2048, "tokens, at most, of the texts encoded again in a tuning step; where more took part, a weighted sample stands for all", ge=1
    )
    tuning_learning_rate: float = option(1e-4, "learning rate of the model's parameters (Adam)", gt=0)
    refresh_interval: int = option(25, "tuning steps after which all texts are encoded again; each evaluation does so, too", ge=1)
    lora_rank: int = option(8, "rank of LoRA's additions", ge=1)
    lora_alpha: float = option(16.0, "LoRA's additions are scaled by lora_alpha / lora_rank", gt=0)
    prefix_length: int = option(10, "tokens that prefix tuning puts before every text", ge=1)

    def contradictions(self) -> Iterator[str]:
        """Steps as small as tuning's are lost in half precision."""
        dtype = getattr(self, "dtype", "float32")
        if self.tuning != "frozen" and dtype != "float32":
            yield f"encoder.tuning={self.tuning} needs encoder.dtype=float32, not {dtype}: steps so small are lost in less precise weights"


@dataclass
class ModelConfig(TuningConfig):
    """What every language model that encodes texts is given."""

    model: str = option(
        "packaged:all-MiniLM-L6-v2",
        "'packaged:all-MiniLM-L6-v2' (installed with recframe, needs no network), the path of a model's folder, "
        "or a hub name (organisation/name), downloaded when first used",
    )
    revision: str | None = option(None, "branch, tag or commit of a hub model; a commit pins it")
    trust_remote_code: bool = option(False, "run Python code that comes with the model")
    max_length: int | None = option(
        None, "tokens read of each text, prompt included, the rest is cut off; by default what the model's authors chose", ge=3
    )
    dtype: str = option(
        "float32", "precision of the forward pass; vectors are float32 in any case", choices=["float32", "bfloat16", "float16"]
    )
    normalize: bool = option(True, "scale vectors to length one")
    item_prompt: str = option("", "put before every item's text, for models trained with prompts (such as 'passage: ')")
    user_prompt: str = option("", "put before every user's profile (such as 'query: ')")
    context_prompt: str = option("", "put before every visit's context")


@dataclass
class SentenceTransformersConfig(ModelConfig):
    """A sentence-transformers language model: the packaged MiniLM, a local folder, or a model of the Hugging Face hub."""

    batch_size: int = option(64, "texts in one forward pass", ge=1)
    batch_tokens: int | None = option(
        None,
        "instead of batch_size: tokens in one forward pass, padding included; 1024 suits a CPU; a text that is longer goes alone",
        ge=16,
    )
    normalize: bool = option(True, "scale vectors to length one (models that end in a Normalize module do so in any case)")
