"""The options of encoders whose language model can be tuned by what the agent learns."""

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
