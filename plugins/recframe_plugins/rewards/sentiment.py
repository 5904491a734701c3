"""The sentiment reward: the sentiment of what users say after a slate, as predicted by the run's labels."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Catalog, Data, DataError, Reward, Transition
from recframe_plugins.rewards.config import SentimentConfig
from recframe_plugins.rewards.equal_shares import equal_shares


class Sentiment(Reward):
    """The probability that the user speaks well of the slate, minus the probability that the user speaks badly of it:

        r_k = (P(positive | text) - P(negative | text)) / K

    where the text is the context of the next observation, and P is from the run's `labels` section. One text is about the whole slate:
    the K items that are shown share its value equally, and their sum is between -1 and 1.

    Raises
    ------
    DataError: raised by `prepare` if contexts have no such labels.
    """

    def __init__(self, config: SentimentConfig) -> None:
        self.config = config
        self.values: Tensor | None = None

    def prepare(self, data: Data) -> None:
        """Look up P(positive) - P(negative) of every context."""
        config = self.config
        labels = None if data.contexts is None else data.contexts.labels.get(config.label)
        if labels is None:
            raise DataError(
                f"reward=sentiment reads the label {config.label!r} of contexts, which do not have it; "
                f"add labels=[{config.label}], and an encoder@world_encoder if the encoder reads no text"
            )
        for option in ("positive", "negative"):
            if (wanted := getattr(config, option)) not in labels.names:
                raise DataError(f"reward.sentiment.{option}: {wanted!r} is not one of the labels {', '.join(labels.names)}")
        positive, negative = (labels.probabilities[:, labels.names.index(name)] for name in (config.positive, config.negative))
        self.values = positive - negative

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """An equal share of the text's sentiment for each item, `[N, K]` in [-1/K, 1/K]; 0 where none is shown.

        Raises
        ------
        RuntimeError: `prepare` was not called.   DataError: the observation has no context.
        """
        if self.values is None:
            raise RuntimeError("call prepare(data) first: it looks up the sentiment of the texts")
        said = transition.next_observation.context
        if said is None:
            raise DataError("reward=sentiment reads what users say, but in this environment they say nothing")
        return equal_shares(self.values[said], transition)
