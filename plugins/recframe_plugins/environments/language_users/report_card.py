"""The report card of language users: what the model answers about held-out real ratings, beside the item mean and matrix factorization.

People are asked about items that they really rated, with personas that do not know these ratings. Each slate is asked about in both orders
if it has several items: the answer is the mean of the two, and the position bias is

    mean over items of P(click | earlier in the slate) - P(click | later in the slate)

which is 0 if the place of an item does not matter, whatever the items are. The two models are fitted to what the personas may know, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from recframe.interfaces import Data
from recframe.report_cards import CardRatings, PeopleBootstrap, RatingScale, agreement, card_ratings, chance_verdicts
from recframe_plugins.environments.language_users.config import LanguageUsersConfig
from recframe_plugins.environments.language_users.opinions import Opinions, Respondents
from recframe_plugins.environments.language_users.people import Population
from recframe_plugins.environments.language_users.visits import Visit
from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions, Ratings, fit_ratings

PREFIX = "user_model/"
SCORES = {"click": "clicks of the language model", "rating": "ratings of the language model"}
REGULARIZATION, BIAS_REGULARIZATION, ITERATIONS = 10.0, 2.0, 15


def ratings_for_card(config: LanguageUsersConfig, data: Data, people: Population, scale: RatingScale | None) -> CardRatings | None:
    """The ratings that the card asks about; None: there are none, or the people are not those who rated."""
    if scale is None or not people.known or data.interactions is None or not config.card_people:
        return None
    per_person = -(-config.card_ratings // config.slate_size) * config.slate_size
    return card_ratings(data.interactions, config.feedback, config.card_people, per_person, config.world_seed, among=people.numbers)


def report_card(
    config: LanguageUsersConfig, data: Data, asked: CardRatings, scale: RatingScale, respondents: Respondents
) -> dict[str, float]:
    """The measures of `agreement`, and `position_bias`, each under `user_model/`.

    respondents: who have personas of `asked.known` alone.
    """
    slate_size = config.slate_size
    first, second = _both_orders(asked, respondents, slate_size)
    click, rating = (first.click + second.click) / 2, (first.rating + second.rating) / 2
    unusable = 1.0 - (first.usable.double() + second.usable) / 2
    people = asked.people[:, None].expand_as(asked.items)
    shape = asked.items.shape
    measures = agreement(
        people,
        asked.ratings >= scale.like_from,
        {"click": click.reshape(shape), "rating": rating.reshape(shape)},
        _baselines(config, data, asked),
        click.reshape(shape),
        unusable.repeat_interleave(slate_size).reshape(shape),
        PREFIX,
    )
    if slate_size > 1:
        measures |= _position_bias(first.click - second.click, people.reshape(-1, slate_size)[:, 0])
    return measures


def card_caveats(card: Mapping[str, float], instead: str) -> Iterator[str]:
    """What a reader of results must know of this user model."""
    yield from chance_verdicts(card, SCORES, PREFIX)
    if card[f"{PREFIX}unusable_answers"]:
        yield f"{card[f'{PREFIX}unusable_answers']:.0%} of the answers about held-out ratings could not be used; {instead}"
    said, liked = card[f"{PREFIX}share_said"], card[f"{PREFIX}share_liked"]
    more = "more" if said > liked else "less"
    yield from _beyond_zero(
        card, "yes_bias", f"the language model likes {more} than people do: {said:.0%} of the items, people {liked:.0%}"
    )
    earlier = "first" if card.get(f"{PREFIX}position_bias", 0.0) > 0 else "last"
    yield from _beyond_zero(card, "position_bias", f"the language model clicks more on what stands {earlier} in a slate, whatever it is")


def _beyond_zero(card: Mapping[str, float], name: str, sentence: str) -> Iterator[str]:
    value, low, high = (card.get(f"{PREFIX}{name}{end}", 0.0) for end in ("", "_low", "_high"))
    if low > 0.0 or high < 0.0:
        yield f"{sentence} ({name.replace('_', ' ')} {value:+.2f} [{low:+.2f}, {high:+.2f}])"


def _both_orders(asked: CardRatings, respondents: Respondents, slate_size: int) -> tuple[Opinions, Opinions]:
    """The opinions of all slates as they are and in the reverse order, both in the order of the first."""
    slates = asked.items.view(-1, slate_size)
    people = asked.people.repeat_interleave(len(slates) // len(asked.people))
    order = [Visit(person, slate) for person, slate in zip(people.tolist(), slates.tolist(), strict=True)]
    if slate_size == 1:
        opinions = respondents.opinions(order)
        return opinions, opinions
    both = respondents.opinions([*order, *(visit._replace(slate=visit.slate[::-1]) for visit in order)])
    half = len(order)
    return (
        Opinions(both.click[:half], both.rating[:half], both.usable[:half]),
        Opinions(both.click[half:].flip(1), both.rating[half:].flip(1), both.usable[half:]),
    )


def _position_bias(differences: Tensor, people: Tensor) -> dict[str, float]:
    """From P(click) of each item in the first order less that in the second one, `[S, K]`; the item in the middle has no other place."""
    half = differences.shape[1] // 2
    earlier_less_later = torch.cat([differences[:, :half], -differences[:, -half:]], dim=1).double()
    numbers = people.unique(return_inverse=True)[1].numpy()
    sums = np.bincount(numbers, weights=earlier_less_later.sum(dim=1).numpy())
    counts = np.bincount(numbers).astype(np.float64) * 2 * half
    return PeopleBootstrap(len(sums)).ratio(sums, counts).entries(f"{PREFIX}position_bias")


def _baselines(config: LanguageUsersConfig, data: Data, asked: CardRatings) -> dict[str, Tensor]:
    """The predictions `[P, n]` of the mean rating of each item, and of a matrix factorization."""
    options = FitOptions(config.card_factors, REGULARIZATION, BIAS_REGULARIZATION, ITERATIONS, seed=0)
    assert data.interactions is not None
    known = Ratings.of(replace(data.interactions, frame=asked.known, features=None), config.feedback)
    users = int(max(known.users.max(), asked.people.max())) + 1
    model = fit_ratings(known, users, len(data.catalog), options)
    people = asked.people[:, None].expand_as(asked.items)
    predicted = model.predict(people.flatten(), asked.items.flatten()).view(asked.items.shape)
    return {"item_mean": asked.item_means(config.feedback, len(data.catalog))[asked.items], "matrix_factorization": predicted}
