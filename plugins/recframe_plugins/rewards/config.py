"""Options of the built-in rewards. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option


@dataclass
class ClickConfig:
    """One for every item that is clicked."""


@dataclass
class SkipConfig:
    """Minus one for every item that is not clicked; a positive weight makes it a penalty."""


@dataclass
class RatingConfig:
    """The rating of every shown item, minus a centre, in units of a scale."""

    centre: float = option(0.0, "rating that is worth zero; lower ratings are negative")
    scale: float = option(1.0, "rating points that are worth one", gt=0.0)


@dataclass
class DwellConfig:
    """The time spent with every shown item, in units of a scale."""

    scale: float = option(1.0, "time that is worth one, in the environment's unit", gt=0.0)
    maximum: float | None = option(None, "time beyond which more time adds nothing, in the environment's unit; null: no maximum", gt=0.0)


@dataclass
class PurchaseConfig:
    """One for every item that is bought."""


@dataclass
class EnvironmentRewardConfig:
    """The environment's own reward, as in Gymnasium."""


@dataclass
class DiversityConfig:
    """Mean text distance of an item to the rest of its slate and to the recently shown items."""

    window: int = option(20, "number of last shown items to compare with, up to the length of the history; 0: only the slate", ge=0)


@dataclass
class NoveltyConfig:
    """Self-information of an item's popularity: high for unpopular items."""

    normalize: bool = option(True, "divide by the largest value of the catalogue, so that the least popular item is worth one; false: bits")


@dataclass
class SerendipityConfig:
    """Text distance of a clicked item to the most similar item shown before."""

    window: int = option(20, "number of last shown items to compare with, up to the length of the history", ge=1)


@dataclass
class RepetitionConfig:
    """Minus one for an item that was shown before; a positive weight makes it a penalty."""

    window: int = option(20, "number of last shown items that count as shown before, up to the length of the history", ge=1)
    decay: float = option(1.0, "factor of the penalty for each item shown since; 1: no decay", gt=0.0, le=1.0)


@dataclass
class QuestionCostConfig:
    """Minus one for every question that is asked; a positive weight makes it a cost."""


@dataclass
class RetentionConfig:
    """One per slate for a step after which the user stays, or leaves and returns."""


@dataclass
class FairnessConfig:
    """How much exposure the item's group lacks relative to its target share, over all users of the batch."""

    attribute: str | None = option(
        None, "catalogue attribute whose values are the groups (of a list, the first entry); null: popular and other items"
    )
    head_share: float = option(0.2, "share of the items in the popular group 'head'; the others are the 'tail'", gt=0.0, lt=1.0)
    target: str = option(
        "items",
        "target share of a group: its share of the items or of the popularity, or equal shares",
        choices=["items", "equal", "popularity"],
    )
    shares: dict[str, float] = option(
        {}, "target share of each group by name, summing to 1, in place of the option target (+reward.fairness.shares={head:0.5,tail:0.5})"
    )

    def contradictions(self) -> Iterator[str]:
        """Refuse shares that are negative or do not sum to 1."""
        total = sum(self.shares.values())
        if any(share < 0 for share in self.shares.values()):
            yield f"reward.fairness.shares must not be negative: {self.shares}"
        elif self.shares and abs(total - 1.0) > 1e-4:
            yield f"reward.fairness.shares must sum to 1, not {total:g}: {self.shares}"


@dataclass
class SentimentConfig:
    """Sentiment of the user's text after the slate: the probability of a positive text minus that of a negative one."""

    label: str = option("sentiment", "name of the label set in the run's labels")
    positive: str = option("positive", "label that is worth one")
    negative: str = option("negative", "label that is worth minus one")
