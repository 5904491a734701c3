"""The error for a wrong configuration, with all of its problems at once."""

from __future__ import annotations

from collections.abc import Sequence

from recframe.errors import UserError


class ConfigError(UserError, ValueError):
    """A config that cannot run. `problems` has one line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))

    @property
    def lines(self) -> list[str]:
        """One line for each mistake."""
        return self.problems
