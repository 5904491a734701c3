"""The whole job as functions: `run` a config, `resume` a stopped run, `evaluate` a trained one. No command line needed.

Importing this module imports torch; the command line does so only once a config has been found valid.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from recframe.building.parts import Parts, assemble, derived_seed
from recframe.config import validate
from recframe.embeddings import label_report
from recframe.evaluation.simulated.agent_policy import AgentPolicy
from recframe.evaluation.simulated.evaluate import Recommendation
from recframe.evaluation.simulated.metrics import Metrics
from recframe.evaluation.table import COLD_TITLE, result_tables, results_markdown, samples_table
from recframe.experience import Collector
from recframe.interfaces import Agent
from recframe.plugin_loader import Registry, registry
from recframe.runner.final_evaluation import final_evaluation, point_estimates, result_entries
from recframe.tracking import RunFolder, atomic_write, read_result, write_result
from recframe.tracking.run_loggers import RunLoggers
from recframe.training import BEST, FINAL, LAST, BehaviourPrediction, Interruption, Tuner, fit, load_weights, progress_at, read_tuned

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunContext:
    """Where a run lives and where it comes from. `sweep` is the name of the sweep it is a job of, or None."""

    folder: Path
    overrides: tuple[str, ...]
    sweep: str | None
    resumed: bool


@dataclass(frozen=True)
class RunResult:
    """What a finished run found.

    `objective` is the monitored metric of the trained policy on people of the training split, for sweepers and for choosing between
    runs; `policies` is the final table, as in result.json, and `cold` the one over cold items alone (None: there are none).
    """

    folder: Path
    objective: float
    env_steps: int
    seconds: float
    policies: dict[str, Metrics]
    cold: dict[str, Metrics] | None = None


def run(cfg: DictConfig, folder: str | Path, overrides: Sequence[str] = (), sweep: str | None = None) -> RunResult:
    """Train and evaluate what `cfg` describes, into a new folder.

    Parameters
    ----------
    cfg: a composed config, such as `recframe.config.compose_config([...])` gives.
    folder: the run's folder; must not hold a run yet.
    overrides: what was chosen, for the record.    sweep: the sweep's name, for grouping.

    Raises
    ------
    recframe.errors.UserError: ConfigError, DataError, RunFolderError, TrainingDiverged, CheckpointError ...; the message is for the person.
    """
    found = registry()
    cfg = validate(cfg, found)
    with RunFolder.create(folder) as claimed:
        claimed.write_config(cfg, overrides)
        return _run(cfg, claimed, RunContext(claimed.path, tuple(overrides), sweep, resumed=False), found)


def resume(folder: str | Path) -> RunResult:
    """Go on with a stopped run, from its last checkpoint, to the numbers it would have reached without the stop (on CPU, exactly)."""
    found = registry()
    with RunFolder.open(folder) as claimed:
        if claimed.is_finished:
            result = read_result(claimed.path)
            log.info("%s is finished already: this is its result", claimed.path)
            _console().print(*result_tables(result))
            cold = result.get("cold_items", {}).get("policies")
            return RunResult(claimed.path, result["objective"], result["env_steps"], result["seconds"], result["policies"], cold)
        cfg = validate(claimed.read_config(), found)
        parent = claimed.path.resolve().parent
        # Hydra leaves this file in the folder of a sweep
        sweep = parent.name if (parent / "multirun.yaml").exists() else None
        return _run(cfg, claimed, RunContext(claimed.path, tuple(claimed.read_overrides()), sweep, resumed=True), found)


def evaluate(folder: str | Path, seed: int | None = None, num_users: int | None = None) -> dict[str, Any]:
    """Evaluate a run's trained weights again, perhaps on other people; the run's files stay as they are.

    Returns `policies`, and `cold_items` if the run held any back, as in result.json.
    """
    found = registry()
    with RunFolder.open(folder) as claimed:
        cfg = validate(claimed.read_config(), found)
        cfg.evaluation.seed = cfg.evaluation.seed if seed is None else seed
        cfg.evaluation.num_users = cfg.evaluation.num_users if num_users is None else num_users
        cfg = validate(cfg, found)
        parts = assemble(cfg, found)
        training_users = parts.environment(cfg.environment.num_users, "train")
        agent = parts.agent(training_users)
        final = claimed.checkpoints / FINAL
        weights = final if final.is_file() else claimed.checkpoints / BEST
        load_weights(agent, weights)
        if (encoder := parts.tunable_encoder()) is not None:
            read_tuned(agent, parts.reading, encoder, weights, parts.store, parts.reduction)
        measured = final_evaluation(parts, agent)
        return result_entries(parts, measured.policies, measured.cold)


def _run(cfg: DictConfig, folder: RunFolder, context: RunContext, found: Registry) -> RunResult:
    started = time.perf_counter()
    interruption = Interruption(folder.path)
    with _log_file(folder.log_path), interruption.listening():
        found.manager.hook.recframe_run_started(cfg=cfg, run=context)
        checkpoint = folder.checkpoints / LAST
        resume_from = checkpoint if context.resumed and checkpoint.is_file() else None
        steps_before, seconds_before = progress_at(resume_from) if resume_from else (0, 0.0)
        plain: Any = OmegaConf.to_container(cfg, resolve=True)
        run_loggers = RunLoggers(
            plain["logger"],
            folder.path,
            name=_name(cfg, context),
            group=context.sweep,
            config=plain,
            resume_env_steps=steps_before if context.resumed else None,
        )
        with run_loggers:
            parts = assemble(cfg, found)
            environment = parts.environment(cfg.environment.num_users, "train")
            agent, tracker = parts.agent_and_tracker(environment)
            settings, seed = OmegaConf.to_object(cfg.auxiliary), derived_seed(cfg.seed, "auxiliary")
            auxiliary = BehaviourPrediction(settings, agent, tracker, seed) if settings.weight else None
            encoder = parts.tunable_encoder()
            tuner = None if encoder is None else Tuner(encoder, agent, parts.reading, derived_seed(cfg.seed, "tuning"), parts.reduction)
            report = environment.report() | label_report(parts.reading)
            for name, value in report.items():
                log.info("%s: %.4g", name, value)
            periodic = _periodic_evaluation(parts, agent)
            fit(
                agent,
                Collector(environment, parts.rewards, derived_seed(cfg.seed, "environment")),
                OmegaConf.to_object(cfg.trainer),
                folder=folder.checkpoints,
                evaluate=periodic,
                seed=derived_seed(cfg.seed, "replay"),
                loggers=run_loggers.loggers,
                callbacks=[callback for some in found.manager.hook.recframe_callbacks(cfg=cfg) for callback in some],
                interruption=interruption,
                auxiliary=auxiliary,
                tuner=tuner,
                resume_from=resume_from,
                seconds_before=seconds_before + time.perf_counter() - started,
            )
            if encoder is not None:
                # by the door through which `evaluate` will come, so that it finds these very vectors
                read_tuned(agent, parts.reading, encoder, folder.checkpoints / FINAL, parts.store, parts.reduction)
            # the objective of a sweep is taken from people of the training split: choosing settings by the people of the
            # final table would make the table of what was chosen too good
            objective = periodic().get(cfg.trainer.monitor, math.nan)
            policies, cold, samples = final_evaluation(parts, agent)
            seconds = seconds_before + time.perf_counter() - started
            run_loggers.finish(policies, cold, [sample._asdict() for sample in samples], {"objective": objective, **report})
            atomic_write(folder.path / "report.md", _report(policies, cold, samples, report))
            write_result(
                folder.path,
                objective=objective,
                seed=cfg.seed,
                env_steps=agent.env_steps,
                seconds=seconds,
                name=_name(cfg, context),
                environment=report,
                **result_entries(parts, policies, cold),
                **({} if tuner is None else {"tuning": tuner.summary()}),
            )
        result = RunResult(folder.path, objective, agent.env_steps, seconds, policies, cold)
        _show(result, samples)
        found.manager.hook.recframe_run_finished(result=result)
        return result


def _periodic_evaluation(parts: Parts, agent: Agent) -> Any:
    """What training calls between epochs.

    It meets people of the training split: picking the best checkpoint then uses nobody of the final table.
    """
    settings = parts.cfg.evaluation
    environment = parts.environment(settings.periodic_users, "train")
    seed = derived_seed(settings.seed, "periodic evaluation")

    def measure() -> dict[str, float]:
        return point_estimates(AgentPolicy(agent), environment, parts, seed)

    return measure


def _name(cfg: DictConfig, context: RunContext) -> str:
    """What reports and W&B call the run: its own name, or its overrides, and its seed."""
    chosen = [override for override in context.overrides if not override.startswith(("seed=", "name="))]
    return f"{cfg.name or ' '.join(chosen) or 'default'} seed={cfg.seed}"


def _report(
    policies: dict[str, Metrics], cold: dict[str, Metrics] | None, samples: list[Recommendation], measured: dict[str, float]
) -> str:
    lines = ["# Results", "", results_markdown(policies)]
    if cold is not None:
        lines += [f"## {COLD_TITLE}", "", results_markdown(cold)]
    if measured:
        lines += ["## Measured before training", "", *(f"- {name}: {value:.4g}" for name, value in measured.items()), ""]
    if samples:
        lines += ["## What the trained policy recommends", ""]
    for sample in samples:
        before, shown = "; ".join(sample.history[-3:]) or "nothing yet", "; ".join(sample.recommended)
        lines.append(f"- user {sample.user}, turn {sample.turn}, after {before}: **{shown}** (reward {sample.reward:.3g})")
    return "\n".join(lines) + "\n"


def _console() -> Console:
    """Standard output; wide enough for the tables where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 110)


def _show(result: RunResult, samples: list[Recommendation]) -> None:
    console = _console()
    if samples:
        console.print(samples_table(samples, title="What the trained policy recommends"))
    cold = {} if result.cold is None else {"cold_items": {"policies": result.cold}}
    console.print(*result_tables({"policies": result.policies, **cold}, title="Results"))
    line = f"{result.env_steps:,} env steps, {result.seconds:.0f} s; everything is in {result.folder}"
    console.print(line, highlight=False, soft_wrap=True)


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Everything logged in the block also goes to the run's log."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
