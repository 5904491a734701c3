"""What the command line knows of a sweep when it hands it over to Hydra, for the sweeper, which Hydra makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig

from recframe.sweeps.sweep_file import SweepFile
from recframe.tracking.identity import RunIdentity, run_identity


@dataclass(frozen=True)
class SweepPlan:
    """A sweep that is about to start.

    file: its command and options; of a sweep that is continued, also the jobs that it has.     resumed: whether it is continued.
    typed: the overrides beside `sweep.resume=`.
    checked: the jobs in which mistakes were looked for, by their overrides.
    identities: of a sweep that is continued, the identity of the run of each of these, as it is now.
    at_end: called with the sweep's folder when no job runs any more, before its summary; for reports.
    """

    file: SweepFile
    resumed: bool = False
    typed: tuple[str, ...] = ()
    checked: set[frozenset[str]] = field(default_factory=set)
    identities: dict[frozenset[str], RunIdentity] = field(default_factory=dict)
    at_end: Callable[[Path], object] = lambda folder: None

    def note_checked(self, overrides: frozenset[str], cfg: DictConfig) -> None:
        """Take down a job that has no mistakes."""
        own = frozenset(text for text in overrides if not is_of_sweep(text))
        self.checked.add(own)
        if self.file.jobs:
            self.identities[own] = run_identity(cfg)


def is_of_sweep(override: str) -> bool:
    """Whether an override is of the section `sweep`, which is about the sweep and not about its runs."""
    return override.lstrip("+").startswith("sweep.")


_current: ContextVar[SweepPlan | None] = ContextVar("sweep", default=None)


@contextmanager
def planned(plan: SweepPlan) -> Iterator[None]:
    """Let `current_plan` be this one within the block."""
    token = _current.set(plan)
    try:
        yield
    finally:
        _current.reset(token)


def current_plan() -> SweepPlan | None:
    """The plan of the sweep that the command line has started, or None."""
    return _current.get()


def merged_overrides(before: tuple[str, ...], more: list[str]) -> list[str]:
    """The overrides of a sweep with more or other ones: an override takes the place of that of the same key, and another launcher or
    sweeper that of one with its settings.
    """
    chosen = tuple(f"{_key(text).replace('/', '.')}." for text in more if _key(text).startswith("hydra/") and text not in before)
    kept: Mapping[str, str] = {_key(text): text for text in before if not _key(text).startswith(chosen)}
    return list({**kept, **{_key(text): text for text in more}}.values())


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
