"""Configuration mistakes, collected so that a person sees all of them at once."""

from __future__ import annotations

from collections.abc import Sequence

from recframe.errors import UserError


class ConfigError(UserError, ValueError):
    """A configuration that cannot run. `problems` has one line for each mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))
