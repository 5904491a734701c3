"""Options of the dataset table. Imports no torch."""

from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import option
from recframe_plugins.datasets.interaction_logs.config import (
    ItemTableConfig,
    LogColumnsConfig,
    SeparatorConfig,
    TextFilesConfig,
    UserTableConfig,
)
from recframe_plugins.datasets.pseudonyms.config import PseudonymConfig


@dataclass
class InteractionFileConfig:
    """The file of a log."""

    interactions: str = option(
        MISSING, "file with a row for each interaction: .csv, .tsv, .parquet or JSON lines, also compressed (.gz, .zip)", exists=True
    )


@dataclass
class TableConfig(
    PseudonymConfig, TextFilesConfig, SeparatorConfig, UserTableConfig, ItemTableConfig, LogColumnsConfig, InteractionFileConfig
):
    """Interactions, and optionally items and users, from tables: CSV with any separator, TSV, Parquet or JSON lines, also in .gz or .zip.

    Columns, separators and types are found out, and the log says what was found. A row that cannot be used stops the load with its file,
    line and column, or is skipped and counted; what is doubtful is a warning with a count. Users are those of the log, in the order of
    their first rows; items are those of the table of items, then those that only the log has. Without times, the order of the rows
    stands for the order in time.
    """
