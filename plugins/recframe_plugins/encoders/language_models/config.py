"""Options of every encoder that reads with a language model. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option
from recframe_plugins.encoders.prompts import PromptConfig


@dataclass
class TuningConfig:
    """Options for tuning a language model by an agent's losses."""

    tuning: str = option(
        "frozen",
        "the part of the model that the agent's losses train. lora: low-rank additions to attention's weights; prefix: keys and values "
        "before every text's own, in each layer; adapter: factors on keys, values and feed-forward activations (IA3); full: all weights; "
        "frozen: none",
        choices=["frozen", "lora", "prefix", "adapter", "full"],
    )
    tuning_interval: int = option(50, "the model is tuned in every n-th batch that the agent learns from", ge=1)
    tuning_tokens: int = option(
        2048, "largest number of tokens that a tuning step encodes again; of more texts, it encodes a weighted sample", ge=1
    )
    tuning_learning_rate: float = option(1e-4, "learning rate of the model's parameters (Adam)", gt=0, le=10)
    refresh_interval: int = option(25, "tuning steps after which all texts are encoded again; each evaluation also does so", ge=1)
    lora_rank: int = option(8, "rank of LoRA's additions", ge=1, le=4096)
    lora_alpha: float = option(16.0, "LoRA's additions are scaled by lora_alpha / lora_rank", gt=0)
    prefix_length: int = option(10, "tokens that prefix tuning puts before every text", ge=1, le=4096)

    def contradictions(self) -> Iterator[str]:
        """Tuning in half precision, which loses steps as small as tuning's."""
        dtype = getattr(self, "dtype", "float32")
        if self.tuning != "frozen" and dtype != "float32":
            yield f"encoder.tuning={self.tuning} needs encoder.dtype=float32, not {dtype}: such small steps are lost in half precision"


@dataclass
class ModelConfig(PromptConfig, TuningConfig):
    """Options of every language model that encodes texts."""

    model: str = option(
        "packaged:all-MiniLM-L6-v2",
        "'packaged:all-MiniLM-L6-v2' (installed with recframe, needs no network), the path of a model's folder, "
        "or a hub name (organisation/name), downloaded when first used",
        path="folder",
    )
    revision: str | None = option(None, "branch, tag or commit of a hub model; a commit pins it")
    trust_remote_code: bool = option(False, "run Python code that comes with the model", runs_code=True)
    max_length: int | None = option(
        None, "tokens read of each text, prompt included; the rest is cut off; null: what the model's authors chose", ge=3
    )
    dtype: str = option(
        "float32", "precision of the forward pass; vectors are float32 in any case", choices=["float32", "bfloat16", "float16"]
    )
    normalize: bool = option(True, "scale vectors to length one")
