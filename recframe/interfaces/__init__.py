"""The classes that a plugin author implements, one module per kind, and the types that pass between the parts.

Plugins import from this package, `recframe.components` and `recframe.hookspecs`; agents also from `recframe.item_agents`.
Everything that changes during training is batched over N users, lives on one device, and identifies items by their number, 0 to M - 1, with
`PAD` (-1) for "no item". Letters in shapes:

    N users simulated at once      K items in a slate       H length of the history
    M items in the catalogue       D dims of a text vector  F feedback signals in the history
    C candidates                   E excluded items         A numbers in a continuous action
    P users in the data            S dims of a state        d dims of a projected item vector
    Q questions among the M items
"""

import recframe.lean_imports  # noqa: F401  before tensordict is imported

# isort: split
from recframe.interfaces.agent import Agent, Decision, StageName
from recframe.interfaces.beginnings import beginnings, trailing_windows
from recframe.interfaces.data import Catalog, Data, DataError, Interactions, Labels, Texts, Users
from recframe.interfaces.dataset import Dataset
from recframe.interfaces.division import UserDivision, dividing_users, division, mean_of_all, own_draws, own_minibatches, sum_of_all
from recframe.interfaces.encoder import Encoder, EncoderError, Role
from recframe.interfaces.environment import Environment, EnvironmentSpec, Split, Step, Truth
from recframe.interfaces.experience import Experience, NoExperience, Replay, Rollout, Sequences, WholeLog
from recframe.interfaces.generators import restore_generator
from recframe.interfaces.groups import first_sessions, groups_of, next_sessions
from recframe.interfaces.history import History
from recframe.interfaces.item_projection import ItemProjection
from recframe.interfaces.language_model import LanguageModel, NewModel, TokenLoss
from recframe.interfaces.logged_choices import NO_LIST, LoggedChoices
from recframe.interfaces.logs import Log, SequenceBatch
from recframe.interfaces.popularity import self_information, smoothed_popularity
from recframe.interfaces.principal_components import (
    PrincipalComponents,
    coordinates_by,
    covariance_matrix,
    principal_components,
    principal_coordinates,
)
from recframe.interfaces.questions import asks, items_alone, shown_places, without_questions
from recframe.interfaces.ranker import Ranker
from recframe.interfaces.responses import ResponseLog
from recframe.interfaces.reward import Reward
from recframe.interfaces.run_logger import FinalResults, RunDescription, RunLogger
from recframe.interfaces.scaling import standardization, standardized, symlog
from recframe.interfaces.scoring import allowed_items, best_items, is_excluded, may_run_out, num_allowed, random_items, runs_out
from recframe.interfaces.shared import FrozenTable, Shared
from recframe.interfaces.state_tracker import StateTracker
from recframe.interfaces.text_table import TextTable, independent_copy, tables_of
from recframe.interfaces.token_batches import token_batches
from recframe.interfaces.token_reading import TokenReading
from recframe.interfaces.transitions import transition_of
from recframe.interfaces.tuning import Tunable, TuningSettings
from recframe.interfaces.types import PAD, Observation, Response, Transition

__all__ = [
    "NO_LIST",
    "PAD",
    "Agent",
    "Catalog",
    "Data",
    "DataError",
    "Dataset",
    "Decision",
    "Encoder",
    "EncoderError",
    "Environment",
    "EnvironmentSpec",
    "Experience",
    "FinalResults",
    "FrozenTable",
    "History",
    "Interactions",
    "ItemProjection",
    "Labels",
    "LanguageModel",
    "Log",
    "LoggedChoices",
    "NewModel",
    "NoExperience",
    "Observation",
    "PrincipalComponents",
    "Ranker",
    "Replay",
    "Response",
    "ResponseLog",
    "Reward",
    "Role",
    "Rollout",
    "RunDescription",
    "RunLogger",
    "SequenceBatch",
    "Sequences",
    "Shared",
    "Split",
    "StageName",
    "StateTracker",
    "Step",
    "TextTable",
    "Texts",
    "TokenLoss",
    "TokenReading",
    "Transition",
    "Truth",
    "Tunable",
    "TuningSettings",
    "UserDivision",
    "Users",
    "WholeLog",
    "allowed_items",
    "asks",
    "beginnings",
    "best_items",
    "coordinates_by",
    "covariance_matrix",
    "dividing_users",
    "division",
    "first_sessions",
    "groups_of",
    "independent_copy",
    "is_excluded",
    "items_alone",
    "may_run_out",
    "mean_of_all",
    "next_sessions",
    "num_allowed",
    "own_draws",
    "own_minibatches",
    "principal_components",
    "principal_coordinates",
    "random_items",
    "restore_generator",
    "runs_out",
    "self_information",
    "shown_places",
    "smoothed_popularity",
    "standardization",
    "standardized",
    "sum_of_all",
    "symlog",
    "tables_of",
    "token_batches",
    "trailing_windows",
    "transition_of",
    "without_questions",
]
