"""`recframe train -m` and `sweep.resume=`: what the command line knows of a sweep before Hydra starts it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from recframe.config.compose.quoting import quoted_value
from recframe.sweeps.plan import SweepPlan, merged_overrides, planned
from recframe.sweeps.signals import sweep_signals
from recframe.sweeps.sweep_file import SweepFile, SweepFolderError
from recframe.tracking.resume_command import SWEEP_NAME

RESUME = "sweep.resume="


def plan_of_sweep(arguments: Sequence[str], options: Namespace) -> tuple[list[str], SweepPlan]:
    """The arguments of a sweep, those of the sweep that is resumed included, and its plan.

    Parameters
    ----------
    arguments: the command line with its options.     options: Hydra's, parsed from it.

    Raises
    ------
    SweepFolderError: there is no sweep to resume.
    ConfigError: what is resumed would run code.
    """
    overrides = [text for text in options.overrides if not text.startswith(RESUME)]
    flags = [text for text in arguments if text not in options.overrides]
    resumed = [text for text in options.overrides if text.startswith(RESUME)]
    config_dir = None if options.config_dir is None else str(Path(options.config_dir).absolute())
    if not resumed:
        return list(arguments), SweepPlan(SweepFile(tuple(overrides), config_dir, options.config_name), at_end=_write_page)
    folder = _value(resumed[-1])
    before = SweepFile.read(folder)
    _check_trust(before, folder, overrides)
    command = merged_overrides(before.command, [*overrides, f"hydra.sweep.dir={quoted_value(folder)}"])
    if config_dir is None and before.config_dir is not None:
        raise SweepFolderError(
            f"sweep.resume={folder}: the sweep was started with --config-dir {before.config_dir}; repeat it, as no file may name it"
        )
    if options.config_name is None and before.config_name is not None:
        flags += ["--config-name", before.config_name]
    file = SweepFile(tuple(command), config_dir or before.config_dir, options.config_name or before.config_name, before.jobs)
    return [*flags, *command], SweepPlan(file, resumed=True, typed=tuple(overrides), at_end=_write_page)


def _write_page(folder: Path) -> None:
    """Write report.html on all runs of the sweep, which has ended."""
    from recframe.reports import try_to_write_page

    try_to_write_page(folder)


def _check_trust(file: SweepFile, folder: str, typed: Sequence[str]) -> None:
    """Refuse to run code because of a file, which may come from somebody else.

    Raises
    ------
    ConfigError: with each override that would run code and is not among those that were typed.
    """
    from recframe.config.compose.trust import recorded_problems, single_values

    recorded = dict.fromkeys([*file.command, *(text for job in file.jobs for text in job.overrides)])
    allowed = {*typed, *single_values(typed)}
    if problems := recorded_problems([text for text in recorded if text not in allowed], f"{folder}/{SWEEP_NAME}"):
        raise problems


def _value(override: str) -> str:
    """The text that an override sets."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        (parsed,) = OverridesParser.create().parse_overrides([override])
        return str(parsed.value())
    except OverrideParseException:
        # a path with special characters, as it was typed
        return override.removeprefix(RESUME)


@contextmanager
def sweeping(plan: SweepPlan | None) -> Iterator[None]:
    """What a sweep needs around Hydra's app: signals are handled, and recframe's sweepers are known. None: a sweep of another app."""

    from recframe.sweeps.sweepers import register_sweepers

    register_sweepers()
    with sweep_signals(), nullcontext() if plan is None else planned(plan):
        yield
