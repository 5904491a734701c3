"""The settings of `recframe learn`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from recframe.components import bounds_problems, option
from recframe.config import ConfigError
from recframe.config.addresses import DATABASE_VARIABLES
from recframe.rounds.gate import GateSettings


@dataclass(frozen=True)
class LearnSettings:
    """How rounds are made beside a server.

    overrides: of `recframe train`, for the runs of the rounds.   home: where runs and artefacts go; None: `FOLDER.rounds`.
    """

    url: str
    folder: Path
    overrides: Sequence[str] = ()
    home: Path | None = None
    rounds: int | None = option(None, "rounds after which the command ends; null: it goes on until it is stopped", ge=1)
    feedback: int = option(200, "new feedback after which a round begins", ge=1)
    every: float | None = option(None, "seconds after which a round begins although there is less new feedback; null: never", gt=0)
    poll: float = option(5.0, "seconds between two looks at the store", gt=0)
    settle: float = option(60.0, "seconds that feedback may come after a recommendation; younger recommendations are not judged", ge=0)
    hold_out: float = option(
        0.3, "share of the fresh recommendations, the latest, that are not learned from and judge the policy", gt=0, lt=1
    )
    signal: str = option("click", "the signal of feedback by which policies are judged")
    margin: float = option(0.0, "how much less of it a recommendation may earn; 0: none", ge=0)
    level: float = option(0.95, "level of the interval of the difference", ge=0.5, lt=1)
    effective: float = option(
        100.0, "least effective number of recommendations in which the policies differ and what each chooses was shown", ge=2
    )
    places: int | None = option(None, "the first places of slates, which are judged; null: whole slates", ge=1)
    keep: int = option(20, "the last rounds whose runs and artefacts stay; 0: those of all rounds", ge=0)
    trust_remote_code: bool = field(default=False)
    send_variable: str | None = field(default=None)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigError(problems)

    def _problems(self) -> Iterator[str]:
        for one in fields(self):
            if one.metadata:
                for problem in bounds_problems(getattr(self, one.name), one.metadata):
                    yield f"--{one.name.replace('_', '-')}: {problem}"

    @property
    def allowed(self) -> str:
        """The environment variables that may be sent: those of `send_variable`, and the password of the store, which the command names."""
        return ",".join(filter(None, [self.send_variable, *(f"{name}={self.url}" for name in DATABASE_VARIABLES)]))

    @property
    def gate(self) -> GateSettings:
        """What the gate asks for."""
        return GateSettings(self.margin, self.level, self.effective, self.places)

    @property
    def place(self) -> Path:
        """Where runs and artefacts go."""
        home = self.home if self.home is not None else self.folder.absolute().with_name(f"{self.folder.absolute().name}.rounds")
        return home.expanduser().absolute()
