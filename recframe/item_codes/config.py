"""The options of item codes. Imports no torch; no `from __future__ import annotations`, since nested configs are known by their types."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from recframe.components import option

KINDS = ("residual_kmeans", "rq_vae", "ids", "titles")
LEARNED = ("residual_kmeans", "rq_vae")
"""The kinds whose codes are learned from the items' text vectors."""

CODES_SEED = 0
"""The seed of learned codes. Runs with several seeds write the same codes: they are part of what is compared, as vectors are."""


@dataclass
class RqVaeConfig:
    """The autoencoder of kind=rq_vae and its training."""

    hidden: int = option(256, "width of the hidden layer of encoder and decoder", ge=1)
    latent: int = option(32, "length of the vectors that are quantized", ge=1)
    steps: int = option(1_000, "batches that it is trained with", ge=1)
    batch_size: int = option(1_024, "items in a batch", ge=1)
    learning_rate: float = option(0.001, "step size of Adam", gt=0, le=10)
    commitment: float = option(0.25, "weight of the distance between a vector and its code in the loss", ge=0)


@dataclass
class CodesConfig:
    """How items become codes."""

    kind: str = option(
        "residual_kmeans",
        "where codes come from: residual_kmeans and rq_vae from the items' text vectors, ids from their numbers, titles from their words",
        choices=KINDS,
    )
    levels: int = option(3, "codes of an item before the one that tells colliding items apart; of residual_kmeans and rq_vae", ge=1, le=16)
    size: int = option(64, "codes of each level; of titles, of the level that tells equal titles apart", ge=2, le=65_536)
    title_length: int = option(32, "words (or tokens) of a title that are read; of titles", ge=1, le=1_024)
    rq_vae: RqVaeConfig = field(default_factory=RqVaeConfig)

    def problems(self, key: str) -> Iterator[str]:
        """The settings that have no effect on the chosen kind, one line each; `key` is where this config stands, such as "agent.codes"."""
        if self.kind not in LEARNED and self.levels != CodesConfig.levels:
            yield f"{key}.levels is for {key}.kind={' and '.join(LEARNED)}, not for {self.kind}; leave it out"
        if self.kind != "titles" and self.title_length != CodesConfig.title_length:
            yield f"{key}.title_length is for {key}.kind=titles, not for {self.kind}; leave it out"
        if self.kind != "rq_vae":
            usual = RqVaeConfig()
            changed = [one.name for one in fields(usual) if getattr(self.rq_vae, one.name) != getattr(usual, one.name)]
            yield from (f"{key}.rq_vae.{name} is for {key}.kind=rq_vae, not for {self.kind}; leave it out" for name in changed)
