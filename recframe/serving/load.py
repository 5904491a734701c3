"""Loads the trained policy of a run."""

from __future__ import annotations

from pathlib import Path

from recframe.building.component import component_of
from recframe.components import Kind
from recframe.errors import UserError
from recframe.interfaces import EnvironmentSpec
from recframe.runner.results import RunResult
from recframe.runner.trained import trained_agent
from recframe.serving.policy import LoadedPolicy
from recframe.tracking import RunFolder, recorded_config
from recframe.tracking.provenance import report_changes

CPU = "cpu"


def load_policy(
    run: str | Path | RunResult, *, other_data: bool = False, trust_remote_code: bool = False, other_config: bool = False
) -> LoadedPolicy:
    """The trained policy of a run, built again on the CPU from the run's folder: its config, its data and its final weights.

    The data must be where the run found it, and the plugins of the run must be installed.

    Parameters
    ----------
    run: the folder of a run, or its result.   other_data: accept data that differs from the run's.
    trust_remote_code: run the code that comes with the run's model, if its config asks for that.
    other_config: accept a config.yaml that was edited after the run was started.

    Raises
    ------
    recframe.errors.UserError: there is no such run, it has no trained weights, its data is another now, or its actions are not items.
    """
    folder = run.folder if isinstance(run, RunResult) else Path(run).expanduser()
    with RunFolder.open_to_read(folder) as claimed:
        trust = None if trust_remote_code else "trust_remote_code=True"
        edits = None if other_config else "accept it with load_policy(..., other_config=True)"
        cfg = recorded_config(claimed, CPU, "recframe.load_policy uses the CPU", trust, edits)
        report_changes(claimed.path)
        agent, parts, training_users = trained_agent(claimed.path, cfg, other_data, "load_policy(..., other_data=True)")
    spec = agent.spec
    name = f"agent={cfg.agent.name}"
    if spec.actions != "items" or spec.num_features:
        what = "actions are numbers, not items" if spec.actions != "items" else f"observations have {spec.num_features} raw numbers"
        raise UserError(f"{folder}: {name} cannot recommend from a history alone: its {what}; recframe.gym is for such policies")
    always = training_users.always_excluded
    return LoadedPolicy(
        agent,
        parts.reading,
        name=name,
        ranks="ranks" in component_of(Kind.AGENT, cfg.agent).provides,
        excludes_history=cfg.evaluation.exclude_seen if parts.log is not None else _excludes_what_was_shown(spec, always),
        folder=claimed.path.absolute(),
    )


def _excludes_what_was_shown(spec: EnvironmentSpec, always_excluded: object) -> bool:
    """Whether the simulator excludes the items of a session, beside those that it always excludes."""
    return spec.num_excluded > (0 if always_excluded is None else len(always_excluded))  # type: ignore[arg-type]  # [X]
