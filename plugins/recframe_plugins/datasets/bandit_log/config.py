"""Options of the dataset bandit_log. Imports no torch."""

from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import option
from recframe_plugins.datasets.interaction_logs.config import ItemTableConfig, LogColumnsConfig, SeparatorConfig, TextFilesConfig
from recframe_plugins.datasets.pseudonyms.config import PseudonymConfig


@dataclass
class DecisionsConfig:
    """The log of decisions."""

    interactions: str = option(
        MISSING,
        "file with a row for each item shown, in the formats of table; or a folder of Open Bandit: one .csv file, and item_context.csv",
        exists=True,
    )


@dataclass
class BanditLogConfig(PseudonymConfig, TextFilesConfig, SeparatorConfig, ItemTableConfig, LogColumnsConfig, DecisionsConfig):
    """Logged decisions: context, item (the action), reward, propensity, and place in the slate.

    The layout of the Open Bandit Dataset (Saito et al., 2021) is read as it is; others by `columns`. Propensities, greater than 0 and at
    most 1, and a reward are needed. Without a column of users, each row is a user of its own: decisions are then independent.
    """

    features: list[str] | None = option(
        None,
        "columns of the context, or patterns such as user_feature_*; null: those named as in Open Bandit, or context*, feature*; []: none",
    )
    categories: str = option(
        "one_hot",
        "columns of the context that hold text: a column of 0 and 1 for each value, or the value's number",
        choices=["one_hot", "index"],
    )
