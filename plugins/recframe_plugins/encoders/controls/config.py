"""Options of the encoders that read nothing: the controls against which reading is measured."""

from dataclasses import dataclass

from recframe.components import option


@dataclass
class IdConfig:
    """Reads no text: vectors of length 0, so that all an agent knows of an item is what it learns of it. The control without language."""


@dataclass
class RandomEncoderConfig:
    """Frozen noise: a random vector for each different text, which says which text it is and nothing of what it means."""

    dim: int = option(384, "length of the vectors; by default that of the packaged language model's", ge=1)
    seed: int = option(0, "seed of the noise", ge=0)
