"""The dataset bandit_log: decisions of a policy that were logged with their propensities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
from torch import Tensor

from recframe.feedback.exported_lists import is_file_of_lists, lists_path, read_lists
from recframe.interfaces import Data, DataError, Dataset
from recframe_plugins.datasets.bandit_log.config import BanditLogConfig
from recframe_plugins.datasets.bandit_log.features import feature_columns, feature_matrix
from recframe_plugins.datasets.files.malformed_rows import MalformedRows, judge
from recframe_plugins.datasets.files.tables import open_table
from recframe_plugins.datasets.interaction_logs.build import LogParts, build_data
from recframe_plugins.datasets.interaction_logs.item_and_user_files import read_item_file
from recframe_plugins.datasets.interaction_logs.log_rows import log_layout, read_log
from recframe_plugins.datasets.interaction_logs.logged_choices import LISTS, asked_columns, logged_choices
from recframe_plugins.datasets.pseudonyms.pseudonyms import pseudonyms_of

__all__ = ["BanditLog"]

ITEM_CONTEXT = "item_context.csv"


class BanditLog(Dataset):
    """Items that a policy showed, with what came of it; see `BanditLogConfig`. The context is in `Interactions.features`."""

    def __init__(self, config: BanditLogConfig) -> None:
        self.config = config

    def load(self) -> Data:
        """Read, check and number everything.

        Raises
        ------
        DataError: something is missing, such as propensities, or rows are malformed; the message names the files, lines and columns, or the
            setting.
        """
        config = self.config
        pseudonyms = pseudonyms_of(config)
        path, item_context = files_of(Path(config.interactions).expanduser())
        if config.items is None and item_context is not None:
            config = replace(config, items=str(item_context))
        reports: list[MalformedRows] = []
        items = read_item_file(config, config, reports, config.separator)
        table = open_table(
            path,
            "dataset.interactions",
            separator=config.separator,
            encoding=config.encoding,
            malformed=config.malformed,
            numbered=bool(config.columns) and all(column.isdigit() for column in config.columns.values()),
        )
        layout = log_layout(table, config, required=("item", "propensity"))
        if not layout.signals:
            raise DataError(
                f"{path}: no column looks like a reward (reward, click, rating, ...); name it with +dataset.feedback.reward=COLUMN"
            )
        features = feature_columns(table, config.features, layout.wanted)
        layout = replace(layout, features=features, asked=asked_columns(table))
        log = read_log(table, layout, config.time_unit, hide=config.pseudonymise)
        judge([*reports, log.malformed], config.malformed)

        def matrix(rows: pl.DataFrame) -> Tensor:
            return feature_matrix(path, rows, features, config.categories)

        signals = [signal.name for signal in layout.signals]
        parts = LogParts(path, log.rows, signals, items, pseudonyms=pseudonyms, features=matrix if features else None)
        if layout.asked:
            parts = parts._replace(find_choices=lambda rows, ids: logged_choices(path, rows, ids, _lists_beside(path)))
        return build_data(parts, config.text_template, repeats=config.repeats)


def _lists_beside(log: Path) -> Callable[[Sequence[str]], pl.DataFrame]:
    """Finds lists of items by their names in the file beside an exported log, where there is one.

    Raises
    ------
    DataError: the file is broken, such as one that was cut off.
    """
    path = lists_path(log)
    try:
        found = read_lists(path) if is_file_of_lists(path) else pl.DataFrame(schema=dict(LISTS))
    except pl.exceptions.PolarsError:
        raise DataError(f"{path}: 'items' is no JSON list of ids in some row; export the log again") from None
    return lambda names: found.filter(pl.col("name").is_in(names))


def files_of(path: Path) -> tuple[Path, Path | None]:
    """The file of decisions and that of item contexts, of a folder in Open Bandit's layout; a file stands for itself.

    Raises
    ------
    DataError: a folder has none or several files of decisions.
    """
    if not path.is_dir():
        return path, None
    found = sorted(one for one in path.glob("*.csv") if one.name != ITEM_CONTEXT)
    if len(found) != 1:
        names = ", ".join(one.name for one in found) or "no .csv file"
        raise DataError(f"dataset.interactions={path}: holds {names} (besides {ITEM_CONTEXT}), expected one file; give the file itself")
    return found[0], path / ITEM_CONTEXT if (path / ITEM_CONTEXT).is_file() else None
