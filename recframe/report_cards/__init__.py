"""Report cards: how well something that claims to know what people like agrees with their held-out real ratings.

They are for simulated users and for judges: each is asked about ratings that it has not been told, and is measured beside the mean rating
of an item and whatever else the caller fits. People are the unit of every interval, as the ratings of one person depend on each other.
"""

from recframe.report_cards.agreement import agreement
from recframe.report_cards.calibration import calibration_error, calibration_of, deciles
from recframe.report_cards.card_ratings import CardRatings, card_ratings
from recframe.report_cards.discrimination import PairCounts, pair_counts
from recframe.report_cards.people_bootstrap import BootstrapEstimate, PeopleBootstrap
from recframe.report_cards.rating_scale import USUAL_SCALE, RatingScale, rating_scale, warn_without_ratings
from recframe.report_cards.verdicts import chance_verdicts

__all__ = [
    "USUAL_SCALE",
    "BootstrapEstimate",
    "CardRatings",
    "PairCounts",
    "PeopleBootstrap",
    "RatingScale",
    "agreement",
    "calibration_error",
    "calibration_of",
    "card_ratings",
    "chance_verdicts",
    "deciles",
    "pair_counts",
    "rating_scale",
    "warn_without_ratings",
]
