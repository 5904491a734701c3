"""What the built-in rewards are called, what can be chosen about them, and what they read."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option


@dataclass
class ClickConfig:
    """One for every item that is clicked."""


@dataclass
class RatingConfig:
    """The rating of every item shown, less a centre, in units of a scale."""

    centre: float = option(0.0, "rating that is worth nothing; what is rated lower costs")
    scale: float = option(1.0, "rating points above the centre that are worth one", gt=0.0)


@dataclass
class DwellConfig:
    """The time spent with every item shown, in units of a scale."""

    scale: float = option(1.0, "time that is worth one, in the environment's unit", gt=0.0)
    maximum: float | None = option(None, "time beyond which more is worth nothing, in the environment's unit; null: there is none", gt=0.0)


@dataclass
class PurchaseConfig:
    """One for every item that is bought."""


@dataclass
class EnvironmentRewardConfig:
    """The reward that the environment itself gives, as Gymnasium's do."""


@dataclass
class DiversityConfig:
    """Mean text distance of an item to the rest of its slate and to what was shown shortly before."""

    window: int = option(20, "last shown items to compare with, as far as the history reaches; 0: the slate alone", ge=0)


@dataclass
class NoveltyConfig:
    """Self-information of an item's popularity: much for what few know."""

    normalize: bool = option(True, "divide by the catalogue's largest, so that the least popular item is worth one; else bits")


@dataclass
class SerendipityConfig:
    """Text distance of a clicked item to the nearest of what was shown before."""

    window: int = option(20, "last shown items that make an item expected, as far as the history reaches", ge=1)


@dataclass
class RepetitionConfig:
    """Minus one for an item that was shown already; a positive weight makes it a penalty."""

    window: int = option(20, "last shown items that count as already, as far as the history reaches", ge=1)
    decay: float = option(1.0, "share of the penalty that is left with each item shown since; 1: all of it", gt=0.0, le=1.0)


@dataclass
class RetentionConfig:
    """One, shared by the slate, for a step after which the user stays, or leaves and comes back."""


@dataclass
class FairnessConfig:
    """What an item's group lacks of the exposure due to it, over all users of the batch."""

    attribute: str | None = option(
        None, "catalogue attribute whose values are the groups (of a list the first); null: popular and other items"
    )
    head_share: float = option(0.2, "share of the items that is the popular group, 'head'; the others are the 'tail'", gt=0.0, lt=1.0)
    target: str = option(
        "items",
        "what is due to a group: its share of the items or of the popularity, or the same",
        choices=["items", "equal", "popularity"],
    )
    shares: dict[str, float] = option(
        {}, "what is due to each group by name, summing to 1, in place of the target (+reward.fairness.shares={head:0.5,tail:0.5})"
    )

    def contradictions(self) -> Iterator[str]:
        """Shares that are no shares."""
        total = sum(self.shares.values())
        if any(share < 0 for share in self.shares.values()):
            yield f"reward.fairness.shares must not be negative: {self.shares}"
        elif self.shares and abs(total - 1.0) > 1e-4:
            yield f"reward.fairness.shares must sum to 1, not {total:g}: {self.shares}"


@dataclass
class SentimentConfig:
    """How well the user speaks after the slate: the probability of a positive text less that of a negative one."""

    label: str = option("sentiment", "the name, in the run's labels, of what texts are told by")
    positive: str = option("positive", "the label of it that is worth one")
    negative: str = option("negative", "the label of it that costs one")
