"""The dataset feedback: the store of a server, read as a log of decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from recframe.feedback.opened import open_existing
from recframe.interfaces import Data, DataError, Dataset, Texts
from recframe_plugins.datasets.feedback.config import FeedbackDatasetConfig
from recframe_plugins.datasets.feedback.items import require_known_items, stored_catalogue
from recframe_plugins.datasets.feedback.name import file_like
from recframe_plugins.datasets.files.frames import FrameTable
from recframe_plugins.datasets.files.malformed_rows import judge
from recframe_plugins.datasets.interaction_logs.build import LogParts, build_data
from recframe_plugins.datasets.interaction_logs.config import LogColumnsConfig
from recframe_plugins.datasets.interaction_logs.log_rows import log_layout, read_log
from recframe_plugins.datasets.interaction_logs.logged_choices import ASKED, LISTS, asked_columns, logged_choices
from recframe_plugins.datasets.pseudonyms.pseudonyms import pseudonyms_of

if TYPE_CHECKING:
    from recframe.feedback.store import FeedbackStore

__all__ = ["FeedbackDataset"]

COLUMNS = {"user": "user", "item": "item", "time": "timestamp", "session": "session", "position": "position", "propensity": "propensity"}
NOT_SIGNALS = (*COLUMNS.values(), *ASKED, "explored", "exploration", "policy", "version", "line")


class FeedbackDataset(Dataset):
    """What served policies showed, and what came of it; see `FeedbackDatasetConfig`."""

    def __init__(self, config: FeedbackDatasetConfig) -> None:
        self.config = config

    def load(self) -> Data:
        """Read the store up to the moment of the config, and number everything as `bandit_log` does.

        Raises
        ------
        DataError: the store has no decisions or no feedback, or shows items that are not in its catalogue.
        recframe.feedback.StoreError: it cannot be read.
        """
        config = self.config
        pseudonyms = pseudonyms_of(config)
        name, until = file_like(config.url), moment_of(config.until)
        with open_existing(config.url) as store:
            return self._data(store, name, until, pseudonyms)

    def _data(self, store: FeedbackStore, name: Path, until: float | None, pseudonyms: Callable[[Sequence[str]], list[str]]) -> Data:
        config = self.config
        items, log, asked = store.items_frame(), store.log_frame(until=until), store.asked_frame(until=until)
        if log.is_empty():
            raise DataError(f"dataset.url={name}: the store has no recommendation{'' if until is None else f' until {config.until}'} yet")
        signals = config.signals or [column for column in log.columns if column not in NOT_SIGNALS]
        if not signals or not any(signal in log.columns and bool((log[signal] != 0).any()) for signal in signals):
            raise DataError(f"dataset.url={name}: the store has {len(log):,} shown items, and no feedback about any of them yet")
        require_known_items(str(name), items, log)
        log = log.with_columns(pl.lit(0.0).alias(signal) for signal in signals if signal not in log.columns)
        table = FrameTable(name, log.with_row_index("line", 1).with_columns(pl.col("line").cast(pl.Int64)))
        columns = LogColumnsConfig(columns=COLUMNS, feedback={signal: signal for signal in signals}, time_unit="s")
        layout = replace(log_layout(table, columns, required=("item", "propensity")), asked=asked_columns(table))
        read = read_log(table, layout, "s", hide=config.pseudonymise)
        judge([read.malformed], "error")
        catalogue = stored_catalogue(items)

        def lists(names: Sequence[str]) -> pl.DataFrame:
            return pl.DataFrame(list(store.item_lists(names).items()), schema=dict(LISTS), orient="row")

        parts = LogParts(name, read.rows, signals, catalogue.attributes, pseudonyms=pseudonyms)
        data = build_data(parts._replace(find_choices=lambda rows, ids: logged_choices(name, rows, ids, lists)), "{title}")
        # what the encoder of the served policy read, whatever template it was made with
        data = data._replace(catalog=replace(data.catalog, texts=catalogue.texts))
        return self._with_profiles(data, read.rows, asked)

    def _with_profiles(self, data: Data, rows: pl.DataFrame, asked: pl.DataFrame) -> Data:
        """The data with what each person last said of themselves; nothing, where nobody said anything and nothing asks for it."""
        told = asked.drop_nulls("profile").group_by("user").agg(pl.col("profile").last())
        wanted = not told.is_empty() if self.config.profiles is None else self.config.profiles
        if not wanted:
            return data
        assert data.users is not None
        people = rows.select(pl.col("user").unique(maintain_order=True))
        profiles = people.join(told, on="user", how="left", maintain_order="left")["profile"].fill_null("")
        return data._replace(users=replace(data.users, profiles=Texts(profiles.to_list())))


def moment_of(until: str | None) -> float | None:
    """A moment of the config in unix seconds."""
    if until is None:
        return None
    moment = datetime.fromisoformat(until)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
