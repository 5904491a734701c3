"""Options of the encoder `concat`. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recframe.components import option


@dataclass
class ConcatConfig:
    """Several encoders: each text's vector is the concatenation of their vectors."""

    parts: dict[str, Any] = option(
        {},
        "the encoders under names of your choice, added as +encoder@encoder.parts.NAME=ENCODER; their vectors follow in this order",
        components=True,
    )
    weights: dict[str, float] = option({}, "factor of a part's vectors, by the part's name; 1 for parts that are not named")

    def contradictions(self) -> Iterator[str]:
        """No parts, or weights of parts that do not exist."""
        if not self.parts:
            yield "encoder.parts is empty: add encoders, as in +encoder@encoder.parts.words=tfidf"
            return
        for name, weight in self.weights.items():
            if name not in self.parts:
                yield f"encoder.weights.{name}: there is no such part; the parts are: {', '.join(self.parts)}"
            elif not 0 < weight < float("inf"):
                yield f"encoder.weights.{name}: {weight} is not allowed; it must be a finite number > 0"
