"""Registers the built-in datasets. Imports no torch, as composing a config imports this module."""

from collections.abc import Callable

from recframe.components import Component, Kind
from recframe.hookspecs import hookimpl
from recframe_plugins.datasets.bandit_log.config import BanditLogConfig
from recframe_plugins.datasets.feedback.config import FeedbackDatasetConfig
from recframe_plugins.datasets.movielens.config import MovieLensFormatConfig
from recframe_plugins.datasets.rating_matrix.config import RatingMatrixDatasetConfig
from recframe_plugins.datasets.recbole_atomic.config import RecboleAtomicConfig
from recframe_plugins.datasets.sequences.config import SequencesConfig
from recframe_plugins.datasets.synthetic.config import SyntheticConfig
from recframe_plugins.datasets.synthetic_ratings.config import SyntheticRatingsConfig
from recframe_plugins.datasets.table.config import TableConfig


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the built-in datasets."""

    def dataset(name: str, config: type, implementation: str, *provides: str) -> None:
        register(Component(Kind.DATASET, name, config, f"recframe_plugins.datasets.{implementation}", provides=frozenset(provides)))

    generated = ("users", "attribute:topics", "attribute:title", "attribute:description", "attribute:tags", "utterances?utterances")
    dataset("synthetic", SyntheticConfig, "synthetic.synthetic:Synthetic", *generated)
    logged = ("interactions", "attribute:title", "attribute:genres", "attribute:year")
    dataset("movielens_format", MovieLensFormatConfig, "movielens.movielens_format:MovieLensFormat", *logged)
    log, profiles = ("interactions", "attribute:title"), "users?profile_template"
    dataset("table", TableConfig, "table.table:Table", *log, profiles, "attribute:*?items")
    dataset("recbole_atomic", RecboleAtomicConfig, "recbole_atomic.recbole_atomic:RecboleAtomic", *log, profiles, "attribute:*")
    dataset("sequences", SequencesConfig, "sequences.sequences:SequenceLines", *log, "attribute:*?items")
    # a folder of Open Bandit has a table of items without `items`
    dataset("bandit_log", BanditLogConfig, "bandit_log.bandit_log:BanditLog", *log, "attribute:*")
    dataset("feedback", FeedbackDatasetConfig, "feedback.feedback:FeedbackDataset", *log, "users?profiles", "attribute:*")
    dataset(
        "rating_matrix", RatingMatrixDatasetConfig, "rating_matrix.rating_matrix:RatingMatrixDataset", "rating_matrix", "attribute:title"
    )
    dataset(
        "synthetic_ratings",
        SyntheticRatingsConfig,
        "synthetic_ratings.synthetic_ratings:SyntheticRatings",
        "rating_matrix",
        "attribute:title",
    )
