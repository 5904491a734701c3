"""The policy of a run, built again from the run's folder, and what else of the run belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig
from torch import Tensor

from recframe.building.component import build, component_of
from recframe.building.run_encoder import learned_from
from recframe.components import Kind
from recframe.config import Consent
from recframe.embeddings import AffineMap
from recframe.errors import UserError
from recframe.interfaces import Agent, Data, EnvironmentSpec, Role
from recframe.runner.trained import trained_agent
from recframe.serving.artefact.manifest import VERSION_LENGTH
from recframe.serving.encoders import CPU, LazyEncoder, fitted_encoder
from recframe.serving.new_texts import NewTexts
from recframe.serving.policy import LoadedPolicy
from recframe.serving.without_questions import served_without_questions
from recframe.tracking import RunFolder, recorded_config
from recframe.tracking.identity import read_identity
from recframe.tracking.provenance import report_changes


class RunPolicy(NamedTuple):
    """reduction: from the encoder's vectors to those of the policy's data, or None.
    tuned: by role, the vectors that the policy's networks read in place of those of its data.
    learned_from: the texts that the encoder was fitted on; empty if it learns nothing.
    """

    policy: LoadedPolicy
    cfg: DictConfig
    reduction: AffineMap | None
    tuned: Mapping[Role, Tensor]
    learned_from: Sequence[str]


def policy_of_run(
    folder: Path, asked_by: str, *, other_data: bool, trust_remote_code: bool, other_config: bool, send_variable: str | None
) -> RunPolicy:
    """Load a run's data, build its parts, and give its policy the final weights.

    asked_by: the command or function, for messages.   other_data, trust_remote_code, other_config, send_variable: as for
        `recframe.load_policy`.

    Raises
    ------
    recframe.errors.UserError: there is no such run, it has no trained weights, its data is another now, its actions are not items, or it
        has a prior over candidates.
    """
    on_command_line = " " in asked_by
    remedy = f"{asked_by} --other-data" if on_command_line else f"{asked_by}(..., other_data=True)"
    consent = Consent(trust_remote_code, send_variable, "command" if on_command_line else "python")
    edits = f"accept it: {asked_by} --other-config" if on_command_line else f"accept it with {asked_by}(..., other_config=True)"
    with RunFolder.open_to_read(folder) as claimed:
        accepted = None if other_config else edits
        cfg = recorded_config(claimed, CPU.type, f"{asked_by} uses the CPU", consent, accepted)
        name = f"agent={cfg.agent.name}"
        if cfg.prior.model is not None:
            raise UserError(
                f"{folder}: {name} adds a prior over the simulator's candidates to its scores (prior.model={cfg.prior.model}), which a "
                "policy that is served does not compute; train it with prior.model=null"
            )
        report_changes(claimed.path)
        agent, parts, training_users, tuned = trained_agent(claimed.path, cfg, other_data, remedy)
    spec = agent.spec
    if spec.actions != "items" or spec.num_features:
        what = "actions are numbers, not items" if spec.actions != "items" else f"observations have {spec.num_features} raw numbers"
        raise UserError(f"{folder}: {name} cannot recommend from a history alone: its {what}; recframe.gym is for such policies")
    build_again = partial(_untrained, cfg)
    served = served_without_questions(agent, parts.without_cold_items(parts.reading), tuned, build_again, name)
    agent, known, tuned = served.agent, served.data, served.tuned
    always = training_users.always_excluded
    learned = learned_from(cfg, parts.data, None if parts.log is None else parts.log.train)
    encoder = LazyEncoder(lambda: fitted_encoder(cfg.encoder, learned))
    policy = LoadedPolicy(
        agent,
        known,
        NewTexts(agent, known, encoder, parts.reduction, _why_no_new_texts(cfg, bool(tuned))),
        build=build_again,
        name=name,
        ranks="ranks" in component_of(Kind.AGENT, cfg.agent).provides,
        excludes_history=cfg.evaluation.exclude_seen if parts.log is not None else _excludes_what_was_shown(spec, always),
        folder=folder.absolute(),
        version=_version(folder),
    )
    return RunPolicy(policy, cfg, parts.reduction, tuned, learned)


def _untrained(cfg: DictConfig, spec: EnvironmentSpec, data: Data) -> Agent:
    tracker = build(component_of(Kind.STATE_TRACKER, cfg.state_tracker), cfg.state_tracker, spec=spec, data=data)
    agent: Agent = build(component_of(Kind.AGENT, cfg.agent), cfg.agent, spec=spec, state_tracker=tracker, seed=int(cfg.seed))
    return agent


def _version(folder: Path) -> str:
    """The beginning of the hash by which a run is known again, which runs of earlier releases do not have."""
    identity = read_identity(folder)
    return "unknown" if identity is None else identity.key[:VERSION_LENGTH]


def _why_no_new_texts(cfg: DictConfig, tuned: bool) -> str:
    if "catalog" in component_of(Kind.ENVIRONMENT, cfg.environment).provides:
        return f"environment={cfg.environment.name} brings its own items, whose vectors are no encoder's; leave it out"
    if tuned:
        return "the run's language model was tuned, and new texts are not read with it; give a text of the run's data, or leave it out"
    if cfg.embeddings.shuffle:
        return "the run's text vectors were shuffled (embeddings.shuffle), so that a new text means nothing; leave it out"
    return ""


def _excludes_what_was_shown(spec: EnvironmentSpec, always_excluded: object) -> bool:
    """Whether the simulator excludes the items of a session, beside those that it always excludes."""
    return spec.num_excluded > (0 if always_excluded is None else len(always_excluded))  # type: ignore[arg-type]  # [X]
