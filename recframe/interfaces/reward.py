"""Rewards: the terms of the operator's objective."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from recframe.interfaces.data import Catalog, Data
from recframe.interfaces.types import Transition


class Reward(ABC):
    """One term of the reward.

    Implement:

    - `__call__(transition, catalog)`: the term for each item of each slate, float32 `[N, K]`, before its weight.

    Optional: `prepare(data)` to read what the term needs of the data, `report` for measures of the term itself, `caveats` for what limits
    its results.

    Built as `factory(config)`.

    Where users answer questions, a term is given transitions and a catalogue without them: histories have items only, and `slate` is `PAD`
    where no item was shown, at which places its value is not used. A term that is about questions sets `rates_questions = True`: it is
    given what happened, and the whole catalogue.

    A log says what people did with the items that it shows, and not what they would have done with others. A term is 0 for such items,
    unless it says that its value does not depend on what people do: `reads_response = False`.

    A term declares the response signals that it reads in `Component.requires` ("signal:click"). A term whose value for an item depends
    only on that item and its own signals also declares `provides={"itemwise"}`. Only such terms can rank single items by
    the truth (the oracle and greedy reference policies).
    """

    rates_questions: bool = False
    """Whether the term is about questions, too; if not, it is 0 wherever no item is shown."""

    reads_response: bool = True
    """Whether the term depends on `response`, or on what else the slate led to; if not, it can rate items that were never shown."""

    @abstractmethod
    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The term for each item of each slate, float32 `[N, K]`, before its weight.

        `transition.reward` and `transition.item_reward` are zeros here: they are being computed. In evaluation the transition contains
        only the users who are still evaluated; they become fewer as sessions end.
        """

    def prepare(self, data: Data) -> None:
        """Read what the term needs of the data besides the catalogue; called once, before the first step.

        `data` contains text vectors and labels as the encoder gave them, on the run's device, also where the agent reads
        shuffled ones (`embeddings.shuffle`).

        Raises
        ------
        DataError: the data lacks what the term needs.
        """

    def report(self) -> dict[str, float]:
        """Measures of the term itself, such as how well a judge's grades agree with real ratings; for `result.json` and the terminal.

        It is asked after `prepare`, before training. Names that end in `/decile_1_predicted` and `/decile_1_observed`, up to 10, are shown
        as a table.
        """
        return {}

    def caveats(self) -> tuple[str, ...]:
        """What a reader must know before the results, such as that a judge is at chance; one sentence each, as those of environments."""
        return ()
