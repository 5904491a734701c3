"""Options of the control encoders `id` and `random`. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import FLOAT, MemoryNeed, Sizes, option, seed_option


@dataclass
class IdConfig:
    """Reads no text: vectors of length 0, so that an agent knows only what it learns of each item. The control without language."""


@dataclass
class RandomEncoderConfig:
    """Frozen noise: a random vector for each different text, which identifies the text and says nothing of its meaning."""

    dim: int = option(384, "length of the vectors; the default is that of the packaged language model", ge=1)
    seed: int = seed_option(0, "seed of the noise")

    def memory(self, sizes: Sizes) -> Iterator[MemoryNeed]:
        """The vectors of the texts."""
        yield MemoryNeed(f"encoder.dim={self.dim}", f"the vectors of {sizes.texts:,} texts", FLOAT * sizes.texts * self.dim)
