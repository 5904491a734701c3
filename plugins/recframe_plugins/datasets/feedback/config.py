"""Options of the dataset feedback. Imports no torch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from omegaconf import MISSING

from recframe.components import option
from recframe_plugins.datasets.pseudonyms.config import PseudonymConfig

# as SQLAlchemy and libpq read an address: user:password@ before the host, or password= after it
PASSWORD = re.compile(r"^[\w+]+://[^:/]*:[^@]+@|[?&](ssl)?password=", re.IGNORECASE)


@dataclass
class FeedbackDatasetConfig(PseudonymConfig):
    """What a served policy showed, with its propensities, and what people did with it, from the store that `recframe serve` writes.

    Items are those of the store's catalogue, users its persons. Everything that holds for logged decisions (`bandit_log`) holds here.
    """

    url: str = option(
        MISSING,
        "the store: sqlite:///FILE, or postgresql://user@host/name; a password is best left to PostgreSQL's own variables and files",
        database=True,
    )
    until: str | None = option(
        None,
        "moment, ISO date and time (UTC if it has no zone), after which nothing is read, so that a run reads the same rows again while the "
        "store grows; null: a few seconds before the run starts, which its config then names",
        moment=True,
    )
    signals: list[str] = option([], "signals, in the order that a policy reads them in; click is always the first; []: all of the store")
    profiles: bool | None = option(None, "whether users have profiles: the last that each gave of themselves; null: if the store has any")

    def contradictions(self) -> Iterator[str]:
        """The address has no password, and the moment is one."""
        yield from super().contradictions()
        if PASSWORD.search(self.url):
            # the value is a secret, which must not be repeated
            yield (
                "dataset.url: an address with a password would be recorded with the run; leave the password out, and give it in PGPASSWORD "
                "or in a password file (~/.pgpass)"
            )
        if self.until is not None:
            try:
                datetime.fromisoformat(self.until)
            except ValueError:
                yield f"dataset.until={self.until}: is no moment; use one such as 2026-03-01T12:00:00"
        for name in self.signals:
            if not name.isidentifier():
                yield f"dataset.signals: {name!r} cannot be the name of a signal; use names such as click"
