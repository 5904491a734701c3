"""Options of the encoder `sentence_transformers`. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option
from recframe_plugins.encoders.language_models.config import ModelConfig


@dataclass
class SentenceTransformersConfig(ModelConfig):
    """A sentence-transformers language model: the packaged MiniLM, a local folder, or a model of the Hugging Face hub."""

    batch_size: int = option(64, "texts in one forward pass", ge=1)
    batch_tokens: int | None = option(
        None,
        "instead of batch_size: tokens in one forward pass, padding included; 1024 suits a CPU; a longer text is a batch by itself",
        ge=16,
    )
    normalize: bool = option(True, "scale vectors to length one (models that end in a Normalize module do so in any case)")
