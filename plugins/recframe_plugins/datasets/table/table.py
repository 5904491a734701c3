"""The dataset table: interactions, items and users from tables in files."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recframe.interfaces import Data, Dataset
from recframe_plugins.datasets.files.malformed_rows import MalformedRows, judge
from recframe_plugins.datasets.files.tables import open_table
from recframe_plugins.datasets.interaction_logs.build import LogParts, build_data
from recframe_plugins.datasets.interaction_logs.item_and_user_files import read_item_file, read_user_file
from recframe_plugins.datasets.interaction_logs.log_rows import log_layout, read_log
from recframe_plugins.datasets.pseudonyms.pseudonyms import pseudonyms_of
from recframe_plugins.datasets.table.config import TableConfig

__all__ = ["Table"]


class Table(Dataset):
    """Users, items and interactions from one to three tables; see `TableConfig`."""

    def __init__(self, config: TableConfig) -> None:
        self.config = config

    def load(self) -> Data:
        """Read, check and number everything.

        Raises
        ------
        DataError: something is missing, or rows are malformed; the message names the files, lines and columns, or the setting.
        """
        config = self.config
        pseudonyms = pseudonyms_of(config)
        reports: list[MalformedRows] = []
        # the small files first, so that mistakes in them are reported before the large one is read
        items: pl.DataFrame | None = read_item_file(config, config, reports, config.separator)
        users = read_user_file(config, config, reports, config.separator, hide=config.pseudonymise)
        path = Path(config.interactions).expanduser()
        numbered = bool(config.columns) and all(column.isdigit() for column in config.columns.values())
        table = open_table(
            path,
            "dataset.interactions",
            separator=config.separator,
            encoding=config.encoding,
            malformed=config.malformed,
            numbered=numbered,
        )
        layout = log_layout(table, config)
        log = read_log(table, layout, config.time_unit, hide=config.pseudonymise)
        judge([*reports, log.malformed], config.malformed)
        signals = [signal.name for signal in layout.signals]
        parts = LogParts(path, log.rows, signals, items, users, pseudonyms)
        return build_data(parts, config.text_template, config.profile_template, config.repeats)
