"""Options of the dataset recbole_atomic. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import MISSING

from recframe.components import option
from recframe_plugins.datasets.interaction_logs.config import LogColumnsConfig, TextFilesConfig
from recframe_plugins.datasets.pseudonyms.config import PseudonymConfig


@dataclass
class AtomicFilesConfig:
    """The atomic files."""

    path: str = option(
        MISSING, "folder with NAME.inter, and NAME.item, .user, .kg, .link if there are such; or the .inter file", exists=True
    )


@dataclass
class RecboleAtomicConfig(PseudonymConfig, TextFilesConfig, LogColumnsConfig, AtomicFilesConfig):
    """The atomic files of RecBole: tables with tabs between the fields and a header of `name:type`.

    Types are `token`, `token_seq` (lists between blanks), `float` and `float_seq`. The columns of `.item` and `.user` are attributes;
    `.link` and `.kg` add the attributes `entity` (the item's in the knowledge graph) and `neighbours` (the entities that it shares a triple
    with).
    """

    text_template: str = option(
        "{title}", "text of an item for the encoder, from {title} and the other columns of .item; missing attributes are left out"
    )
    profile_template: str | None = option(
        None, "text about a user for the encoder, from the columns of .user, as in text_template; null: users have no text"
    )

    def contradictions(self) -> Iterator[str]:
        """Columns have names: the files have headers."""
        for role, column in self.columns.items():
            if ":" in column:
                yield f"dataset.columns.{role}={column}: leave the type out, as in {column.partition(':')[0]}"
