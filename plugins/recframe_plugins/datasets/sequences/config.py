"""Options of the dataset sequences. Imports no torch."""

from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import option
from recframe_plugins.datasets.interaction_logs.config import ItemTableConfig, SeparatorConfig, TextFilesConfig
from recframe_plugins.datasets.pseudonyms.config import PseudonymConfig


@dataclass
class SequenceFileConfig:
    """The file of the sequences."""

    interactions: str = option(MISSING, "file with a line for each user: their id, then items in order; also .gz or .zip", exists=True)


@dataclass
class SequencesConfig(PseudonymConfig, TextFilesConfig, SeparatorConfig, ItemTableConfig, SequenceFileConfig):
    """One line a user: their id, then their items in order of time, between blanks, tabs, commas or other separators.

    The items may have another separator than stands after the id (`id TAB item,item,item`). There are no times: an item's place in its
    line stands for it. Feedback is implicit.
    """
