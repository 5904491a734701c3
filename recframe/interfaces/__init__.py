"""What a plugin author implements, one module a kind, and the types that pass between them.

This is the one part of the core, beside `recframe.components` and `recframe.hookspecs`, that plugins import.
Everything that moves during training is batched over N users, lives on one device, and names items by their number, 0 to M - 1, with
`PAD` (-1) for "no item". Letters used for shapes throughout:

    N users simulated at once      K items in a slate       H length of the history
    M items in the catalogue       D dims of a text vector  F feedback signals in the history
    C candidates                   E excluded items         A numbers in a continuous action
    P users with profiles          S dims of a state        d dims of a projected item vector
"""

from recframe.interfaces.agent import Agent, Decision, Experience, NoExperience, Replay, Rollout
from recframe.interfaces.data import Catalog, Data, DataError, Dataset, Interactions, Labels, Texts, Users
from recframe.interfaces.encoder import Encoder, EncoderError, Role
from recframe.interfaces.environment import Environment, EnvironmentSpec, Step, Truth
from recframe.interfaces.history import History
from recframe.interfaces.language_model import LanguageModel, NewModel, TokenLoss
from recframe.interfaces.popularity import self_information
from recframe.interfaces.reward import Reward
from recframe.interfaces.scaling import standardized, symlog
from recframe.interfaces.scoring import allowed_items, best_items, is_excluded, random_items
from recframe.interfaces.state_tracker import ItemProjection, StateTracker
from recframe.interfaces.text_table import TextTable
from recframe.interfaces.token_batches import token_batches
from recframe.interfaces.tuning import Tunable, Tuning
from recframe.interfaces.types import PAD, Observation, Response, Transition

__all__ = [
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
    "History",
    "Interactions",
    "ItemProjection",
    "Labels",
    "LanguageModel",
    "NewModel",
    "NoExperience",
    "Observation",
    "Replay",
    "Response",
    "Reward",
    "Role",
    "Rollout",
    "StateTracker",
    "Step",
    "TextTable",
    "Texts",
    "TokenLoss",
    "Transition",
    "Truth",
    "Tunable",
    "Tuning",
    "Users",
    "allowed_items",
    "best_items",
    "is_excluded",
    "random_items",
    "self_information",
    "standardized",
    "symlog",
    "token_batches",
]
