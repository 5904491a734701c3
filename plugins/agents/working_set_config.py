"""Options of every agent that scores items, for catalogues too large to score in every update; light: it imports no torch."""

from dataclasses import dataclass

from recframe.components import option


@dataclass
class WorkingSetConfig:
    """How much of a catalogue training looks at."""

    whole_catalog_items: int = option(
        5_000, "largest catalogue that training looks at whole; of a larger one it looks at working sets (evaluation always at all)", ge=1
    )
    working_items: int = option(
        2_048,
        "items in a working set, up to half of them shown lately, the others random: what a chunk or an update costs grows with it",
        ge=2,
    )
