"""The launch of a Hydra app, which `recframe train` and `recframe pretrain` share. Nothing heavy is imported before a job starts."""

from __future__ import annotations

import gc
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recframe.cli.uncollected import uncollected
from recframe.components import Kind
from recframe.errors import Stop, UserError
from recframe.files import REFUSALS
from recframe.plugin_loader import registry
from recframe.sweeps.side_by_side import threads_noted

if TYPE_CHECKING:
    from recframe.config import App
    from recframe.config.compose.initialize import ConfigGroups
    from recframe.config.compose.shared_composition import Bases
    from recframe.sweeps.plan import SweepPlan

HYDRA_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Settings of a typer command that leaves its arguments to Hydra."""


def run_app(app: App, arguments: list[str], job: Callable[[Any], float], show_help: Callable[[ConfigGroups], None]) -> None:
    """Check the arguments and run a Hydra app with them.

    Parameters
    ----------
    job: the function that Hydra calls with the config of each job.
    show_help: prints the help of the app in place of Hydra's, which takes seconds.

    Raises
    ------
    ConfigError: with every mistake in the arguments.
    UserError: if the folder of the run cannot be created.
    """
    from recframe.config import TRAIN, ConfigError, find_mistakes
    from recframe.config.compose.initialize import initialized
    from recframe.config.compose.multirun import left_to_jobs
    from recframe.config.compose.options import parse_options
    from recframe.config.compose.overrides import sweep_problems, without_nulls
    from recframe.config.compose.search_path import install_search_path
    from recframe.config.compose.shared_composition import composed_once
    from recframe.config.compose.study import SweepFiles, sweep_files
    from recframe.config.compose.typed_text import text_as_typed
    from recframe.config.schema.store import store_schemas

    # Hydra reads no setting behind its options, where people add -m to a command that they have
    arguments = sorted(text_as_typed(without_nulls(arguments), app), key=lambda argument: argument not in ("-m", "--multirun"))
    options, problems = parse_options(arguments, app.command)
    if options.help and not problems:
        with initialized(options.config_dir) as groups:
            return show_help(groups)
    plan = None
    if options.multirun and app is TRAIN and not problems:
        from recframe.cli.sweep import plan_of_sweep

        arguments, plan = plan_of_sweep(arguments, options)
        options, problems = parse_options(arguments, app.command)
    files = SweepFiles([], False)
    if options.multirun and not problems:
        files = sweep_files(options.overrides, options.config_dir, options.config_name, app)
        added = text_as_typed(files.added, app)
        arguments, options.overrides = [*arguments, *added], [*options.overrides, *added]
    modes: set[Any] = set()
    composed: Bases = OrderedDict()
    if not (options.hydra_help or options.shell_completion or options.info):
        if not options.multirun and not any(text.startswith("hydra.mode=") for text in options.overrides):
            problems += sweep_problems(options.overrides, app)
        # a search makes its jobs as it goes
        visit = None if plan is None or files.searches else plan.note_checked
        # a sweep composes each choice of files once here, and its jobs share what they compose themselves
        with uncollected(), nullcontext() if options.multirun else composed_once(composed):
            problems += find_mistakes(
                options.overrides, options.config_dir, options.config_name, app, visit, searched=files.searches, modes=modes
            )
    if problems:
        raise ConfigError(problems)
    _warn_of_refused_configs(options.overrides)
    if options.multirun:
        arguments = left_to_jobs(arguments, options.overrides)
    install_search_path()
    store_schemas()
    mode_known = modes == {None}
    if not mode_known or options.multirun or any("hydra" in text for text in options.overrides):
        from recframe.sweeps.launchers import register_launchers

        register_launchers()
    with (
        # a job collects again; the process of a sweep makes the configs of many
        nullcontext() if options.multirun else uncollected(),
        _known_mode() if mode_known else nullcontext(),
        nullcontext() if options.multirun else _known_config(composed),
        _sweeping(plan) if options.multirun else nullcontext(),
    ):
        _launch(app, arguments, job, options.multirun)


def _launch(app: App, arguments: list[str], job: Callable[[Any], float], multirun: bool) -> None:
    """Call Hydra with checked arguments."""
    from recframe.config.compose.sources import written_sources

    # the program's name in completion scripts and in Hydra's help
    sys.argv = ["recframe", *arguments]
    import hydra

    try:
        # in a sweep, jobs may run in other processes, which must not go on without this one
        with written_sources(), threads_noted():
            hydra.main(version_base="1.3", config_path="pkg://recframe.conf", config_name=app.config_name)(job)()
    except OSError as error:
        if error.errno in REFUSALS and error.filename and not _passed_through(error, job):
            # before the job starts, Hydra makes its folder
            key = "pretrain.folder" if app.command == "pretrain" else "hydra.sweep.dir" if multirun else "hydra.run.dir"
            raise UserError(f"{error.filename}: cannot be created ({error.strerror}); choose another folder with {key}=") from None
        raise


@contextmanager
def _known_mode() -> Iterator[None]:
    """Within the block, Hydra does not compose the config once more to learn whether it names a mode: it names none."""
    from hydra._internal.hydra import Hydra

    asks = Hydra.get_mode
    Hydra.get_mode = lambda hydra, config_name, overrides: None  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = asks  # type: ignore[method-assign]


@contextmanager
def _known_config(composed: Bases) -> Iterator[None]:
    """Within the block, Hydra sets the values of a single run in what has been composed, and does not compose it once more."""
    from hydra._internal.hydra import Hydra

    from recframe.config.compose.shared_composition import SharedComposition

    runs = Hydra.run

    def run(hydra: Hydra, *arguments: Any, **options: Any) -> Any:
        Hydra.run = runs  # type: ignore[method-assign]  # a job may run another app
        hydra.config_loader = SharedComposition.of(hydra.config_loader, composed)
        return runs(hydra, *arguments, **options)

    Hydra.run = run  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        Hydra.run = runs  # type: ignore[method-assign]


@contextmanager
def _sweeping(plan: SweepPlan | None) -> Iterator[None]:
    from recframe.cli.sweep import sweeping

    with sweeping(plan):
        yield


def _warn_of_refused_configs(overrides: Sequence[str]) -> None:
    """Say which plugins' config folders were left out because of a name that is chosen here. A run says it of its components."""
    for text in overrides:
        group, _, values = text.lstrip("+").partition("=")
        for value in values.strip("[]").split(","):
            for failure in registry().refused_claims(group, value.strip()) if group not in list(Kind) else []:
                print(f"recframe: warning: {failure}", file=sys.stderr)


def _passed_through(error: BaseException, function: Callable[..., Any]) -> bool:
    """Whether `error` was raised in a call of `function`."""
    code = getattr(function, "__code__", None)
    return any(frame.f_code is code for frame, _ in traceback.walk_tb(error.__traceback__))


def run_job(run: Callable[[str, list[str], str | None], float]) -> float:
    """Call `run` with the folder of the current Hydra job, its overrides, and the name of the sweep, or None without one.

    `run` imports what is heavy, so that a job of a sweep handles signals from its first moment.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    gc.enable()
    hydra_cfg = HydraConfig.get()
    sweep = Path(hydra_cfg.sweep.dir).name if hydra_cfg.mode == RunMode.MULTIRUN else None
    # as they were written: iterating over them would fill in values of environment variables, which may be secrets
    overrides: Any = OmegaConf.to_container(hydra_cfg.overrides.task, resolve=False)
    folder = hydra_cfg.runtime.output_dir
    try:
        if sweep is None:
            return run(folder, overrides, sweep)
        from recframe.sweeps.jobs import in_sweep

        return in_sweep(hydra_cfg.job.num, folder, lambda: run(folder, overrides, sweep))
    except UserError as error:
        if sweep is None:
            # Hydra would print a line of its own; in a sweep it must know of the error, and it runs the next job
            raise Stop(str(error), error.exit_code) from error
        raise
