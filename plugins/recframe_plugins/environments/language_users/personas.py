"""Personas: the text that tells a language model whom it plays."""

from __future__ import annotations

import polars as pl

from recframe.interfaces import Data
from recframe.report_cards import RatingScale
from recframe_plugins.environments.language_users.config import PersonaConfig
from recframe_plugins.environments.language_users.people import Population, histories
from recframe_plugins.environments.language_users.visits import titles_of

NOTHING_KNOWN = "Nothing is known of you yet."


class Personas:
    """The texts about people, by number: `personas[7]`. Each is put together when it is first asked for.

    Parameters
    ----------
    frame: the interactions that they are made of, or None.   scale: of the ratings; None: the log has none.
    """

    def __init__(
        self, config: PersonaConfig, data: Data, people: Population, frame: pl.DataFrame | None, scale: RatingScale | None
    ) -> None:
        self.titles = titles_of(data)
        self.profiles = data.users.profiles.texts if people.known and data.users is not None and data.users.profiles is not None else None
        self.written = people.personas
        self.scale = scale
        self._texts: dict[int, str] = {}
        self._histories: dict[int, tuple[list[tuple[int, float]], ...]] = {}
        if self.written is None and frame is not None and config.persona_items:
            feedback = None if scale is None else config.feedback
            self._histories = histories(frame, feedback, 0.0 if scale is None else scale.like_from, config.persona_items)

    def __getitem__(self, person: int) -> str:
        if person not in self._texts:
            self._texts[person] = self._text(person)
        return self._texts[person]

    def _text(self, person: int) -> str:
        if self.written is not None:
            return self.written[person]
        parts = [] if self.profiles is None else [" ".join(self.profiles[person].split())]
        high, low = self._histories.get(person, ([], []))
        if self.scale is None:
            parts += [f"You chose before: {self._listed(high)}."] if high else []
        else:
            scale = f"from {self.scale.shown(self.scale.low)} (worst) to {self.scale.shown(self.scale.high)} (best)"
            parts += [f"You rated before, {scale}:"] if high or low else []
            parts += [f"High: {self._listed(high)}."] if high else []
            parts += [f"Low: {self._listed(low)}."] if low else []
        return " ".join(part for part in parts if part) or NOTHING_KNOWN

    def _listed(self, entries: list[tuple[int, float]]) -> str:
        if self.scale is None:
            return "; ".join(self.titles[item] for item, _ in entries)
        return "; ".join(f"{self.titles[item]} ({self.scale.shown(value)})" for item, value in entries)
