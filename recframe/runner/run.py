"""A run as a function: `run` trains and evaluates a config, `resume` continues a stopped run. Neither needs the command line.

This module imports torch. The command line imports it only once a config has been found valid.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback

from recframe.building.device import choose_device
from recframe.building.kept_data import forget_data
from recframe.building.parts import assemble
from recframe.building.seeds import derived_seed
from recframe.config import ConfigError, Consent, chosen_components, find_start_problems, logger_settings, recorded, validate
from recframe.console import output_console
from recframe.embeddings import label_report
from recframe.evaluation.table import results_page
from recframe.interfaces import FinalResults, RunDescription
from recframe.plugin_loader import registry
from recframe.runner.failures import recorded_failure
from recframe.runner.final_evaluation import FinalEvaluation, final_evaluation, record_people, result_entries
from recframe.runner.hooks import call_failed, call_finished, call_started, plugin_callbacks
from recframe.runner.metrics_hook import metrics_hooks
from recframe.runner.random_start import started_agent
from recframe.runner.ranks import other_ranks
from recframe.runner.report import log_measured, print_report, report_markdown
from recframe.runner.results import RunContext, RunFailure, RunResult
from recframe.runner.stages import counter_of, stages_of, train_stages
from recframe.runner.threads import RunThreads
from recframe.sweeps.record import at_end_of_sweep
from recframe.tracking import (
    DataRecord,
    RunFolder,
    atomic_write,
    changed_libraries,
    claim_folder,
    read_identity,
    read_result,
    recorded_config,
    run_identity,
    write_result,
)
from recframe.tracking.claim import in_words
from recframe.tracking.provenance import provenance, remember_offers, report_changes, write_provenance
from recframe.tracking.run_log import log_file
from recframe.tracking.run_loggers import RunLoggers
from recframe.training import (
    FINAL,
    LAST,
    Interruption,
    Tuner,
    auxiliary_head,
    device_at,
    progress_at,
    read_tuned,
    require_resumable,
)
from recframe.trial import try_components, try_once

log = logging.getLogger(__name__)


def run(
    cfg: DictConfig,
    folder: str | Path,
    overrides: Sequence[str] = (),
    sweep: str | None = None,
    choices: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    side_by_side: int = 1,
    options: Sequence[str] = (),
) -> RunResult:
    """Train and evaluate what `cfg` describes. A folder that holds this very run goes on: if it is finished, its result is returned.

    Parameters
    ----------
    cfg: a composed config, such as `recframe.config.compose_config([...])` returns.
    folder: the run's folder; it must not hold another run.
    overrides: the overrides behind `cfg`, for the record.     sweep: the sweep's name, for grouping.
    choices: the file that was chosen for each config group, for the record; reports name runs by them.
    callbacks: Lightning callbacks, beside those of plugins.
    side_by_side: the runs that share the cores of this machine, for `trainer.threads=auto`.
    options: those of the command line behind `cfg`, such as `--config-dir`, for the record.

    Raises
    ------
    Pruned: a callback has ended the run, because other settings of its sweep do better.
    recframe.errors.UserError: ConfigError, DataError, RunFolderError, TrainingDiverged ...; the message is for the user.
    """
    cfg = validate(cfg)
    if problems := find_start_problems(cfg):
        raise ConfigError(problems)
    identity = run_identity(cfg)
    with claim_folder(folder, identity) as claimed:
        goes_on = claimed.holds_run
        if goes_on and claimed.is_finished:
            log.info("%s holds this very run, which is finished: its result is used, and nothing is run", claimed.path)
            return RunResult.of(claimed.path, read_result(claimed.path))
        if choices:
            claimed.write_choices(choices)
        claimed.write_launch(sweep, options)
        if not goes_on:
            identity.write(claimed.path)
            write_provenance(claimed.path, cfg)
        # also of a run that goes on: paths, loggers and display may be others now
        claimed.write_config(cfg, overrides)
        remember_offers()
        if goes_on:
            log.info("%s holds this very run, which is not finished: it goes on", claimed.path)
        context = _context(claimed, overrides, goes_on)
        return _run(cfg, claimed, context, _data_record(claimed), callbacks, side_by_side)


def resume(
    folder: str | Path,
    device: str | None = None,
    other_data: bool = False,
    trust_remote_code: bool = False,
    send_variable: str | None = None,
) -> RunResult:
    """Continue a stopped run from its last checkpoint. On a CPU, the result equals that of a run without a stop.

    Parameters
    ----------
    device: by default the run's; another one is recorded in the run's config.     other_data: accept data that differs from the run's.
    trust_remote_code: run the code that comes with the run's model, if its config asks for that.
    send_variable: send the values of environment variables, as the config says: `VARIABLE=ADDRESS`, or several with commas between.

    Raises
    ------
    DataChanged: if the data is not that of the run, and `other_data` is false.
    """
    with RunFolder.open(folder) as claimed:
        if claimed.is_finished:
            result = read_result(claimed.path)
            log.info("%s is finished already: this is its result", claimed.path)
            output_console().print(results_page(result))
            return RunResult.of(claimed.path, result)
        use_cpu = f"recframe train resume={folder} device=cpu"
        cfg = recorded_config(claimed, device, use_cpu, Consent(trust_remote_code, send_variable, "resume"))
        report_changes(claimed.path)
        _report_libraries(claimed.path, cfg)
        choose_device(cfg.device, use_cpu)
        if device is not None:
            _record_device(claimed, device)
        return _run(cfg, claimed, _context(claimed, claimed.read_overrides(), True), _data_record(claimed, other_data))


def _context(folder: RunFolder, overrides: Sequence[str], resumed: bool) -> RunContext:
    return RunContext(folder.path, tuple(overrides), folder.read_sweep(), resumed)


def _data_record(folder: RunFolder, other_data: bool = False) -> DataRecord:
    remedy = f"recframe train resume={folder.path} other_data=true"
    return DataRecord(folder.path, accept=other_data, remedy=remedy, resized=not (folder.checkpoints / LAST).is_file())


def _run(
    cfg: DictConfig,
    folder: RunFolder,
    context: RunContext,
    record: DataRecord,
    own_callbacks: Sequence[Callback] = (),
    side_by_side: int = 1,
) -> RunResult:
    started = time.perf_counter()
    interruption = Interruption(folder.path)
    threads = RunThreads(cfg, folder.path, side_by_side)

    def tell_plugins(failure: RunFailure) -> None:
        call_failed(cfg, failure)

    with (
        log_file(folder.log_path) as on_disk,
        recorded_failure(folder.path, on_disk, tell_plugins),
        interruption.listening(),
        threads,
    ):
        _warn_of_refused_claims(cfg)
        call_started(cfg, context)
        callbacks = [*plugin_callbacks(cfg), *own_callbacks]
        (try_components if context.sweep is None else try_once)(cfg)
        resume_from = _checkpoint_to_resume(folder, cfg, record) if context.resumed else None
        steps_before, seconds_before = progress_at(resume_from) if resume_from else (0, 0.0)
        described = RunDescription(
            folder.path,
            _name(cfg, context),
            context.sweep,
            recorded(cfg),
            resume_at=steps_before if context.resumed else None,
            counter=counter_of(list(cfg.stages)),
        )
        run_loggers = RunLoggers(logger_settings(cfg), described)
        with run_loggers:
            if context.sweep is not None:
                at_end_of_sweep(forget_data)
            parts = assemble(cfg, record.check, to_train=True, in_sweep=context.sweep is not None)
            record.write()
            threads.start_training(len(parts.data.catalog))
            if resume_from is not None and (before := device_at(resume_from)) not in (None, parts.device.type):
                log.warning(
                    "resuming on %s a run that was on %s: its numbers will not be to the digit those without a stop", cfg.device, before
                )
            environment = parts.training_environment(cfg.trainer.devices)
            agent, tracker = started_agent(parts, environment, resume_from)
            settings: Any = OmegaConf.to_object(cfg.auxiliary)
            auxiliary = auxiliary_head(settings, agent, tracker, derived_seed(cfg.seed, "auxiliary"))
            encoder = parts.tunable_encoder()
            tuner = None if encoder is None else Tuner(encoder, agent, parts.reading, derived_seed(cfg.seed, "tuning"), parts.reduction)
            measured = environment.report() | parts.rewards.report() | label_report(parts.reading) | dict(parts.cut)
            caveats = environment.caveats() + parts.rewards.caveats()
            log_measured(measured, caveats)
            with other_ranks(cfg, folder.path, resume_from, {"threads": threads.number, "text_threads": threads.chosen.texts}) as ranks:
                trained = train_stages(
                    agent,
                    stages_of(parts, agent, environment, ranks.part),
                    folder=folder.checkpoints,
                    resume_from=resume_from,
                    run=_key(folder),
                    seed=cfg.seed,
                    loggers=[*run_loggers.loggers, *metrics_hooks(context, described.counter)],
                    callbacks=callbacks,
                    interruption=interruption,
                    auxiliary=auxiliary,
                    tuner=tuner,
                    seconds_before=seconds_before + time.perf_counter() - started,
                    ranks=ranks,
                )
            if encoder is not None:
                # as `evaluate` does it, so that a later evaluation reads the same vectors
                read_tuned(agent, parts.reading, encoder, folder.checkpoints / FINAL, parts.store, parts.reduction)
            # the objective of a sweep is measured on users of the training split: settings that were chosen by the users of the
            # final table would make that table too good
            # in training, a tuned language model's vectors are not to the digit those that a later evaluation reads
            objectives = trained.objectives(anew=encoder is not None)
            objective = objectives[trained.last.settings.monitor]
            final = final_evaluation(parts, agent)
            entries: dict[str, Any] = {
                "objective": objective,
                "objectives": objectives,
                "env_steps": agent.env_steps,
                "seconds": seconds_before + time.perf_counter() - started,
                **result_entries(parts, final, caveats),
                **({"batches": trained.batches} if parts.log is not None else {}),
                **({} if trained.selection is None else {"selection": trained.selection.entry()}),
                **({} if tuner is None else {"tuning": tuner.summary()}),
            }
            # the results come first: nothing that follows, such as a logger or the terminal, can lose them
            atomic_write(folder.path / "report.md", report_markdown(entries, final.samples, measured, final.rankings))
            record_people(folder.path, final)
            write_result(
                folder.path,
                seed=cfg.seed,
                name=_name(cfg, context),
                environment=measured,
                plugins=provenance(cfg),
                threads=threads.number,
                **entries,
            )
            result = RunResult.of(folder.path, entries)
            run_loggers.log_results(_for_loggers(result, final, measured, parts.simulates))
            run_loggers.close()
        print_report(result, final.samples, final.rankings)
        # only now: it takes imports, and the results are on disk
        from recframe.reports import try_to_write_page

        try_to_write_page(folder.path)
        call_finished(result)
        return result


def _for_loggers(result: RunResult, final: FinalEvaluation, measured: Mapping[str, float], simulates: bool) -> FinalResults:
    samples = [*(one._asdict() for one in final.samples), *(one._asdict() for one in final.rankings)]
    # without a simulator, the main table is already that of the log
    ranking = result.ranking.get("policies") if simulates else None
    tables = {"final": result.policies, "cold": result.cold, "ranking": ranking}
    return FinalResults({name: table for name, table in tables.items() if table}, {"objective": result.objective, **measured}, samples)


def _checkpoint_to_resume(folder: RunFolder, cfg: DictConfig, record: DataRecord) -> Path | None:
    """The checkpoint of a stopped run, checked; None if the run starts over because there is none."""
    checkpoint = folder.checkpoints / LAST
    if not checkpoint.is_file():
        log.warning("%s does not exist: the run starts over", checkpoint)
        return None
    require_resumable(checkpoint, cfg.trainer.final_weights, _key(folder))
    record.note_if_missing()
    return checkpoint


def _key(folder: RunFolder) -> str | None:
    """The key of the run's identity; None in a run of an earlier release."""
    identity = read_identity(folder.path)
    return None if identity is None else identity.key


def _report_libraries(folder: Path, cfg: DictConfig) -> None:
    """Log which libraries are others than those that the run was started with, and which components have other code."""
    identity = read_identity(folder)
    if identity is not None and (changed := changed_libraries(identity, run_identity(cfg))):
        log.warning("since the run was started, %s: its numbers may change", in_words(changed))


def _warn_of_refused_claims(cfg: DictConfig) -> None:
    """Say which plugins were left out because they claimed the name of a component of this run."""
    for component in chosen_components(cfg).values():
        for failure in registry().refused_claims(component.kind.value, component.name):
            log.warning("%s=%s is the built-in one: %s", component.kind, component.name, failure)


def _record_device(folder: RunFolder, device: str) -> None:
    """Write the device to the run's config, if it has changed."""
    recorded = folder.read_config()
    if recorded.device != device:
        log.info("device: %s, which was %s", device, recorded.device)
        recorded.device = device
        folder.write_config(recorded, folder.read_overrides())


def _name(cfg: DictConfig, context: RunContext) -> str:
    """The name of the run in reports and in W&B: its setting `name`, or its overrides; and its seed."""
    chosen = [override for override in context.overrides if not override.startswith(("seed=", "name="))]
    return f"{recorded(cfg)['name'] or ' '.join(chosen) or 'default'} seed={cfg.seed}"
