"""Loads the policy of an artefact."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from recframe.building.component import build
from recframe.building.sections import checked_section
from recframe.components import Component, Kind
from recframe.config import ConfigError, Consent
from recframe.interfaces import Agent, Data, EnvironmentSpec, tables_of
from recframe.plugin_loader import UnknownComponent, came_from, registry
from recframe.serving.artefact.manifest import SECTIONS, WEIGHTS, ArtefactError, Manifest, read_manifest
from recframe.serving.artefact.tables import PolicyData, read_tables
from recframe.serving.encoders import LazyEncoder, fitted_encoder
from recframe.serving.new_texts import NewTexts
from recframe.serving.policy import LoadedPolicy
from recframe.tracking.weights import CheckpointError, load_weights

log = logging.getLogger(__name__)


def load_artefact(folder: Path, *, trust_remote_code: bool = False, send_variable: str | None = None) -> LoadedPolicy:
    """The policy of an artefact, on the CPU. Nothing in the folder is executed; its files are those that were written.

    trust_remote_code: run the code that comes with the policy's model, if its config asks for that.
    send_variable: send the values of environment variables, as its config says; see `load_policy`.

    Raises
    ------
    recframe.errors.UserError: the artefact is damaged, or a plugin of the policy is missing.
    """
    manifest = read_manifest(folder)
    if refused := Consent(trust_remote_code, send_variable, "python").problems(manifest.sections):
        raise ConfigError(refused)
    components = {kind: _component(folder, manifest, kind) for kind in SECTIONS}
    sections = {kind: _section(folder, components[kind], manifest.sections[kind.value]) for kind in SECTIONS}
    given = read_tables(folder, manifest.files)
    spec = manifest.environment_spec()

    def untrained(spec: EnvironmentSpec, data: Data) -> Agent:
        tracker = build(components[Kind.STATE_TRACKER], sections[Kind.STATE_TRACKER], spec=spec, data=data)
        agent: Agent = build(components[Kind.AGENT], sections[Kind.AGENT], spec=spec, state_tracker=tracker, seed=manifest.seed)
        return agent

    agent = untrained(spec, given.data)
    try:
        load_weights(agent, folder / WEIGHTS)
    except CheckpointError as error:
        origin = manifest.origins.get(Kind.AGENT.value, {})
        raise ArtefactError(f"{error}. It was made with {origin.get('distribution')} {origin.get('version')}") from None
    _read_tuned(agent, given)
    encoder = LazyEncoder(lambda: fitted_encoder(sections[Kind.ENCODER], given.learned_from))
    return LoadedPolicy(
        agent,
        given.data,
        NewTexts(agent, given.data, encoder, given.reduction, manifest.new_texts),
        build=untrained,
        name=f"agent={sections[Kind.AGENT].name}",
        ranks=manifest.ranks,
        excludes_history=manifest.excludes_history,
        folder=folder.absolute(),
        version=manifest.version,
    )


def _component(folder: Path, manifest: Manifest, kind: Kind) -> Component:
    origin = manifest.origins.get(kind.value, {})
    try:
        found = registry().get(kind, str(manifest.sections[kind.value]["name"]))
    except UnknownComponent as error:
        raise ArtefactError(f"{folder}: {error}. {came_from(origin, registry().versions)}") from None
    except (KeyError, TypeError):
        raise ArtefactError(f"{folder}: its {kind.value} has no name; export the run again") from None
    now = registry().versions.get(str(origin.get("distribution")))
    if now != origin.get("version"):
        log.warning("the policy was made with %s %s, which is %s now", origin.get("distribution"), origin.get("version"), now)
    return found


def _section(folder: Path, component: Component, settings: Any) -> Any:
    try:
        return checked_section(component, {key: value for key, value in settings.items() if key != "name"})
    except ConfigError as error:
        raise ConfigError([f"{folder}: {line}" for line in error.problems]) from None


def _read_tuned(agent: Agent, given: PolicyData) -> None:
    for role, vectors in given.tuned.items():
        for table in tables_of(agent, given.data.texts[role].vectors):
            table.replace(vectors)
    if given.tuned:
        agent.texts_moved()
